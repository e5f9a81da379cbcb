//go:build linux && amd64

package pipeline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/avro"
	"golang.org/x/text/encoding/simplifiedchinese"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/registry"
	formats "mulu/ingest/wire"
	"mulu/internal/store"
	"mulu/library"
	"mulu/pipeline"
	"mulu/plan"
)

const rare = "𬭊㑇𰻞１２"

// shapes are the schemas of the test's dataset, one of each format.
var shapes = map[string]formats.Schema{
	mulu.FormatAvro:       {Type: formats.Avro, Text: `{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"name","type":"string"},{"name":"n","type":["null","long"]},{"name":"more","type":["null","string"],"default":null}]}`},
	mulu.FormatProtobuf:   {Type: formats.Protobuf, Text: `syntax = "proto3"; message R { string id = 1; string name = 2; optional int64 n = 3; optional string more = 4; }`},
	mulu.FormatJSONSchema: {Type: formats.JSONSchema, Text: `{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"n":{"type":["integer","null"]}}}`},
}

// written is a row as a producer of a format writes it, with the libraries' encoders.
func written(t *testing.T, format string, id uint32, key, name string, n int) []byte {
	t.Helper()
	head := binary.BigEndian.AppendUint32([]byte{0}, id)
	switch format {
	case mulu.FormatAvro:
		out, err := avro.MustParse(shapes[format].Text).AppendEncode(head, map[string]any{"id": key, "name": name, "n": int64(n), "more": nil})
		if err != nil {
			t.Fatal(err)
		}
		return out
	case mulu.FormatProtobuf:
		file, err := formats.CompileProto(shapes[format])
		if err != nil {
			t.Fatal(err)
		}
		m := dynamicpb.NewMessage(file.Messages().Get(0))
		if err := protojson.Unmarshal(fmt.Appendf(nil, `{"id":%q,"name":%q,"n":"%d"}`, key, name, n), m); err != nil {
			t.Fatal(err)
		}
		body, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return append(append(head, 0), body...)
	}
	return append(head, fmt.Sprintf(`{"id":%q,"name":%q,"n":%d}`, key, name, n)...)
}

// outer is a schema registry that can be away, with a book that asks it.
type outer struct {
	desk *registry.Desk
	book *registry.Book
	down atomic.Bool
}

