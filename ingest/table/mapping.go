package table

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/submit"
	"mulu/ingest/text"
)

// plan says how a table's rows become records of a dataset.
type plan struct {
	ds     *mulu.Dataset
	fields []Field // that are selected
	source []int   // by column of the dataset: its field, -1 for none
	key    []int   // fields of the dataset's key, in its order
	column int     // field of the increment, -1 for none
	batch  int     // field that names the batch, -1 for none
	root   *member

	mapped  map[string]string // source name → column, for the report
	ignored []string
}

// member is an object of a record, or a column's place in it.
type member struct {
	name  string
	col   int // -1 for an object
	inner []*member
}

// planOf matches a table to a dataset: by the way's map, then by name, then by title.
// Every fault is found before anything is read.
func planOf(ds *mulu.Dataset, w *mulu.Way, all []Field) (*plan, []string) {
	p := &plan{ds: ds, column: -1, batch: -1, mapped: map[string]string{}, source: make([]int, len(ds.Columns)), root: &member{col: -1}}
	var faults []string
	bad := func(format string, a ...any) { faults = append(faults, fmt.Sprintf(format, a...)) }
	from := make([]int, len(ds.Columns)) // field of the table
	for i := range from {
		from[i] = -1
	}
	mapOf := map[int]string{}
	for name, column := range w.Map {
		if f := match(all, name); f >= 0 {
			mapOf[f] = column
		} else {
			bad("map 中的 %q 不在表 %s 中；表有：%s", name, w.Table, list(all))
		}
	}
	slices.Sort(faults)
	for f := range all {
		c := p.find(all[f].Name, mapOf[f])
		if c >= 0 && from[c] >= 0 {
			bad("列 %q 和 %q 都对应字段“%s”，请用 map 说明用哪一列，另一列用视图去掉", all[from[c]].Name, all[f].Name, ds.Columns[c].Title)
		} else if c >= 0 {
			from[c] = f
		} else {
			p.ignored = append(p.ignored, all[f].Name)
		}
	}
	for c := range ds.Columns {
		col := &ds.Columns[c]
		p.source[c] = -1
		switch {
		case from[c] >= 0:
			p.source[c] = p.add(all[from[c]])
			p.mapped[all[from[c]].Name] = col.Name
		case slices.Contains(ds.Key, col.Name):
			bad("表 %s 没有主键字段“%s”（%s）的列；表有：%s", w.Table, col.Title, col.Name, list(all))
		case col.Required:
			bad("表 %s 没有必填字段“%s”（%s）的列；表有：%s", w.Table, col.Title, col.Name, list(all))
		}
		p.place(c)
	}
	for _, k := range ds.Key {
		p.key = append(p.key, p.source[ds.Column(k)])
	}
	for _, x := range []struct {
		name, what string
		to         *int
	}{{w.Column, "column（增量列）", &p.column}, {w.Batch, "batch（批次号列）", &p.batch}} {
		if x.name == "" {
			continue
		}
		if f := match(all, x.name); f >= 0 {
			*x.to = p.add(all[f])
		} else {
			bad("%s %q 不在表 %s 中；表有：%s", x.what, x.name, w.Table, list(all))
		}
	}
	return p, faults
}

func list(fields []Field) string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return strings.Join(out, "、")
}

// find gives the column that a field is for, -1 for none.
func (p *plan) find(name, mapped string) int {
	if mapped != "" {
		return p.ds.Column(mapped)
	}
	cols := p.ds.Columns
	if c := slices.IndexFunc(cols, func(c mulu.Column) bool { return strings.EqualFold(c.Name, name) }); c >= 0 {
		return c
	}
	return slices.IndexFunc(cols, func(c mulu.Column) bool { return c.Title == name })
}

// add selects a field, once.
func (p *plan) add(f Field) int {
	for i := range p.fields {
		if p.fields[i].Name == f.Name {
			return i
		}
	}
	p.fields = append(p.fields, f)
	return len(p.fields) - 1
}

// place puts a column where a record has it.
func (p *plan) place(c int) {
	path := p.ds.Columns[c].Path
	if path == "" {
		path = p.ds.Columns[c].Name
	}
	at := p.root
	parts := strings.Split(path, ".")
	for _, name := range parts[:len(parts)-1] {
		i := slices.IndexFunc(at.inner, func(m *member) bool { return m.name == name })
		if i < 0 {
			i = len(at.inner)
			at.inner = append(at.inner, &member{name: name, col: -1})
		}
		at = at.inner[i]
	}
	at.inner = append(at.inner, &member{name: parts[len(parts)-1], col: c})
}

