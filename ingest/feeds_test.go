package ingest_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"mulu"
	"mulu/ingest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// person is the dataset of the golden files; pair has a key of two columns.
func person(format, unit string) *mulu.Dataset {
	return &mulu.Dataset{Code: "person", Version: 1, Topic: "person", Format: format, Key: []string{"id"}, Columns: []mulu.Column{
		{Name: "id", Title: "编号", Type: mulu.Int, Required: true},
		{Name: "name", Title: "姓名", Type: mulu.String, Required: true},
		{Name: "amount", Title: "金额", Type: mulu.Decimal, Scale: 2},
		{Name: "born", Title: "生日", Type: mulu.Date},
		{Name: "at", Title: "时间", Type: mulu.DateTime, Unit: unit},
		{Name: "ok", Title: "有效", Type: mulu.Bool},
		{Name: "note", Title: "备注", Type: mulu.String},
	}}
}

func pair(format string) *mulu.Dataset {
	return &mulu.Dataset{Code: "pair", Version: 1, Topic: "pair", Format: format, Key: []string{"area", "no"}, Columns: []mulu.Column{
		{Name: "area", Type: mulu.String, Required: true}, {Name: "no", Type: mulu.Int, Required: true}, {Name: "name", Type: mulu.String},
	}}
}

// goldenCase is one file: settings in the comment, then "messages" (one a line: value,
// or key ⇒ value, ∅ for no value; lines that begin with # are for the reader) and "want".
type goldenCase struct {
	dataset *mulu.Dataset
	batch   *ingest.Batch
}

func readCase(t *testing.T, ar *txtar.Archive) goldenCase {
	t.Helper()
	set := map[string]string{"partitions": "1", "dataset": "person"}
	for line := range strings.Lines(string(ar.Comment)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.HasPrefix(name, "#") {
			set[name] = value
		}
	}
	c := goldenCase{dataset: person(set["format"], set["unit"]), batch: batchOf()}
	if set["dataset"] == "pair" {
		c.dataset = pair(set["format"])
	}
	var err error
	if c.batch.Partitions, err = strconv.Atoi(set["partitions"]); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(ar.Files[0].Data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, " ⇒ ")
		if !ok {
			key, value = "", line
		}
		r := mulu.Record{Offset: 100 + int64(len(c.batch.Records)), Key: []byte(key), Value: []byte(value), Time: time.Unix(1_700_000_000, 0)}
		if value == "∅" {
			r.Value = nil
		}
		c.batch.Records = append(c.batch.Records, r)
	}
	c.batch.Plan.Last = 100 + int64(len(c.batch.Records)) - 1
	return c
}

// show writes a decoded batch for people: rows in order, rejects, and what the batch
// says beside its rows.
func show(t *testing.T, d *ingest.Decoded) string {
	t.Helper()
	var b strings.Builder
	for i, row := range rows(t, d.Record) {
		version := uint64(d.Offsets[i])
		if d.Versions != nil {
			version = d.Versions[i]
		}
		op := "upsert"
		if d.Deleted != nil && d.Deleted[i>>6]>>(i&63)&1 == 1 {
			op = "delete"
		}
		fmt.Fprintf(&b, "@%d.%d %s v%d %s\n", d.Offsets[i], d.Row(i), op, version, row)
	}
	for _, r := range d.Rejects {
		fmt.Fprintf(&b, "reject @%d.%d %s %s %s\n", r.Offset, r.Row, r.Class, r.Field, r.Reason)
	}
	fmt.Fprintf(&b, "schemes %q snapshot %d again %v floor %d\n", d.Feed.Schemes, d.Feed.Snapshot, d.Feed.Again, d.Feed.Floor)
	return b.String()
}

// TestFeeds reads messages as each product writes them. The files show input and
// outcome side by side; -update writes the outcome anew, to be read as a diff.
func TestFeeds(t *testing.T) {
	files, err := filepath.Glob("testdata/feeds/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil || len(ar.Files) == 0 || ar.Files[0].Name != "messages" {
				t.Fatalf("no messages: %v", err)
			}
			c := readCase(t, ar)
			d, err := decoder(t, c.dataset).Decode(c.batch)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Release()
			got := show(t, d)
			if *update {
				ar.Files = append(ar.Files[:1], txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(ar.Files) != 2 || got != string(ar.Files[1].Data) {
				t.Errorf("got\n%s\nwant\n%s", got, ar.Files[len(ar.Files)-1].Data)
			}
			// A record that was rejected keeps its bytes, and the batch decodes alike again.
			for _, r := range d.Rejects {
				if !bytes.Equal(r.Value, c.batch.Records[r.Offset-100].Value) {
					t.Errorf("reject @%d does not keep its bytes", r.Offset)
				}
			}
			again, err := decoder(t, c.dataset).Decode(c.batch)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Release()
			if show(t, again) != got {
				t.Error("decoded again, the batch differs")
			}
		})
	}
}
