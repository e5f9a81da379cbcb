package filecheck

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"mulu"
	"mulu/ingest/text"
	"mulu/quality/check"
)

// Options of reading a file.
type Options struct {
	Encoding  string // "" is found out
	Delimiter byte   // of CSV, 0 is found out
	NoHeader  bool   // CSV: the first line is data
	Nulls     string // check.Rules.NullText
}

// Fault is something in the file that could not be read as it should.
type Fault struct {
	Line int    `json:"line"`
	Row  int    `json:"row"`
	What string `json:"what"`
}

// mostFaults bounds how many faults are told one by one.
const mostFaults = 1000

// File is a source of columns that can be asked what was wrong with the file.
type File interface {
	check.Source
	Format() string // csv, json, parquet
	// Records hands over all rows in the order of the file, whatever they are: texts as they
	// are written, a Parquet's values with its own types. begin is told the columns first,
	// and once more when a later row shows the file to be otherwise: all is read again then.
	// A batch is released when put returns.
	Records(ctx context.Context, begin func(names []string), put func(arrow.RecordBatch) error) error
	// Faults of the last scan, in order; total counts those beyond what is listed as well.
	Faults() (list []Fault, total int)
	Close() error
}

// Open opens a file of whatever format it is.
func Open(path string, o Options) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("打不开数据文件 %s：%w / can not open the data", path, err)
	}
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		f.Close() //nolint:errcheck // only read from
		return nil, fmt.Errorf("读不了数据文件 %s：%w / can not read the data", path, err)
	}
	var s File
	if bytes.HasPrefix(head, []byte("PAR1")) {
		s, err = openParquet(f)
	} else {
		s, err = openText(f, head, o)
	}
	if err != nil {
		f.Close() //nolint:errcheck // only read from
		return nil, fmt.Errorf("%s：%w", path, err)
	}
	return s, nil
}

// Sizes: of what is looked at first, of a piece, and the longest record.
const (
	headSize  = 1 << 20
	pieceSize = 2 << 20
	maxRecord = 64 << 20
)

// textFile is a CSV or JSON file.
type textFile struct {
	f     *os.File
	whole []byte // instead of f: a text that was turned round
	o     Options
	enc   string
	sure  bool // the encoding was found by looking at all of the file
	csv   *csvForm
	json  *jsonForm
	looks []looks

	mu     sync.Mutex
	faults []placed
	sizes  map[int]size // of the pieces of the last scan
	fresh  map[int][]string
	wanted []bool // columns of a CSV that a scan keeps, nil for all
}

// size is how much of a file a piece holds.
type size struct{ rows, lines int }

// placed is an oddity with the piece it is in.
type placed struct {
	seq int
	oddity
}

func openText(f *os.File, head []byte, o Options) (File, error) {
	t := &textFile{f: f, o: o, enc: text.UTF8}
	switch {
	case len(head) == 0:
		return nil, fmt.Errorf("文件是空的 / the file is empty: %w", mulu.ErrInvalid)
	case o.Encoding != "":
		t.sure = true
		var err error
		if t.enc, err = text.Name(o.Encoding); err != nil {
			return nil, err
		}
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) || !validHead(head):
		if err := t.detect(); err != nil {
			return nil, err
		}
	}
	if err := t.shape(); err != nil {
		return nil, err
	}
	return t, t.survey(context.Background(), false)
}

// detect finds the encoding by reading the whole file.
func (t *textFile) detect() error {
	t.sure = true
	found, err := text.Detect(io.NewSectionReader(t.f, 0, 1<<62))
	if err != nil {
		return err
	}
	if found.Zeros {
		return fmt.Errorf("不是文本，也不是 Parquet；请提供 CSV、JSON、JSONL 或 Parquet / neither text nor Parquet: %w", mulu.ErrInvalid)
	}
	t.enc = found.Encoding
	return nil
}

// reader gives the file's text from its start, as UTF-8.
func (t *textFile) reader() (io.Reader, error) {
	if t.whole != nil {
		return bytes.NewReader(t.whole), nil
	}
	return text.Reader(io.NewSectionReader(t.f, 0, 1<<62), t.enc)
}

