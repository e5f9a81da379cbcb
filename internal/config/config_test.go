package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mulu/internal/config"
)

func TestValidateOK(t *testing.T) {
	c := config.Default()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestValidateEveryFault(t *testing.T) {
	c := config.Config{Sample: "big", Listen: "x", Broker: config.Broker{Listen: "0.0.0.0:9092"}, Store: "mysql://x", Engine: config.Engine{URL: "ftp://x"}}
	err := c.Validate()
	if err == nil {
		t.Fatal("a configuration full of faults was accepted")
	}
	for _, want := range []string{"data:", "listen:", "broker.listen:", "sample:", "store:", "engine.url:", "ingest.batch_rows:", "reconcile_every", "ledger:", "retain_mb", "house.bureau", "house.division"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("fault %q is not reported in:\n%v", want, err)
		}
	}
}

func TestLoad(t *testing.T) {
	p := filepath.Join(t.TempDir(), "mulu.yaml")
	write := func(s string) {
		if err := os.WriteFile(p, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("data: /d\nbroker:\n  seeds: [a:9092]\ningest:\n  linger: 3s\n")
	c, err := config.Load(p)
	if err != nil || c.Ingest.Linger != 3*time.Second || c.Seeds()[0] != "a:9092" || c.Listen != config.Default().Listen {
		t.Errorf("Load = %+v, %v", c, err)
	}
	write("data: /d\nbrokr: {}\n")
	if _, err := config.Load(p); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("unknown field: %v, want an error naming line 2", err)
	}
}

// The example must be readable and show the defaults it says it shows.
func TestExample(t *testing.T) {
	c, err := config.Load("../../deploy/mulu.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Sample = "none"
	c.Broker.Seeds, c.Registry.URLs = nil, nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("example is\n%+v\nwant\n%+v", c, want)
	}
}
