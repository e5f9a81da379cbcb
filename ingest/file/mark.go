package file

import (
	"archive/zip"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/xuri/excelize/v2"

	"mulu"
)

// faultHeading is the heading of the column that says what is wrong with a row.
const faultHeading = "问题说明"

// maxComments bounds the cells that carry a comment: a spreadsheet with more of them
// does not open in good time. All of them are coloured, and every row says its fault.
const maxComments = 2000

// Mark writes the rows of a file, with the headings and what stands above them, as a
// workbook in which the cells with faults are coloured and commented and a column
// 「问题说明」says the first fault of every row. Rows keep their numbers, a line of a CSV
// or a row of a Parquet (one below its headings) becomes the row of that number.
//
// Cells become texts, so that what is mended there stays as it is typed and the file can
// be sent again. Cells that Excel damaged stay what they are, so that one that was
// forgotten is found again. The rows are streamed; faults are not copied.
func Mark(path, name string, o Options, ds *mulu.Dataset, faults []Fault, w io.Writer) error {
	r, err := Open(path, name, ds, o)
	if err != nil {
		return err
	}
	defer r.Close()
	src, merges, err := r.again(path)
	if err != nil {
		return fmt.Errorf("%s：%w", name, err)
	}
	defer src.close()
	x := excelize.NewFile()
	defer x.Close()
	m := marker{r: r, x: x, faults: faults, order: byRow(faults)}
	if err := m.write(src, merges); err != nil {
		return fmt.Errorf("mark %s: %w", name, err)
	}
	x.SetZipWriter(func(io.Writer) excelize.ZipWriter { return straight(w) })
	if err := x.Write(io.Discard); err != nil {
		return fmt.Errorf("mark %s: %w", name, err)
	}
	return nil
}

// straight packs a workbook as it is written, where the library would hold all of it
// in memory first.
func straight(w io.Writer) *zip.Writer {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	return z
}

// again opens the file from its first row.
func (r *Reader) again(path string) (source, []area, error) {
	switch r.layout.Format {
	case CSV:
		src, err := openCSV(path, r.layout.Encoding, byte(r.layout.Delimiter))
		if err == nil && len(r.layout.Columns) > 0 && r.layout.Header > 0 {
			return &fromHeader{src: src, at: r.layout.Header, want: len(r.layout.Columns)}, nil, nil
		}
		return src, nil, err
	case Parquet:
		src, err := openParquet(path)
		return src, nil, err
	}
	old := r.src.(*sheetSource)
	for _, s := range old.w.sheets {
		if s.Name == r.layout.Sheet {
			src, err := old.w.openSheet(s.part, old.merges)
			return src, old.merges, err
		}
	}
	return nil, nil, fmt.Errorf("sheet %s: %w", r.layout.Sheet, mulu.ErrNotFound)
}

// fromHeader wants from the headings on what they have.
type fromHeader struct {
	src      *csvSource
	at, want int
}

func (f *fromHeader) next() (*line, error) {
	if f.src.lineNo > f.at {
		f.src.want = f.want
	}
	return f.src.next()
}

func (f *fromHeader) close() error { return f.src.close() }

// byRow orders faults by their rows, without copying them.
func byRow(faults []Fault) []int32 {
	out := make([]int32, len(faults))
	for i := range out {
		out[i] = int32(i)
	}
	slices.SortStableFunc(out, func(a, b int32) int { return faults[a].Row - faults[b].Row })
	return out
}

// Styles of cells.
const (
	plainText = iota
	headStyle
	badText
	badDate
	badNote
	styleCount
)

type marker struct {
	r      *Reader
	x      *excelize.File
	sw     *excelize.StreamWriter
	faults []Fault
	order  []int32 // of faults, those that are not written yet
	styles [styleCount]int
	noteAt int // column of 问题说明, from 1
	width  int // columns with a heading
	shift  int // of row numbers: a Parquet's headings are row 0
	last   int // row that was written
	values []any
}

const markSheet = "Sheet1"

func (m *marker) write(src source, merges []area) error {
	if err := m.begin(merges); err != nil {
		return err
	}
	for {
		l, err := src.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if l.number+m.shift >= maxRows {
			if err := m.sw.SetRow(at(1, maxRows), []any{excelize.Cell{StyleID: m.styles[badNote], Value: "行数超过一张工作表的上限，其余的行未列出"}}); err != nil {
				return err
			}
			break
		}
		if l.number+m.shift <= m.last {
			continue // rows out of order, which no program writes
		}
		if err := m.row(l); err != nil {
			return err
		}
	}
	return m.sw.Flush()
}