// shape finds out what the text is and what its columns are called.
func (t *textFile) shape() error {
	r, err := t.reader()
	if err != nil {
		return err
	}
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read file: %w", err)
	}
	head = head[:n]
	start := bytes.TrimLeft(head, " \t\r\n")
	if len(start) == 0 {
		return fmt.Errorf("文件里没有内容 / nothing in the file: %w", mulu.ErrInvalid)
	}
	if start[0] == '{' || start[0] == '[' {
		return t.shapeJSON(start)
	}
	if len(head) > 0 && bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		return fmt.Errorf("换行是旧 Mac 的 CR；请另存为 LF 或 CRLF / lines end with CR alone: %w", mulu.ErrInvalid)
	}
	t.csv, err = csvHead(head, t.o.Delimiter, !t.o.NoHeader)
	if err != nil {
		return err
	}
	t.csv.nulls = t.o.Nulls
	t.looks = make([]looks, len(t.csv.names))
	return nil
}

func (t *textFile) shapeJSON(start []byte) error {
	t.json = &jsonForm{index: map[string]int{}}
	first := start
	if n := bytes.IndexByte(start, '\n'); n >= 0 {
		first = start[:n]
	}
	first = bytes.TrimSpace(first)
	t.json.lines = first[0] == '{' && nested(first, 0) == len(first) && len(first) < len(bytes.TrimSpace(start))
	if start[0] != '{' || t.json.lines {
		return nil
	}
	r, err := t.reader()
	if err != nil {
		return err
	}
	all, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	if err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	if len(all) > maxRecord {
		return nil
	}
	names, lines, is, err := byColumns(all)
	if is && err == nil {
		t.json.add(names)
		t.whole, t.json.lines = append(lines, '\n'), true
	}
	return err
}

func (t *textFile) Columns() []string {
	if t.csv != nil {
		return t.csv.names
	}
	return t.json.names
}

func (t *textFile) Format() string {
	if t.csv != nil {
		return "csv"
	}
	return "json"
}

func (t *textFile) Types() []check.Form {
	out := make([]check.Form, len(t.looks))
	for i := range t.looks {
		out[i] = t.looks[i].form()
	}
	return out
}

func (t *textFile) Close() error { return t.f.Close() }

// piece is some whole records of the file.
type piece struct {
	seq  int
	data []byte
}

// pieces reads the file in pieces of whole records; only the first most of them, if most
// is not 0.
func (t *textFile) pieces(ctx context.Context, most int, free <-chan []byte, out chan<- piece) error {
	r, err := t.reader()
	if err != nil {
		return err
	}
	if t.csv != nil {
		if _, err := io.CopyN(io.Discard, r, int64(t.csv.start)); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read file: %w", err)
		}
	}
	var rest []byte
	for seq := 0; most == 0 || seq < most; seq++ {
		var buf []byte
		select {
		case buf = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		var end int
		var eof bool
		buf, end, eof, err = t.fill(r, buf, rest)
		if err != nil {
			return err
		}
		rest = slices.Clone(buf[end:])
		select {
		case out <- piece{seq, buf[:end]}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if eof {
			return nil
		}
	}
	return nil
}

// fill reads into buf, after what was left of the piece before, until it holds whole
// records, which end at end.
func (t *textFile) fill(r io.Reader, buf, rest []byte) (all []byte, end int, eof bool, err error) {
	n := copy(buf[:cap(buf)], rest)
	if n < len(rest) {
		buf = append(buf[:0], rest...)
		n = len(rest)
	}
	buf = buf[:cap(buf)]
	for {
		if n == len(buf) {
			if len(buf) >= maxRecord {
				return nil, 0, false, fmt.Errorf("有一条记录超过 %d MB，可能是引号没有结束 / a record without end: %w", maxRecord>>20, mulu.ErrInvalid)
			}
			buf = append(buf, make([]byte, len(buf)+pieceSize)...)
			buf = buf[:cap(buf)]
		}
		m, err := io.ReadFull(r, buf[n:])
		n += m
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return buf[:n], n, true, nil
		}
		if err != nil {
			return nil, 0, false, fmt.Errorf("read file: %w", err)
		}
		switch {
		case t.csv != nil:
			end = cutCSV(buf[:n], t.csv.delim)
		case t.json.lines:
			end = cutLines(buf[:n])
		default:
			end = cutObjects(buf[:n])
		}
		if end > 0 {
			return buf[:n], end, false, nil
		}
	}
}

