// Package rawfile reads the rows of a local file as they are written, for whoever wants
// to find out what they are: CSV and JSON lines as texts, in whatever encoding, Parquet
// with its own types. Nothing is declared beforehand.
package rawfile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"mulu"
	"mulu/ingest/text"
)

// batchRows is how many rows a batch has.
const batchRows = 8192

// longestLine bounds one line of JSON.
const longestLine = 16 << 20

// File is an open file.
type File struct {
	Names []string // of the columns
	// Unread counts records that could not be read; they are left out.
	Unread int64
	each   func(f *File, put func(arrow.RecordBatch) error) error
}

// Each hands over all rows in batches, which are released when put returns.
func (f *File) Each(put func(arrow.RecordBatch) error) error { return f.each(f, put) }

// formats by the ending of a file's name.
var formats = map[string]func(path string) (*File, error){
	".csv": func(p string) (*File, error) { return openCSV(p, ',') }, ".tsv": func(p string) (*File, error) { return openCSV(p, '\t') },
	".jsonl": openJSON, ".ndjson": openJSON, ".json": openJSON, ".parquet": openParquet,
}

// Is says whether a name is that of a file this package reads.
func Is(name string) bool { return formats[strings.ToLower(filepath.Ext(name))] != nil }

// Open finds out what columns a file has.
func Open(path string) (*File, error) {
	open := formats[strings.ToLower(filepath.Ext(path))]
	if open == nil {
		return nil, fmt.Errorf("不认识文件 %s 的格式；可用 .csv、.tsv、.jsonl、.ndjson、.parquet / unknown format: %w", filepath.Base(path), mulu.ErrInvalid)
	}
	f, err := open(path)
	if err == nil && len(f.Names) == 0 {
		err = fmt.Errorf("没有数据项 / no columns: %w", mulu.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("读取文件 %s / read file: %w", filepath.Base(path), err)
	}
	return f, nil
}

// reading opens a file as UTF-8, whatever its encoding is.
func reading(path string) (io.Reader, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	found, err := text.Detect(f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	var r io.Reader
	if err == nil {
		r, err = text.Reader(f, found.Encoding)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return bufio.NewReaderSize(r, 1<<18), f, nil
}

func openCSV(path string, comma rune) (*File, error) {
	open := func() (*csv.Reader, io.Closer, error) {
		r, c, err := reading(path)
		if err != nil {
			return nil, nil, err
		}
		in := csv.NewReader(r)
		in.Comma, in.LazyQuotes, in.FieldsPerRecord, in.ReuseRecord = comma, true, -1, true
		return in, c, nil
	}
	in, c, err := open()
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // read only
	head, err := in.Read()
	if err != nil {
		return nil, err
	}
	f := &File{}
	for _, h := range head {
		f.Names = append(f.Names, strings.Clone(strings.TrimSpace(h)))
	}
	f.each = func(f *File, put func(arrow.RecordBatch) error) error {
		in, c, err := open()
		if err != nil {
			return err
		}
		defer c.Close() //nolint:errcheck // read only
		b := newBatch(f.Names, put)
		defer b.rows.Release()
		for first := true; ; first = false {
			rec, err := in.Read()
			switch {
			case errors.Is(err, io.EOF):
				return b.flush()
			case err != nil || !first && len(rec) > len(f.Names):
				f.Unread++
				continue
			case first:
				continue
			}
			if err := b.row(func(i int) (string, bool) { return at(rec, i), i < len(rec) }); err != nil {
				return err
			}
		}
	}
	return f, nil
}

func at(rec []string, i int) string {
	if i < len(rec) {
		return rec[i]
	}
	return ""
}

func openJSON(path string) (*File, error) {
	f, seen := &File{}, map[string]int{}
	lines := func(each func(map[string]*string, []string)) error {
		r, c, err := reading(path)
		if err != nil {
			return err
		}
		defer c.Close() //nolint:errcheck // read only
		s := bufio.NewScanner(r)
		s.Buffer(make([]byte, 1<<16), longestLine)
		for s.Scan() {
			line := bytes.TrimSpace(s.Bytes())
			if len(line) == 0 {
				continue
			}
			each(Object(line))
		}
		return s.Err()
	}
	err := lines(func(_ map[string]*string, names []string) {
		for _, n := range names {
			if _, ok := seen[n]; !ok {
				seen[n] = len(f.Names)
				f.Names = append(f.Names, n)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	f.each = func(f *File, put func(arrow.RecordBatch) error) error {
		b := newBatch(f.Names, put)
		defer b.rows.Release()
		var failed error
		err := lines(func(rec map[string]*string, _ []string) {
			if rec == nil {
				f.Unread++
			} else if failed == nil {
				failed = b.object(rec)
			}
		})
		return errors.Join(failed, err, b.flush())
	}
	return f, nil
}

// Object takes one JSON object apart into texts, nil for null, with its names in order.
// It gives nil for what is no whole object.
func Object(raw []byte) (rec map[string]*string, names []string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil
	}
	rec = map[string]*string{}
	for dec.More() {
		k, err := dec.Token()
		var v json.RawMessage
		if err == nil {
			err = dec.Decode(&v)
		}
		if err != nil {
			return nil, nil
		}
		name := k.(string) // a name of an object is text
		names = append(names, name)
		switch s := string(v); {
		case s == "null":
			rec[name] = nil
		case s[0] == '"':
			var out string
			if json.Unmarshal(v, &out) != nil {
				return nil, nil
			}
			rec[name] = &out
		default:
			rec[name] = &s
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil
	}
	return rec, names
}

// Objects are JSON records as one batch of texts: a column for each name in the order it
// was first seen. What is no whole object is left out.
func Objects(rows [][]byte) (arrow.RecordBatch, error) {
	var names []string
	seen := map[string]bool{}
	var recs []map[string]*string
	for _, raw := range rows {
		rec, of := Object(raw)
		if rec == nil {
			continue
		}
		recs = append(recs, rec)
		for _, n := range of {
			if !seen[n] {
				seen[n], names = true, append(names, n)
			}
		}
	}
	var out arrow.RecordBatch
	b := newBatch(names, func(rec arrow.RecordBatch) error { rec.Retain(); out = rec; return nil })
	defer b.rows.Release()
	b.most = len(rows) + 1
	for _, rec := range recs {
		if err := b.object(rec); err != nil {
			return nil, err
		}
	}
	return out, b.flush()
}

// batch collects rows of texts.
type batch struct {
	names []string
	rows  *array.RecordBuilder
	n     int
	most  int
	put   func(arrow.RecordBatch) error
}

func newBatch(names []string, put func(arrow.RecordBatch) error) *batch {
	fields := make([]arrow.Field, len(names))
	for i, n := range names {
		fields[i] = arrow.Field{Name: n, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	return &batch{names: names, rows: array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil)), most: batchRows, put: put}
}

func (b *batch) object(rec map[string]*string) error {
	return b.row(func(i int) (string, bool) {
		if v := rec[b.names[i]]; v != nil {
			return *v, true
		}
		return "", false
	})
}

func (b *batch) row(value func(i int) (string, bool)) error {
	for i := range b.names {
		if v, ok := value(i); ok {
			b.rows.Field(i).(*array.StringBuilder).Append(v)
		} else {
			b.rows.Field(i).AppendNull()
		}
	}
	if b.n++; b.n < b.most {
		return nil
	}
	return b.flush()
}

func (b *batch) flush() error {
	if b.n == 0 && b.most == batchRows {
		return nil
	}
	b.n = 0
	rec := b.rows.NewRecordBatch()
	defer rec.Release()
	return b.put(rec)
}

func openParquet(path string) (*File, error) {
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // read only
	schema, err := pqarrow.FromParquet(r.MetaData().Schema, nil, r.MetaData().KeyValueMetadata())
	if err != nil {
		return nil, err
	}
	f := &File{}
	for _, x := range schema.Fields() {
		f.Names = append(f.Names, x.Name)
	}
	f.each = func(_ *File, put func(arrow.RecordBatch) error) error {
		r, err := file.OpenParquetFile(path, false)
		if err != nil {
			return err
		}
		defer r.Close() //nolint:errcheck // read only
		in, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.DefaultAllocator)
		if err != nil {
			return err
		}
		recs, err := in.GetRecordReader(context.Background(), nil, nil)
		if err != nil {
			return err
		}
		defer recs.Release()
		for recs.Next() {
			if err := put(recs.RecordBatch()); err != nil {
				return err
			}
		}
		if err := recs.Err(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
	return f, nil
}