func (m *marker) begin(merges []area) (err error) {
	l := m.r.layout
	if l.Format == Parquet {
		m.shift = 1
	}
	m.width = max(len(l.Columns), 1)
	m.noteAt = m.width + 1
	for i, c := range l.Columns {
		if fold(c.Heading) == faultHeading && c.Column == "" { // of an earlier marking
			m.noteAt = i + 1
		}
	}
	red := excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"FFC7CE"}}
	day := "yyyy-mm-dd"
	for i, s := range [styleCount]excelize.Style{
		plainText: {NumFmt: 49},
		headStyle: {NumFmt: 49, Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDEBF7"}}},
		badText:   {NumFmt: 49, Fill: red},
		badDate:   {CustomNumFmt: &day, Fill: red},
		badNote:   {NumFmt: 49, Font: &excelize.Font{Color: "C00000"}},
	} {
		if m.styles[i], err = m.x.NewStyle(&s); err != nil {
			return err
		}
	}
	if m.sw, err = m.x.NewStreamWriter(markSheet); err != nil {
		return err
	}
	if err := m.comments(); err != nil {
		return err
	}
	if err := m.sw.SetColWidth(1, m.width+1, 18); err != nil {
		return err
	}
	if m.noteAt > m.width {
		if err := m.sw.SetColWidth(m.noteAt, m.noteAt, 60); err != nil {
			return err
		}
	}
	for _, a := range merges {
		if a.lastCol <= m.width && a.lastRow < maxRows {
			if err := m.sw.MergeCell(at(a.col, a.row), at(a.lastCol, a.lastRow)); err != nil {
				return err
			}
		}
	}
	return nil
}

// comments puts the first comments down; they stand beside the rows in a workbook.
func (m *marker) comments() error {
	texts := map[string][]string{}
	var cells []string
	for _, i := range m.order {
		f := &m.faults[i]
		if f.Column < 1 || f.Row < 1 || f.Column > maxColumns {
			continue
		}
		cell := at(f.Column, f.Row+m.shift)
		if texts[cell] == nil {
			if len(cells) == maxComments {
				break
			}
			cells = append(cells, cell)
		}
		texts[cell] = append(texts[cell], m.says(f))
	}
	for _, cell := range cells {
		err := m.x.AddComment(markSheet, excelize.Comment{Cell: cell, Author: "mulu", Width: 240, Height: 90,
			Paragraph: []excelize.RichTextRun{{Text: strings.Join(texts[cell], "\n")}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// says is a fault in words.
func (m *marker) says(f *Fault) string {
	t := Title(f.Class)
	switch {
	case t == "" && f.Rule != "":
		t = f.Rule
	case t == "":
		t = f.Class
	}
	if f.Reason == "" {
		return t
	}
	return "【" + t + "】" + f.Reason
}

func (m *marker) row(l *line) error {
	var mine []int32
	for len(m.order) > 0 && m.faults[m.order[0]].Row <= l.number {
		if m.faults[m.order[0]].Row == l.number {
			mine = append(mine, m.order[0])
		}
		m.order = m.order[1:]
	}
	m.last = l.number + m.shift
	top := m.r.layout.Header + m.shift
	heading := m.last >= top && m.last < top+max(m.r.layout.Levels, 1) && m.r.layout.Header+m.shift > 0
	style := m.styles[plainText]
	if heading {
		style = m.styles[headStyle]
	}
	m.values = m.values[:0]
	raw := ""
	if l.fault != nil && len(mine) > 0 {
		// It can not be told which column is which: the row stays without a key, so that it is
		// not taken as long as nobody has mended it.
		raw = "原行：" + l.raw
		m.put(0, excelize.Cell{StyleID: m.styles[badText]})
	} else {
		for i := range l.cells {
			at := i
			switch {
			case m.noteAt > m.width && i >= m.width:
				at++ // what has no heading makes room
			case i+1 == m.noteAt:
				continue // what an earlier marking said
			}
			m.put(at, m.cell(&l.cells[i], m.faultOf(mine, i), style))
		}
		for _, i := range mine { // empty cells that a row does not have
			if at := m.faults[i].Column - 1; at >= 0 && at >= len(l.cells) && at < maxColumns-1 {
				m.put(at, excelize.Cell{StyleID: m.styles[badText]})
			}
		}
	}
	switch {
	case m.last == top && heading:
		m.put(m.noteAt-1, excelize.Cell{StyleID: style, Value: faultHeading})
	case len(mine) > 0:
		m.put(m.noteAt-1, excelize.Cell{StyleID: m.styles[badNote], Value: m.says(&m.faults[mine[0]]) + raw})
	}
	return m.sw.SetRow(at(1, m.last), m.values)
}

// put puts a cell at a column from 0.
func (m *marker) put(at int, c excelize.Cell) {
	for len(m.values) <= at {
		m.values = append(m.values, nil)
	}
	m.values[at] = c
}

func (m *marker) faultOf(mine []int32, col int) *Fault {
	for _, i := range mine {
		if m.faults[i].Column == col+1 {
			return &m.faults[i]
		}
	}
	return nil
}

// cell writes a cell as it was shown, or a damaged one as it is.
func (m *marker) cell(c *cell, f *Fault, style int) excelize.Cell {
	if f == nil {
		if c.kind == isBlank && !c.merged {
			return excelize.Cell{StyleID: style}
		}
		return excelize.Cell{StyleID: style, Value: m.r.shown(c)}
	}
	out := excelize.Cell{StyleID: m.styles[badText], Value: m.r.shown(c)}
	switch {
	case c.kind == isBlank && c.formula:
		out.Value = "#N/A"
	case c.kind == isNumber && strings.HasPrefix(f.Class, "excel."):
		if v, err := strconv.ParseFloat(c.text, 64); err == nil {
			out.Value = v
			if c.format != nil && (c.format.date || c.format.clock) {
				out.StyleID = m.styles[badDate]
			}
		}
	}
	return out
}
