//go:build linux && amd64

package app_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	declared "mulu/deploy/sample"
	"mulu/ingest"
	"mulu/internal/app"
	"mulu/internal/broker"
	"mulu/internal/config"
	"mulu/internal/store"
	"mulu/library"
	"mulu/library/embedded"
)

// district is the sample district with one replacement in the file of divisions.
func district(t *testing.T, replace ...string) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(declared.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		b, err := fs.ReadFile(declared.FS, path)
		if err != nil {
			return err
		}
		if path == "division.yaml" {
			b = []byte(strings.NewReplacer(replace...).Replace(string(b)))
		}
		out[path] = &fstest.MapFile{Data: b}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// house is a configuration of mulu with a broker in this process.
func house(t *testing.T) config.Config {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	addr, ended := make(chan string, 1), make(chan error, 1)
	dir := t.TempDir()
	go func() {
		ended <- broker.Serve(ctx, broker.Config{Dir: dir, Ready: func(a string) { addr <- a }})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	c := config.Default()
	select {
	case a := <-addr:
		c.Broker.Seeds = []string{a}
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	c.Data, c.Listen, c.Sample = filepath.Join(t.TempDir(), "mulu"), "127.0.0.1:0", "none"
	c.Ingest.Linger = 100 * time.Millisecond
	if c.Engine.Library = os.Getenv(embedded.EnvLib); c.Engine.Library == "" {
		c.Engine.Library = "../../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
	}
	return c
}

func start(t *testing.T, c config.Config, declare fs.FS) *app.App {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	a, err := app.Start(t.Context(), c, app.Options{Log: log, Declare: declare})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(a.Close)
	return a
}

// divisions produces n division records to partition 0 and gives the topic's identity.
func divisions(t *testing.T, c config.Config, n int) mulu.TopicID {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	topic := app.TopicOf("division")
	for i := range n {
		r := kgo.StringRecord(fmt.Sprintf("3101%05d,示例街道,310107,31,3101", i))
		r.Topic = topic
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	details, err := kadm.NewClient(cl).ListTopics(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return mulu.TopicID(details[topic].ID)
}

// plan leaves an open plan behind, as a crash between plan and data does.
func plan(t *testing.T, c config.Config, p mulu.Plan) {
	t.Helper()
	db, err := store.Open(t.Context(), c.StoreDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	j, err := ingest.NewJournal(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Plan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func TestRestart(t *testing.T) {
	c := house(t)
	v2 := district(t, "version: 1\n", "version: 2\n")
	for _, declarations := range []fs.FS{district(t), v2} {
		start(t, c, declarations).Close()
	}
	id := divisions(t, c, 30)
	plan(t, c, mulu.Plan{BatchID: mulu.BatchID{TopicID: id, Topic: app.TopicOf("division"), Last: 19}, Dataset: "division", Version: 1})

	second := start(t, c, nil)
	t.Run("a batch planned for an older version is finished under it", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := second.Drained(ctx); err != nil {
			t.Fatal(err)
		}
		if got := goodByVersion(t, second); got[1] != 30 || got[2] != 0 {
			t.Errorf("good rows by version: %v, want all that was sent before version 2 took effect under version 1", got)
		}
	})
	t.Run("what is sent afterwards is of the newer version", func(t *testing.T) {
		for end := time.Now().Add(20 * time.Second); goodByVersion(t, second)[2] == 0; time.Sleep(200 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("version 2 did not take effect within 20 s")
			}
			divisions(t, c, 1)
		}
	})
	t.Run("a version that contradicts the tables is refused before it is kept", func(t *testing.T) {
		who := mulu.Actor{ID: "mulu", Org: mulu.Org{Code: "12310107MBQ000032E", Kind: "center"}, Role: mulu.RoleSystem}
		refused := func(what string, replace ...string) {
			t.Helper()
			_, err := second.Apply(t.Context(), who, district(t, append(replace, "version: 1\n", "version: 3\n")...))
			if !errors.Is(err, mulu.ErrConflict) {
				t.Errorf("%s: %v, want a conflict", what, err)
			}
		}
		refused("another type", "{name: city_code, title: 所属地级代码, type: string, length: 4,", "{name: city_code, title: 所属地级代码, type: int,",
			"  - {id: city_code.form", "  # - {id: city_code.form")
		refused("another topic", "topic: mulu.division", "topic: mulu.division2")
		refused("another library", "library: lib_space", "library: lib_other")
		second.Close()
		third := start(t, c, nil)
		if _, err := third.Library().Audit(t.Context(), "division"); err != nil {
			t.Error(err)
		}
		totals, err := third.Library().Totals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(totals) != 1 || !balanced(totals) {
			t.Errorf("totals after the restart: %+v", totals)
		}
	})
}

func goodByVersion(t *testing.T, a *app.App) map[uint32]int64 {
	t.Helper()
	list, err := a.Library().RecentBatches(t.Context(), "division", time.Unix(0, 0), 200)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint32]int64{}
	for _, m := range list {
		got[m.Version] += m.Good
	}
	return got
}

func balanced(totals []library.Total) bool {
	for i := range totals {
		if !totals[i].Balanced() {
			return false
		}
	}
	return true
}