func (p *plan) keyFields() []Field {
	out := make([]Field, len(p.key))
	for i, f := range p.key {
		out[i] = p.fields[f]
	}
	return out
}

// item is one row on its way.
type item struct {
	place  string // where it stands in the source's order, as text
	at     []Value
	row    submit.Row
	id     string // by which it is known again
	digest string
	mark   int64
}

// item makes a record of a row.
func (p *plan) item(row []Value) *item {
	it := &item{}
	if p.column >= 0 {
		it.at = append(it.at, row[p.column])
		it.mark, _, _ = row[p.column].order()
	}
	keyed := true
	var texts []string
	for i, f := range p.key {
		it.at = append(it.at, row[f])
		keyed = keyed && row[f].Kind != Null
		texts = append(texts, row[f].plain(&p.ds.Columns[p.ds.Column(p.ds.Key[i])]))
	}
	it.place = written(it.at)
	value, note := p.object(make([]byte, 0, 256), p.root, func(c int) (Value, bool) {
		if p.source[c] < 0 {
			return Value{}, false
		}
		return row[p.source[c]], true
	})
	if keyed && (note == nil || !slices.Contains(p.ds.Key, note.Field)) {
		it.row.Key = submit.Key(texts...)
	}
	it.row.Value, it.row.Note = value, note
	it.digest = digest(value)
	switch {
	case it.row.Key == nil:
		it.id = idOfNone + it.digest
	case p.column >= 0:
		it.id = written(append([]string{row[p.column].Text}, texts...))
	default:
		it.id = written(texts)
	}
	p.shorten(it)
	return it
}

// idOfNone begins the id of a row that has no key: it is known by its content alone.
const idOfNone = "none:"

// shorten makes a row that no topic takes a reject that says so.
func (p *plan) shorten(it *item) {
	if n := len(it.row.Key) + len(it.row.Value); n > submit.MaxRow {
		reason := fmt.Sprintf("这一行长 %d 字节，超过上限 %d 字节；请不要报送大字段", n, submit.MaxRow)
		it.row.Value = append(text.AppendJSON([]byte(`{"oversize":`), fmt.Sprintf("%.300q", it.row.Key)), '}')
		it.row.Note = &mulu.Note{Class: ingest.ClassOversize, Reason: reason}
		if len(it.row.Key) > 1<<10 {
			it.row.Key, it.id = nil, idOfNone+it.digest
		}
	}
}

// object writes one object of a record. value says what a column has, ok false leaves it
// out. The first note stands for the row.
func (p *plan) object(dst []byte, m *member, value func(c int) (Value, bool)) (_ []byte, note *mulu.Note) {
	dst = append(dst, '{')
	first := true
	for _, in := range m.inner {
		var v Value
		if in.col >= 0 {
			var ok bool
			if v, ok = value(in.col); !ok {
				continue
			}
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(text.AppendJSON(dst, in.name), ':')
		var n *mulu.Note
		if in.col < 0 {
			dst, n = p.object(dst, in, value)
		} else {
			dst, n = v.appendJSON(dst, &p.ds.Columns[in.col])
		}
		if note == nil {
			note = n
		}
	}
	return append(dst, '}'), note
}

// deletion is the record that deletes what id names.
func (p *plan) deletion(id string) (submit.Row, error) {
	var texts []string
	if err := json.Unmarshal([]byte(id), &texts); err != nil || len(texts) != len(p.ds.Key) {
		return submit.Row{}, fmt.Errorf("read id of a known row %q: %w", id, mulu.ErrInvalid)
	}
	value, _ := p.object(nil, p.root, func(c int) (Value, bool) {
		k := slices.Index(p.ds.Key, p.ds.Columns[c].Name)
		if k < 0 {
			return Value{}, false
		}
		return Value{Text, texts[k]}, true
	})
	return submit.Row{Key: submit.Key(texts...), Value: value, Note: &mulu.Note{Delete: true}}, nil
}

// written puts something down in one way.
func written(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and values alone
	}
	return string(b)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawStdEncoding.EncodeToString(sum[:16])
}
