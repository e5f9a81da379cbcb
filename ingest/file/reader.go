package file

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mulu"
	"mulu/ingest/submit"
)

// maxValue bounds what a row becomes: below submit.MaxRow with room for the key.
const maxValue = submit.MaxRow - 64<<10

// clipped is how much of a cell is sent of a row that is too long.
const clipped = 1000

// Reader reads the rows of a file. It is for one goroutine.
type Reader struct {
	o         Options
	ds        *mulu.Dataset
	layout    Layout
	src       source
	closers   []io.Closer
	since1904 bool
	targets   []target
	rec       *recorder
	ahead     []line // rows below the headings that were looked at already
	tally     Tally

	values []value
	size   int // of the last row, a guess at the next
}

// Layout is what is known before the rows are read.
func (r *Reader) Layout() Layout { return r.layout }

// Tally counts what Next has read so far.
func (r *Reader) Tally() Tally { return r.tally }

// Close lets go of the file.
func (r *Reader) Close() error {
	var faults []error
	if r.src != nil {
		faults = append(faults, r.src.close())
	}
	for _, c := range r.closers {
		faults = append(faults, c.Close())
	}
	r.src, r.closers = nil, nil
	return errors.Join(faults...)
}

// Next reads the next row that is not blank. io.EOF: there is none. Another error says
// that the file can not be read on from here.
func (r *Reader) Next() (Row, error) {
	for {
		l, err := r.line()
		if err != nil {
			return Row{}, err
		}
		if l.blank() {
			r.tally.Blank++
			continue
		}
		row := r.row(l)
		r.tally.Rows++
		if l.hidden {
			r.tally.Hidden++
		}
		if len(row.Faults) > 0 {
			r.tally.Damaged++
		}
		for i := range row.Faults {
			r.tally.ByClass[row.Faults[i].Class]++
		}
		return row, nil
	}
}

// line is the next row below the headings.
func (r *Reader) line() (*line, error) {
	if len(r.ahead) > 0 {
		l := &r.ahead[0]
		r.ahead = r.ahead[1:]
		return l, nil
	}
	if r.src == nil {
		return nil, io.EOF
	}
	return r.src.next()
}

// row makes a row of a line.
func (r *Reader) row(l *line) Row {
	row := Row{Number: l.number, Cells: make([]string, len(r.layout.Columns))}
	for i := range row.Cells {
		c := l.at(i)
		row.Cells[i] = r.shown(c)
		if c.formula {
			r.tally.Formulas++
		}
	}
	if l.fault != nil {
		f := *l.fault
		f.Sheet, f.Row = r.layout.Sheet, l.number
		row.Faults = []Fault{f}
		row.Note = &mulu.Note{Class: f.Class, Reason: f.Reason}
		row.Value = r.rec.whole(clip(l.raw, 100_000))
		return row
	}
	for i := range r.targets {
		t := &r.targets[i]
		v := r.convert(t, l.at(t.at))
		r.values[i] = v
		if v.normalised {
			r.tally.Normalised[t.column.Name]++
		}
		if v.class != "" {
			row.Faults = append(row.Faults, r.fault(l.number, t, v))
		}
	}
	row.Key = r.key()
	row.Value = r.rec.write(make([]byte, 0, r.size+r.size/8+64), r.values)
	if r.size = len(row.Value); r.size > maxValue {
		r.tooLong(&row)
	}
	// A fault that the decoder finds for itself is told, and left to it.
	slices.SortStableFunc(row.Faults, func(a, b Fault) int { return told(a.Class) - told(b.Class) })
	if len(row.Faults) > 0 && told(row.Faults[0].Class) == 0 {
		f := row.Faults[0]
		row.Note = &mulu.Note{Class: f.Class, Field: f.Field, Reason: f.Reason}
	}
	return row
}

// told says whether a fault is one that decoding finds, too: no note is needed.
func told(class string) int {
	if class == ClassValue || class == ClassEmpty {
		return 1
	}
	return 0
}

func (r *Reader) fault(row int, t *target, v value) Fault {
	h := r.layout.Columns[t.at].Heading
	return Fault{Sheet: r.layout.Sheet, Row: row, Column: t.at + 1, Cell: fmt.Sprintf("%s%d", columnName(t.at+1), row), Heading: h,
		Class: v.class, Field: t.column.Name, Reason: fmt.Sprintf("%s（%s%d）%s", oneLine(t.column.Title), columnName(t.at+1), row, v.reason)}
}