// each parses the pieces of the file on every core and hands their columns over.
func (t *textFile) each(ctx context.Context, most int, f func(p *parsed) error) error {
	workers := runtime.GOMAXPROCS(0)
	free := make(chan []byte, workers+2)
	for range workers + 2 {
		free <- make([]byte, 0, pieceSize)
	}
	out := make(chan piece, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { defer close(out); return t.pieces(ctx, most, free, out) })
	for range workers {
		g.Go(func() error {
			var p parsed
			for piece := range out {
				if err := p.parse(t, piece); err != nil {
					return err
				}
				if err := f(&p); err != nil {
					return err
				}
				free <- piece.data[:0]
			}
			return nil
		})
	}
	return g.Wait()
}

// parsed is a piece taken apart.
type parsed struct {
	seq  int
	grid grid
	objs objects
	csv  bool
}

var errEncoding = errors.New("filecheck: not in the encoding it was taken for")

func (p *parsed) parse(t *textFile, in piece) error {
	p.seq, p.csv = in.seq, t.csv != nil
	data := in.data
	if !valid(data) {
		if !t.sure {
			return errEncoding
		}
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	}
	if p.csv {
		p.grid.nulls = t.csv.nulls
		p.grid.parse(data, t.csv.delim, len(t.csv.names), t.wanted)
	} else {
		p.objs.parse(data, t.json.index)
	}
	return nil
}

func (p *parsed) rows() int {
	if p.csv {
		return p.grid.n
	}
	return p.objs.n
}

func (p *parsed) lines() int {
	if p.csv {
		return p.grid.lines
	}
	return p.objs.lines
}

func (p *parsed) odd() []oddity {
	if p.csv {
		return p.grid.odd
	}
	return p.objs.odd
}

func (p *parsed) column(i int) cells {
	if p.csv {
		return p.grid.column(i)
	}
	return objectColumn{&p.objs, i}
}

