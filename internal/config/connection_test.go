package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulu/internal/config"
)

func TestConnectionFaults(t *testing.T) {
	c := config.Default()
	c.Connections = map[string]config.Connection{
		"mz":     {Driver: "mysql", DSN: "x"},
		"ga":     {DSN: "x", DSNEnv: "Y"},
		"Bad 名":  {Driver: "oracle", DSNFile: "/f"},
		"no-dsn": {Driver: "oracle"},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("faulty connections were accepted")
	}
	for _, want := range []string{"connections.ga: 缺少 driver", "connections.ga: dsn、dsn_file、dsn_env 须且只能给一个，现在有 2", "connections.Bad 名: 名称", "connections.no-dsn: dsn、dsn_file、dsn_env 须且只能给一个，现在有 0"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("fault %q is not reported in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "connections.mz") {
		t.Errorf("a sound connection is faulted: %v", err)
	}
}

func TestConnectionSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MULU_TEST_DSN", "from env")
	for want, c := range map[string]config.Connection{"plain": {DSN: "plain"}, "from file": {DSNFile: file}, "from env": {DSNEnv: "MULU_TEST_DSN"}} {
		if got, err := c.Secret(); got != want || err != nil {
			t.Errorf("%+v: %q, %v; want %q", c, got, err, want)
		}
	}
	for _, c := range []config.Connection{{DSNFile: file + ".none"}, {DSNEnv: "MULU_TEST_NONE"}} {
		if s, err := c.Secret(); err == nil {
			t.Errorf("%+v gave %q and no error", c, s)
		}
	}
}