// key is the row's key, nil if a part of it is missing.
func (r *Reader) key() []byte {
	parts := make([]string, len(r.ds.Key))
	for i, name := range r.ds.Key {
		found := false
		for j := range r.targets {
			if v := &r.values[j]; r.targets[j].column.Name == name && v.how != asNull && v.text != "" {
				parts[i], found = clip(v.text, clipped), true
			}
		}
		if !found {
			return nil
		}
	}
	return submit.Key(parts...)
}

// tooLong makes a row that no broker takes one that it takes, as a reject.
func (r *Reader) tooLong(row *Row) {
	for i := range r.values {
		r.values[i].text = clip(r.values[i].text, clipped)
	}
	row.Faults = append([]Fault{{Sheet: r.layout.Sheet, Row: row.Number, Class: ClassLong,
		Reason: fmt.Sprintf("第 %d 行长 %d 字节，超过上限 %d 字节，请去掉大字段或缩短内容后重导", row.Number, len(row.Value), maxValue)}}, row.Faults...)
	row.Value = r.rec.write(nil, r.values)
	if len(row.Value) > maxValue { // very many columns
		row.Value = r.rec.whole(fmt.Sprintf("第 %d 行", row.Number))
	}
	r.size = 0
}

// describe fills the layout from the headings and the rows that were looked at.
func (r *Reader) describe(m *matcher, h *head, rows []line) {
	l := &r.layout
	l.Header, l.Levels = h.row, h.levels
	r.ahead = rows[h.first+h.levels:]
	if len(r.ahead) > 0 && m.namesRow(h, &r.ahead[0]) {
		r.ahead = r.ahead[1:]
		l.Levels++
	}
	ignored := 0
	for i, it := range h.headings {
		c := Column{Heading: it.text, By: it.by, Samples: r.samples(i)}
		if it.column >= 0 {
			c.Column = r.ds.Columns[it.column].Name
			r.targets = append(r.targets, newTarget(r.ds, i, it.column))
		} else if it.text == "" && len(c.Samples) > 0 {
			c.Heading = fmt.Sprintf("（%s 列，无标题）", columnName(i+1))
		}
		if c.By == ByNone && len(c.Samples) > 0 {
			ignored++
		}
		l.Columns = append(l.Columns, c)
	}
	l.Notes = append(l.Notes, m.idle(h)...)
	if ignored > 0 {
		l.Notes = append(l.Notes, fmt.Sprintf("有 %d 列没有对应的字段，不会导入", ignored))
	}
	r.values = make([]value, len(r.targets))
	r.rec = newRecorder(r.ds, r.targets)
}

// samples are a few different values of a column.
func (r *Reader) samples(at int) []string {
	var out []string
	for i := range r.ahead {
		if r.ahead[i].fault != nil {
			continue
		}
		if s := clip(trim(r.shown(r.ahead[i].at(at))), 60); s != "" && !slices.Contains(out, s) {
			if out = append(out, s); len(out) == 3 {
				break
			}
		}
	}
	return out
}

// refuse says what stands against sending the file.
func (r *Reader) refuse(m *matcher, h *head) {
	var why []string
	if r.ds.Changes() {
		why = append(why, "该数据集由数据库变更日志报送，不收文件")
	}
	why = append(why, m.wrong()...)
	var shown []string
	r.layout.Missing, shown = h.missing(r.ds)
	switch {
	case h == nil && r.o.Header > 0:
		why = append(why, fmt.Sprintf("第 %d 行没有内容，不能作为表头行", r.o.Header))
	case h == nil:
		why = append(why, "文件里没有内容")
	case h.matched == 0:
		why = append(why, "没有找到表头行：前 30 行里没有一格与字段名或中文标题相符；请使用模板，或指明表头行和列的对应关系")
	default:
		why = append(why, h.refusal...)
		if len(shown) > 0 {
			why = append(why, "缺少必填的列："+strings.Join(shown, "、"))
		}
	}
	r.layout.Refusal = strings.Join(why, "；")
}