func openOuter(t *testing.T) *outer {
	t.Helper()
	open := func(name string) *store.DB {
		db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if _, err := ingest.NewJournal(t.Context(), db, time.Now); err != nil {
			t.Fatal(err)
		}
		return db
	}
	o := &outer{desk: registry.NewDesk(open("far.db"), time.Now)}
	h := registry.Handler(o.desk, func(*http.Request) (registry.Caller, error) { return registry.Caller{All: true}, nil }, slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.down.Load() {
			panic(http.ErrAbortHandler) // the connection breaks, as of a registry that is gone
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	var err error
	if o.book, err = registry.NewBook(open("near.db"), registry.Outer{URLs: []string{srv.URL}}, time.Now); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *outer) register(t *testing.T, s formats.Schema) uint32 {
	t.Helper()
	v, err := o.desk.Register(t.Context(), "test", "t-value", registry.Schema{Type: s.Type, Text: s.Text})
	if err != nil {
		t.Fatal(err)
	}
	return uint32(v.ID) //nolint:gosec // few
}

// formatted is a ledger whose dataset is of a registry's format.
func (d *desk) formatted(t *testing.T, format string, o *outer) *ledger {
	t.Helper()
	l := d.shaped(t, func(ds *mulu.Dataset) { ds.Format = format })
	for _, v := range l.versions {
		v.Decoder.With(o.book)
	}
	return l
}

// rejects are the classes of a dataset's open rejects by offset.
func (l *ledger) rejects() map[int64]string {
	l.t.Helper()
	list, _, err := l.lib.Rejects(l.t.Context(), library.RejectFilter{Dataset: l.dataset.Code, State: library.RejectOpen}, "", 500)
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[int64]string{}
	for _, r := range list {
		out[r.Offset] = r.Class
	}
	return out
}

// exported is the CSV that a receiver downloads.
func (l *ledger) exported() string {
	l.t.Helper()
	var b bytes.Buffer
	_, err := l.lib.Export(l.t.Context(), plan.Plan{View: plan.View{Base: l.dataset.Code}, Items: []plan.Item{{Name: "id", Mask: plan.Clear}, {Name: "name", Mask: plan.Clear}}, OrderByKey: true}, library.CSV, library.ReadOptions{}, &b)
	if err != nil {
		l.t.Fatal(err)
	}
	return b.String()
}

// TestRegistryFormats walks each format from the broker into the library, beside a twin
// that is damaged here and there: what is whole is the same in both.
func TestRegistryFormats(t *testing.T) {
	d := openDesk(t)
	for _, format := range []string{mulu.FormatAvro, mulu.FormatProtobuf, mulu.FormatJSONSchema} {
		t.Run(format, func(t *testing.T) {
			o := openOuter(t)
			id := o.register(t, shapes[format])
			whole, twin := d.formatted(t, format, o), d.formatted(t, format, o)
			want := map[string]string{}
			var good, damaged []string
			bad := map[int64]string{}
			for i := range 30 {
				key, name := fmt.Sprintf("k%02d", i), fmt.Sprintf("%s%d", rare, i)
				v := string(written(t, format, id, key, name, i))
				good = append(good, v)
				switch i {
				case 3:
					v, bad[3] = "\x01"+v[1:], ingest.ClassSchema
				case 7:
					v, bad[7] = v[:len(v)-3], ingest.ClassDecode
				case 11:
					v, bad[11] = string(written(t, format, 77, key, name, i)), ingest.ClassSchema
				case 13:
					v, bad[13] = string(written(t, format, id, key, "", i)), "rule"
				case 17:
					v, bad[17] = strings.Replace(v, "𬭊", "\xd5\xc5\xc8\xfd", 1), ingest.ClassEncoding
				default:
					want[key] = name
				}
				damaged = append(damaged, v)
			}
			whole.produce(true, good...)
			whole.drain()
			twin.produce(true, damaged...)
			twin.drain()
			twin.sees("the twin's", want)
			for i, key := range []string{"k03", "k07", "k11", "k13", "k17"} {
				want[key] = fmt.Sprintf("%s%d", rare, []int{3, 7, 11, 13, 17}[i])
			}
			whole.sees("the whole one's", want)
			if got := twin.rejects(); !maps.Equal(got, bad) {
				t.Errorf("rejects %v, want %v", got, bad)
			}
			if csv := whole.exported(); !strings.Contains(csv, rare+"29") {
				t.Errorf("the export lacks %s:\n%s", rare, csv)
			}
			whole.even("whole")
			// The registry is not needed any more, and what it knows now changes nothing.
			for range 76 {
				o.register(t, formats.Schema{Type: shapes[format].Type, Text: map[string]string{
					formats.Avro:       fmt.Sprintf(`{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":%d}]}`, len(o.subjects(t))),
					formats.Protobuf:   fmt.Sprintf("syntax = \"proto3\"; message R { int32 f%d = 1; }", len(o.subjects(t))),
					formats.JSONSchema: fmt.Sprintf(`{"type":"object","title":"%d"}`, len(o.subjects(t))),
				}[shapes[format].Type]})
			}
			o.down.Store(true)
			twin.even("the twin, its registry gone")
			o.down.Store(false)
			// A person writes JSON in place of what was damaged.
			values := map[library.Place]string{}
			for at := range bad {
				values[library.Place{Offset: at}] = fmt.Sprintf(`{"id":"k%02d","name":"%s%d","n":%d}`, at, rare, at, at)
			}
			twin.replay(values)
			twin.sees("mended, the twin's", want)
			twin.even("mended")
		})
	}
	t.Run("a registry that is away holds the partition and loses nothing", func(t *testing.T) { testAway(t, d) })
	t.Run("gb18030", func(t *testing.T) { testGB18030(t, d) })
}

// subjects keep the schemas of a loop apart.
func (o *outer) subjects(t *testing.T) []registry.Version {
	t.Helper()
	if err := o.desk.SetLevel(t.Context(), "", registry.None); err != nil {
		t.Fatal(err)
	}
	list, err := o.desk.Versions(t.Context(), "t-value", true)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func testAway(t *testing.T, d *desk) {
	o := openOuter(t)
	id := o.register(t, shapes[mulu.FormatAvro])
	l := d.formatted(t, mulu.FormatAvro, o)
	o.down.Store(true)
	l.produce(true, string(written(t, mulu.FormatAvro, id, "a", "甲", 1)), "damaged", string(written(t, mulu.FormatAvro, id, "b", "乙", 2)))
	said := l.waits()
	if !strings.Contains(said, "连不上模式登记处") || !strings.Contains(said, "数据不会丢失") {
		t.Errorf("the partition says %q", said)
	}
	if got := l.rejects(); len(got) > 0 {
		t.Errorf("rejects %v", got)
	}
	o.down.Store(false)
	l.drain()
	l.sees("the registry back,", map[string]string{"a": "甲", "b": "乙"})
	if got := l.rejects(); !maps.Equal(got, map[int64]string{1: ingest.ClassSchema}) {
		t.Errorf("rejects %v", got)
	}
	l.even("the registry back")
}

// waits runs the way in until the partition says why it does not go on.
func (l *ledger) waits() string {
	l.t.Helper()
	ds := *l.versions[1].Dataset
	s, err := ingest.NewSource(ingest.Options{Seeds: l.seeds, Group: "g-" + ds.Topic, Datasets: []*mulu.Dataset{&ds}, Journal: l.journal, BatchRows: 20, Linger: 50 * time.Millisecond})
	if err != nil {
		l.t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(ctx context.Context, p *ingest.Partition) error {
			lane := pipeline.Lane{Source: p, Journal: l.journal, Library: l.lib, Now: time.Now, Version: l.version}
			return lane.Step(ctx)
		})
	}()
	defer func() { cancel(); <-done }()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if st := s.Status(); len(st) == 1 && st[0].Error != "" {
			if st[0].Position != 0 || st[0].Stopped || st[0].Lag == 0 {
				l.t.Errorf("%+v", st[0])
			}
			return st[0].Error
		}
	}
	l.t.Fatal("the partition says nothing")
	return ""
}

func testGB18030(t *testing.T, d *desk) {
	l := d.shaped(t, func(ds *mulu.Dataset) { ds.Encoding = mulu.EncodingGB18030 })
	encode := func(s string) string {
		out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	l.produce(true, encode(`{"id":"a","name":"`+rare+`","n":1}`), "{\"id\":\"b\",\"name\":\"\xa6\xd9\xfe\x59\",\"n\":2}", "{\"id\":\"c\",\"name\":\"\xff\",\"n\":3}", encode("\ufeff"+`{"id":"d","name":"张","n":4}`))
	l.drain()
	want := map[string]string{"a": rare, "b": "\ufe10\u9fb4", "d": "张"}
	l.sees("of GB 18030", want)
	if csv := l.exported(); !strings.Contains(csv, rare) || !strings.Contains(csv, "\ufe10\u9fb4") {
		t.Errorf("the export lacks characters:\n%s", csv)
	}
	if got := slices.Sorted(maps.Values(l.rejects())); !slices.Equal(got, []string{ingest.ClassEncoding}) {
		t.Errorf("rejects %v", got)
	}
	l.even("GB 18030")
	l.replay(map[library.Place]string{{Offset: 2}: `{"id":"c","name":"` + rare + `","n":3}`}) // in UTF-8, as a console sends
	want["c"] = rare
	l.sees("mended", want)
	l.even("mended")
}
