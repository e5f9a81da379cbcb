package ingest_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"
	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/registry"
	"mulu/ingest/wire"
	"mulu/internal/store"
)

// schemas is an embedded registry with what tests register.
type schemas struct {
	*registry.Book
	desk *registry.Desk
	text map[uint32]wire.Schema
}

func openSchemas(t testing.TB) *schemas {
	t.Helper()
	_, db := openJournal(t)
	return schemasOn(t, db)
}

func schemasOn(t testing.TB, db *store.DB) *schemas {
	t.Helper()
	b, err := registry.NewBook(db, registry.Outer{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &schemas{Book: b, desk: registry.NewDesk(db, time.Now), text: map[uint32]wire.Schema{}}
}

func (s *schemas) register(t testing.TB, subject, typ, text string) uint32 {
	t.Helper()
	if err := s.desk.SetLevel(t.Context(), "", registry.None); err != nil {
		t.Fatal(err)
	}
	v, err := s.desk.Register(t.Context(), "test", subject, registry.Schema{Type: typ, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	id := uint32(v.ID) //nolint:gosec // few
	s.text[id] = wire.Schema{Type: typ, Text: text}
	return id
}

// write makes a record of JSON with the libraries' own encoders, as a producer does.
func (s *schemas) write(t testing.TB, id uint32, text string) []byte {
	t.Helper()
	head := binary.BigEndian.AppendUint32([]byte{0}, id)
	switch schema := s.text[id]; schema.Type {
	case wire.Avro:
		parsed := avro.MustParse(schema.Text)
		var v any
		if err := parsed.DecodeJSON([]byte(text), &v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out, err := parsed.AppendEncode(head, v)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return out
	case wire.Protobuf:
		file, err := wire.CompileProto(schema)
		if err != nil {
			t.Fatal(err)
		}
		m := dynamicpb.NewMessage(file.Messages().Get(0))
		if err := protojson.Unmarshal([]byte(text), m); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return append(append(head, 0), body...)
	}
	return append(head, text...)
}

// within is person with name and born inside an object.
func within(format string) *mulu.Dataset {
	d := person(format, "")
	d.Columns[1].Path, d.Columns[3].Path = "who.name", "who.born"
	return d
}

// message reads one line of a golden file: an id and the JSON that is written with its
// schema, "hex" and bytes, or plain text.
func (s *schemas) message(t *testing.T, text string) []byte {
	t.Helper()
	first, rest, _ := strings.Cut(text, " ")
	if n, err := strconv.Atoi(first); err == nil {
		return s.write(t, uint32(n), rest) //nolint:gosec // few
	}
	switch first {
	case "∅":
		return nil
	case "hex":
		b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return []byte(text)
}

// TestRegistered reads records as serialisers write them: schemas, then messages, then
// what became of them.
func TestRegistered(t *testing.T) {
	files, err := filepath.Glob("testdata/registered/*.txtar")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := openSchemas(t)
			format := strings.TrimSpace(strings.TrimPrefix(strings.Split(string(ar.Comment), "\n")[1], "format:"))
			b := batchOf()
			want := ""
			keep := 0
			for i, f := range ar.Files {
				switch {
				case strings.HasPrefix(f.Name, "schema "):
					s.register(t, f.Name, strings.TrimPrefix(f.Name, "schema "), string(f.Data))
				case f.Name == "messages":
					keep = i + 1
					for line := range strings.Lines(string(f.Data)) {
						if line = strings.TrimSuffix(line, "\n"); line == "" || line[0] == '#' {
							continue
						}
						key, value, ok := strings.Cut(line, " ⇒ ")
						if !ok {
							key, value = "", line
						}
						b.Records = append(b.Records, mulu.Record{Offset: 100 + int64(len(b.Records)), Key: s.message(t, key), Value: s.message(t, value), Time: time.Unix(1_700_000_000, 0)})
					}
				case f.Name == "want":
					want = string(f.Data)
				}
			}
			b.Plan.First, b.Plan.Last = 100, 100+int64(len(b.Records))-1
			dec := decoder(t, within(format)).With(s)
			d, err := dec.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Release()
			got := show(t, d) + fmt.Sprintf("unknown %v normalised %v\n", d.Unknown, d.Normalised)
			if *update {
				ar.Files = append(ar.Files[:keep], txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for _, r := range d.Rejects {
				if !bytes.Equal(r.Value, b.Records[r.Offset-100].Value) {
					t.Errorf("reject @%d does not keep its bytes", r.Offset)
				}
			}
			again, err := decoder(t, within(format)).With(s).Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Release()
			if show(t, again) != strings.TrimSuffix(got, fmt.Sprintf("unknown %v normalised %v\n", d.Unknown, d.Normalised)) {
				t.Error("decoded again, the batch differs")
			}
		})
	}
}

const oneID = `{"type":"record","name":"R","fields":[{"name":"id","type":"string"}]}`

// TestUnknownSchemaStays: what was judged without a schema stays a reject when the
// batch is read again, and enters when a person replays it.
func TestUnknownSchemaStays(t *testing.T) {
	s := openSchemas(t)
	ds := small("d", "d")
	ds.Format = mulu.FormatAvro
	dec := decoder(t, ds).With(s)
	s.text[1] = wire.Schema{Type: wire.Avro, Text: oneID}
	v := string(s.write(t, 1, `{"id":"x"}`))
	count := func(b *ingest.Batch) (good, rejected int) {
		t.Helper()
		d, err := dec.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Release()
		if !b.Mended {
			if err := dec.Note(b, d); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range d.Rejects {
			if r.Class != ingest.ClassSchema || !strings.Contains(r.Reason, "没有编号为 1 的模式") {
				t.Errorf("reject %+v", r)
			}
		}
		return len(d.Offsets), len(d.Rejects)
	}
	b := batchOf(v, v)
	b.Plan.Last = b.Plan.First + 1
	if good, rejected := count(b); good != 0 || rejected != 2 {
		t.Fatalf("before: %d good, %d rejected", good, rejected)
	}
	s.register(t, "d-value", wire.Avro, oneID)
	if good, rejected := count(b); good != 0 || rejected != 2 {
		t.Errorf("read again: %d good, %d rejected", good, rejected)
	}
	longer := batchOf(v, v, v)
	longer.Plan.Last = longer.Plan.First + 2
	if good, rejected := count(longer); good != 1 || rejected != 2 {
		t.Errorf("planned anew with one more: %d good, %d rejected", good, rejected)
	}
	b.Mended = true
	if good, rejected := count(b); good != 2 || rejected != 0 {
		t.Errorf("replayed: %d good, %d rejected", good, rejected)
	}
}

// TestUnknownSchemaHeld: a batch that a person holds back is not planned and not noted:
// when the schema is registered meanwhile, its records are read.
func TestUnknownSchemaHeld(t *testing.T) {
	s := openSchemas(t)
	ds := small("d", "d")
	ds.Format = mulu.FormatAvro
	dec := decoder(t, ds).With(s)
	s.text[1] = wire.Schema{Type: wire.Avro, Text: oneID}
	b := batchOf(string(s.write(t, 1, `{"id":"x"}`)))
	for _, want := range []int{0, 1} {
		d, err := dec.Decode(b)
		if err != nil || len(d.Offsets) != want {
			t.Fatalf("%d rows, %v; want %d", len(d.Offsets), err, want)
		}
		d.Release()
		if want == 0 {
			s.register(t, "d-value", wire.Avro, oneID)
		}
	}
}

// away is a registry that does not answer.
type away struct{ *schemas }

func (away) Form(uint32) (*wire.Form, error) {
	return nil, fmt.Errorf("连不上模式登记处: %w", mulu.ErrBusy)
}

// TestRegistryAway: a registry that does not answer is no reject; the batch waits.
func TestRegistryAway(t *testing.T) {
	s := openSchemas(t)
	ds := small("d", "d")
	ds.Format = mulu.FormatAvro
	id := s.register(t, "d-value", wire.Avro, oneID)
	b := batchOf(string(s.write(t, id, `{"id":"x"}`)), "no record")
	if _, err := decoder(t, ds).With(away{s}).Decode(b); !errors.Is(err, mulu.ErrBusy) || !strings.Contains(err.Error(), "连不上") {
		t.Fatalf("%v", err)
	}
	dec := decoder(t, ds).With(s)
	d, err := dec.Decode(b)
	if err != nil || len(d.Offsets) != 1 || len(d.Rejects) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	d.Release()
	if _, err := decoder(t, ds).Decode(b); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("without a registry: %v", err)
	}
}

// TestTyped: a person mends a record of a registry's format as JSON; the source may not
// send it so.
func TestTyped(t *testing.T) {
	s := openSchemas(t)
	for _, format := range []string{mulu.FormatAvro, mulu.FormatProtobuf, mulu.FormatJSONSchema} {
		ds := small("d", "d")
		ds.Format = format
		b := batchOf(`{"id":"x"}`, `{"id":"x"}`)
		b.Records[1].Edited = true
		d, err := decoder(t, ds).With(s).Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Offsets) != 1 || d.Offsets[0] != b.Records[1].Offset || len(d.Rejects) != 1 || !strings.Contains(d.Rejects[0].Reason, "format: json") {
			t.Errorf("%s: rows %v, rejects %+v", format, d.Offsets, d.Rejects)
		}
		d.Release()
	}
}

func FuzzDecodeRegistered(f *testing.F) {
	s := openSchemas(f)
	var decs []*ingest.Decoder
	for _, c := range []struct{ format, typ, text string }{
		{mulu.FormatAvro, wire.Avro, avroPerson}, {mulu.FormatProtobuf, wire.Protobuf, protoPerson}, {mulu.FormatJSONSchema, wire.JSONSchema, `{"type":"object","properties":{"id":{"type":"integer"}}}`},
	} {
		decs = append(decs, decoder(f, within(c.format)).With(s))
		id := s.register(f, c.format, c.typ, c.text)
		f.Add(s.write(f, id, fuzzRow[c.format]))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		b := batchOf(string(v))
		b.Records = append(b.Records, mulu.Record{Offset: b.Plan.First + 1, Key: v})
		b.Plan.Last = b.Plan.First + 1
		for _, dec := range decs {
			d, err := dec.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Offsets)+len(d.Rejects) != 2 || int(d.Record.NumRows()) != len(d.Offsets) {
				t.Errorf("%d rows, %d rejects", len(d.Offsets), len(d.Rejects))
			}
			d.Release()
		}
	})
}

const avroPerson = `{"type":"record","name":"Person","fields":[{"name":"id","type":"long"},
 {"name":"who","type":["null",{"type":"record","name":"Who","fields":[{"name":"name","type":["null","string"]},{"name":"born","type":["null",{"type":"int","logicalType":"date"}]},{"name":"nick","type":["null","string"],"default":null}]}]},
 {"name":"amount","type":["null",{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}]},
 {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},{"name":"ok","type":["null","boolean"]},
 {"name":"note","type":["null",{"type":"enum","name":"Note","symbols":["A","B"]}]},{"name":"tags","type":{"type":"array","items":"string"},"default":[]}]}`

const protoPerson = `syntax = "proto3"; package sh.pt;
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "google/type/date.proto"; import "confluent/type/decimal.proto";
message Person {
  message Who { string name = 1; google.type.Date born = 2; optional string nick = 3; }
  enum Note { UNSET = 0; FILED = 1; }
  int64 id = 1; Who who = 2; confluent.type.Decimal amount = 3; google.protobuf.Timestamp at = 4; google.protobuf.BoolValue ok = 5; Note note = 6; repeated string tags = 7;
}`

var fuzzRow = map[string]string{
	mulu.FormatAvro:       `{"id":1,"who":{"Who":{"name":{"string":"张三"},"born":null,"nick":null}},"amount":null,"at":{"long":1700000000000},"ok":null,"note":null,"tags":[]}`,
	mulu.FormatProtobuf:   `{"id":"1","who":{"name":"张三"},"at":"2024-01-01T00:00:00Z","note":"FILED"}`,
	mulu.FormatJSONSchema: `{"id":1,"who":{"name":"张三"}}`,
}

func TestReadable(t *testing.T) {
	s := openSchemas(t)
	id := s.register(t, "d-value", wire.Avro, oneID)
	whole := s.write(t, id, `{"id":"张三"}`)
	avro := &mulu.Dataset{Format: mulu.FormatAvro}
	for _, c := range []struct {
		dataset *mulu.Dataset
		value   []byte
		want    string
		ok      bool
	}{
		{avro, whole, `{"id":"张三"}`, true},
		{avro, whole[:len(whole)-1], "{}", true},
		{avro, []byte("\x00\x00\x00\x00\x63"), "{}", true},
		{avro, []byte(`{"id":"x"}`), `{"id":"x"}`, true},
		{avro, nil, "{}", true},
		{texts("csv", "gb18030"), []byte("\xd5\xc5\xc8\xfd,1"), "张三,1", true},
		{texts("csv", "gb18030"), []byte("\xd5"), "", false},
		{texts("json", ""), []byte("x"), "", false},
	} {
		if got, ok := ingest.Readable(c.dataset, s, c.value); got != c.want || ok != c.ok {
			t.Errorf("%q of %s: %q, %v", c.value, c.dataset.Format, got, ok)
		}
	}
}