// survey looks at the values of the first pieces, or of all, to tell the columns' types.
func (t *textFile) survey(ctx context.Context, all bool) error {
	most := 1
	if all {
		most = 0
	}
	for {
		t.looks = make([]looks, len(t.Columns()))
		var fresh []string
		var mu sync.Mutex
		err := t.each(ctx, most, func(p *parsed) error {
			seen := make([]looks, len(t.looks))
			for i := range seen {
				c := p.column(i)
				for row := range c.rows() {
					v, k := c.at(row)
					seen[i].see(v, k, !p.csv)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range seen {
				t.looks[i].add(seen[i])
			}
			fresh = append(fresh, p.objs.fresh...)
			return nil
		})
		if errors.Is(err, errEncoding) {
			if err = t.detect(); err == nil {
				err = t.shape()
			}
			if err != nil {
				return err
			}
			continue
		}
		if err != nil || len(fresh) == 0 {
			return err
		}
		t.json.add(fresh)
	}
}

// Scan reads the file once. A value of a wider kind than its column was taken for, or a
// name no column has, ends it: the columns are looked at anew, over the whole file.
func (t *textFile) Scan(ctx context.Context, needs []check.Need, f func(check.Batch) error) error {
	t.faults, t.sizes, t.fresh = nil, map[int]size{}, map[int][]string{}
	kinds := make([]check.Kind, len(t.looks))
	for i := range kinds {
		kinds[i] = t.looks[i].loose()
	}
	t.want(needs)
	err := t.each(ctx, 0, func(p *parsed) error {
		t.note(p)
		b := check.Batch{Seq: p.seq, Rows: p.rows(), Cols: make([]arrow.Array, len(needs)), Loose: make([]*check.Column, len(needs)), Unfit: make([]check.Bits, len(needs))}
		for i, n := range needs {
			c := p.column(n.Column)
			var col built
			switch {
			case n.Form.Type != "":
				col = typedColumn(c, n.Form)
			case p.csv:
				var ok bool
				if b.Loose[i], ok = p.grid.column(n.Column).loose(kinds[n.Column]); ok {
					continue
				}
				col = looseColumn(c, kinds[n.Column])
			default:
				col = looseColumn(c, p.kind(n.Column))
			}
			if col.wider {
				return check.ErrAgain
			}
			b.Cols[i], b.Unfit[i] = col.array, col.unfit
		}
		return f(b)
	})
	t.wanted = nil
	if err = t.relook(ctx, err); !errors.Is(err, check.ErrAgain) {
		t.late()
	}
	return err
}

// relook finds out more about a file that turned out to be otherwise than it began, and
// asks for it to be read again.
func (t *textFile) relook(ctx context.Context, err error) error {
	if errors.Is(err, errEncoding) {
		if err := errors.Join(t.detect(), t.shape()); err != nil {
			return err
		}
		err = check.ErrAgain
	}
	if errors.Is(err, check.ErrAgain) {
		if err := t.survey(ctx, true); err != nil {
			return err
		}
		return check.ErrAgain
	}
	return err
}

// want keeps the cells of the columns that are needed and no others.
func (t *textFile) want(needs []check.Need) {
	if t.csv == nil {
		return
	}
	t.wanted = make([]bool, len(t.csv.names))
	for _, n := range needs {
		t.wanted[n.Column] = true
	}
}

// late adds the columns that only later objects have, in the order of the file. Their
// values have not been looked at.
func (t *textFile) late() {
	if t.json == nil || len(t.fresh) == 0 {
		return
	}
	for _, seq := range slices.Sorted(maps.Keys(t.fresh)) {
		t.json.add(t.fresh[seq])
	}
	t.looks = append(t.looks, make([]looks, len(t.json.names)-len(t.looks))...)
	for i := range t.looks {
		if t.looks[i].there == 0 {
			t.looks[i].text, t.looks[i].there, t.looks[i].json = 0, 1, 1 // of no one type
		}
	}
}

// kind is the kind of a column of JSON within one piece.
func (p *parsed) kind(col int) check.Kind {
	var seen [check.JSON + 1]bool
	for row := range p.objs.n {
		seen[p.objs.tokens[row*p.objs.cols+col].kind] = true
	}
	kinds := 0
	kind := check.Null
	for k := check.Bool; k <= check.JSON; k++ {
		if seen[k] {
			kinds++
			kind = k
		}
	}
	switch {
	case kinds == 2 && seen[check.Int] && seen[check.Float]:
		return check.Float
	case kinds > 1:
		return check.JSON
	}
	return kind
}

// note keeps what was odd in a piece, and how long it is: rows and lines are counted
// from its start.
func (t *textFile) note(p *parsed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sizes[p.seq] = size{p.rows(), p.lines()}
	if len(p.objs.fresh) > 0 {
		t.fresh[p.seq] = slices.Compact(slices.Clone(p.objs.fresh))
	}
	for _, o := range p.odd() {
		t.faults = append(t.faults, placed{p.seq, o})
	}
}

// Faults are told with rows from 0 and lines from 1.
func (t *textFile) Faults() (list []Fault, total int) {
	slices.SortFunc(t.faults, func(a, b placed) int {
		return cmp.Or(a.seq-b.seq, a.row-b.row)
	})
	seq, before := 0, size{}
	if t.csv != nil {
		before.lines = t.csv.lines
	}
	for _, p := range t.faults[:min(len(t.faults), mostFaults)] {
		for ; seq < p.seq; seq++ {
			before.rows, before.lines = before.rows+t.sizes[seq].rows, before.lines+t.sizes[seq].lines
		}
		list = append(list, Fault{Line: before.lines + p.line + 1, Row: before.rows + p.row, What: p.what})
	}
	return list, len(t.faults)
}
