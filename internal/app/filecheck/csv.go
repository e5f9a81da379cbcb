package filecheck

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"mulu"
	"mulu/ingest"
	"mulu/quality/check"
)

// delimiters that are tried, the likeliest first.
var delimiters = []byte{',', '\t', ';', '|'}

// pandasNulls are the texts that pandas reads as absent.
var pandasNulls = []string{"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}

// csvForm is how a CSV file is written.
type csvForm struct {
	delim byte
	names []string
	nulls string // check.Rules.NullText
	start int    // bytes before the first record
	lines int    // and lines
}

// doubled in the end of a span says that the cell has doubled quotes.
const doubled = 1 << 31

// grid are the cells of a piece of a file, column by column.
type grid struct {
	buf   []byte
	cells [][]check.Span // per column, nil for one nobody asks for
	n     int
	nulls string
	odd   []oddity
	lines int
}

// oddity is a record that is not as it should be.
type oddity struct {
	row, line int // in this piece, both from 0
	what      string
	lost      bool // nothing of the row was read
}

// gridColumn is one column of a grid.
type gridColumn struct {
	*grid
	spans []check.Span
}

func (g *grid) column(col int) gridColumn { return gridColumn{g, g.cells[col]} }

func (g gridColumn) rows() int { return g.n }

func (g gridColumn) at(row int) ([]byte, check.Kind) {
	s := g.spans[row]
	if s.From >= s.To {
		return nil, check.Null
	}
	v := g.buf[s.From : s.To&^doubled]
	if s.To&doubled != 0 {
		return bytes.ReplaceAll(v, []byte(`""`), []byte(`"`)), check.Text
	}
	if g.nulls != "" && len(v) <= 8 && isNull(v) {
		return nil, check.Null
	}
	return v, check.Text
}

// loose reads the column without copying its texts, if that can be; ok is false for a
// column that is to be built otherwise, or has a value of a wider kind.
func (g gridColumn) loose(k check.Kind) (c *check.Column, ok bool) {
	switch k {
	case check.Text:
		valid, plain := g.presence()
		if !plain {
			return nil, false
		}
		return check.NewTexts(g.buf, g.spans, valid), true
	case check.Int:
		return looseNumbers(g, ingest.ParseInt, check.NewInts)
	case check.Float:
		return looseNumbers(g, parseFloat, check.NewFloats)
	}
	return nil, false
}

// presence is which cells are there, nil for all; plain is false if one has doubled quotes.
func (g gridColumn) presence() (valid check.Bits, plain bool) {
	absent := func(i int) {
		if valid == nil {
			valid = check.NewBits(g.n)
			for k := range i {
				valid.Set(k)
			}
		}
	}
	for i, s := range g.spans {
		switch {
		case s.To&doubled != 0:
			return nil, false
		case s.From >= s.To || g.nulls != "" && s.To-s.From <= 8 && isNull(g.buf[s.From:s.To]):
			absent(i)
		case valid != nil:
			valid.Set(i)
		}
	}
	return valid, true
}

func looseNumbers[T any](g gridColumn, parse func([]byte) (T, bool), make_ func([]T, check.Bits) *check.Column) (*check.Column, bool) {
	valid, plain := g.presence()
	if !plain {
		return nil, false
	}
	out := make([]T, g.n)
	for i, s := range g.spans {
		if valid != nil && !valid.Has(i) {
			continue
		}
		v, ok := parse(g.buf[s.From:s.To])
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return make_(out, valid), true
}

// isNull says whether pandas reads a text as absent.
func isNull(v []byte) bool {
	switch v[0] {
	case '1':
		return len(v) > 1 && v[1] == '.' && slices.Contains(pandasNulls, string(v))
	case '-':
		return len(v) > 3 && slices.Contains(pandasNulls, string(v))
	case '#', '<', 'N', 'n':
		return slices.Contains(pandasNulls, string(v))
	}
	return false
}

// valid is utf8.Valid, twice as fast where much is Chinese: eight bytes of ASCII at a
// time, and characters of three bytes that need no look at their second.
func valid(b []byte) bool {
	for i := 0; i < len(b); {
		for i+8 <= len(b) && binary.LittleEndian.Uint64(b[i:])&0x8080808080808080 == 0 {
			i += 8
		}
		for i < len(b) && b[i] < utf8.RuneSelf {
			i++
		}
		for i < len(b) && b[i] >= utf8.RuneSelf {
			if c := b[i]; c > 0xe0 && c < 0xed && i+2 < len(b) && b[i+1]&0xc0 == 0x80 && b[i+2]&0xc0 == 0x80 {
				i += 3
				continue
			}
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return false
			}
			i += n
		}
	}
	return true
}

// cutCSV finds the end of the last whole record of buf, which begins with a record. A
// line break inside a quoted field ends none; a quote inside a bare field is a character.
func cutCSV(buf []byte, delim byte) int {
	end, i := 0, 0
	for {
		q := bytes.IndexByte(buf[i:], '"')
		if q < 0 {
			if n := bytes.LastIndexByte(buf[i:], '\n'); n >= 0 {
				end = i + n + 1
			}
			return end
		}
		q += i
		if n := bytes.LastIndexByte(buf[i:q], '\n'); n >= 0 {
			end = i + n + 1
		}
		if q > 0 && buf[q-1] != delim && buf[q-1] != '\n' && buf[q-1] != '\r' {
			i = q + 1
			continue
		}
		close := closing(buf, q+1)
		if close < 0 {
			return end
		}
		i = close + 1
	}
}

// closing finds the quote that ends a field whose text begins at i; -1 for none.
func closing(buf []byte, i int) int {
	for {
		n := bytes.IndexByte(buf[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		if i+1 < len(buf) && buf[i+1] == '"' {
			i += 2
			continue
		}
		return i
	}
}

// parse takes whole records apart; of the columns only those that are wanted (nil: all)
// are kept.
func (g *grid) parse(buf []byte, delim byte, cols int, wanted []bool) {
	g.buf, g.n, g.odd = buf, 0, g.odd[:0]
	g.room(cols, wanted)
	line := 0
	for i := 0; i < len(buf); {
		if buf[i] == '\n' || buf[i] == '\r' {
			if buf[i] == '\n' {
				line++
			}
			i++
			continue // a blank line is no record
		}
		col, startLine := 0, line
		for {
			var s check.Span
			if i < len(buf) && buf[i] == '"' {
				var lines int
				s, i, lines = g.quoted(i, delim, startLine)
				line += lines
			} else {
				from := i
				i = fieldEnd(buf, i, delim)
				s = check.Span{From: uint32(from), To: uint32(i)} //nolint:gosec // a piece is some megabytes
			}
			last := i >= len(buf) || buf[i] == '\n'
			if last && s.To > s.From && int(s.To) == i && buf[i-1] == '\r' {
				s.To--
			}
			if col < cols && g.cells[col] != nil {
				g.cells[col] = append(g.cells[col], s)
			}
			col++
			i++
			if last {
				line++
				break
			}
		}
		if col != cols {
			g.ragged(col, startLine)
		}
		g.n++
	}
	g.lines = line
}

// room makes ready for the cells of the wanted columns.
func (g *grid) room(cols int, wanted []bool) {
	if len(g.cells) != cols {
		g.cells = make([][]check.Span, cols)
	}
	for c := range g.cells {
		switch {
		case wanted != nil && !wanted[c]:
			g.cells[c] = nil
		case g.cells[c] == nil:
			g.cells[c] = make([]check.Span, 0, 1<<10)
		default:
			g.cells[c] = g.cells[c][:0]
		}
	}
}

// fieldEnd finds the delimiter or line break that ends a field without quotes, eight bytes
// at a time.
func fieldEnd(buf []byte, i int, delim byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	d, n := uint64(delim)*ones, uint64('\n')*ones
	for ; i+8 <= len(buf); i += 8 {
		w := binary.LittleEndian.Uint64(buf[i:])
		x, y := w^d, w^n
		if hit := ((x - ones) &^ x & highs) | ((y - ones) &^ y & highs); hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for i < len(buf) && buf[i] != delim && buf[i] != '\n' {
		i++
	}
	return i
}

// ragged fills a short record up with absent cells and notes one that is too long.
func (g *grid) ragged(col, line int) {
	for c := col; c < len(g.cells); c++ {
		if g.cells[c] != nil {
			g.cells[c] = append(g.cells[c], check.Span{})
		}
	}
	if col > len(g.cells) {
		g.odd = append(g.odd, oddity{g.n, line, fmt.Sprintf("有 %d 个字段，表头有 %d 个；多出的没有读 / too many fields", col, len(g.cells)), false})
	}
}

// quoted reads a quoted field that begins at i; next is at the delimiter or line break.
func (g *grid) quoted(i int, delim byte, line int) (s check.Span, next, lines int) {
	buf := g.buf
	end := closing(buf, i+1)
	if end < 0 {
		end = len(buf)
	}
	s = check.Span{From: uint32(i + 1), To: uint32(end)} //nolint:gosec // same
	if bytes.IndexByte(buf[i+1:end], '"') >= 0 {
		s.To |= doubled
	}
	lines = bytes.Count(buf[i:end], []byte{'\n'})
	next = min(end+1, len(buf))
	from := next
	for next < len(buf) && buf[next] != delim && buf[next] != '\n' {
		next++
	}
	if rest := bytes.TrimRight(buf[from:next], "\r "); len(rest) > 0 {
		g.odd = append(g.odd, oddity{g.n, line, "引号后面还有文字；没有读 / text after a closing quote", false})
	}
	return s, next, lines
}

// csvHead finds the delimiter and the headings in the beginning of a file. given is 0 or
// the delimiter to use.
func csvHead(head []byte, given byte, header bool) (*csvForm, error) {
	skip := 0
	if bytes.HasPrefix(head, []byte("sep=")) { // a hint to Excel
		if n := bytes.IndexByte(head, '\n'); n > 4 {
			given, skip = head[4], n+1
		}
	}
	body := head[skip:]
	f := &csvForm{delim: given}
	if given == 0 {
		f.delim = guess(body)
	}
	var g grid
	end := len(body)
	if first := firstRecord(body, f.delim); first > 0 {
		end = first
	}
	g.parse(body[:end], f.delim, fieldsOf(body[:end], f.delim), nil)
	if g.n == 0 {
		return nil, fmt.Errorf("文件里没有表头 / no header: %w", mulu.ErrInvalid)
	}
	for c := range g.cells {
		v, _ := g.column(c).at(0)
		f.names = append(f.names, string(v))
	}
	f.start = skip + end
	if !header {
		f.start = skip
		for i := range f.names {
			f.names[i] = fmt.Sprint(i)
		}
	}
	f.names, f.lines = distinct(f.names), bytes.Count(head[:f.start], []byte{'\n'})
	return f, nil
}

// distinct names columns as pandas does: x, x.1.
func distinct(names []string) []string {
	seen := map[string]int{}
	out := make([]string, len(names))
	for i, n := range names {
		n = strings.ToValidUTF8(n, "\uFFFD")
		if n == "" {
			n = fmt.Sprintf("Unnamed: %d", i)
		}
		out[i] = n
		if k := seen[n]; k > 0 {
			out[i] = fmt.Sprintf("%s.%d", n, k)
		}
		seen[n]++
	}
	return out
}

// firstRecord is where the first record of a text ends, 0 if it does not.
func firstRecord(b []byte, delim byte) int {
	for i := bytes.IndexByte(b, '\n'); i >= 0; {
		if n := cutCSV(b[:i+1], delim); n == i+1 && len(bytes.Trim(b[:n], "\r\n")) > 0 {
			return n
		}
		next := bytes.IndexByte(b[i+1:], '\n')
		if next < 0 {
			return 0
		}
		i += 1 + next
	}
	return 0
}

// fieldsOf counts the fields of one record.
func fieldsOf(record []byte, delim byte) int {
	record = bytes.Trim(record, "\r\n")
	n, i := 1, 0
	for i < len(record) {
		if record[i] == '"' && (i == 0 || record[i-1] == delim) {
			if end := closing(record, i+1); end >= 0 {
				i = end + 1
				continue
			}
		}
		if record[i] == delim {
			n++
		}
		i++
	}
	return n
}

// guess takes the delimiter that gives the same number of fields, and most, in the first
// records.
func guess(b []byte) byte {
	best, most := delimiters[0], 1
	for _, d := range delimiters {
		rest, fields, same := b, 0, true
		for k := 0; k < 5 && same; k++ {
			end := firstRecord(rest, d)
			if end == 0 {
				if k == 0 {
					fields = fieldsOf(rest, d)
				}
				break
			}
			n := fieldsOf(rest[:end], d)
			same = k == 0 || n == fields
			if k == 0 {
				fields = n
			}
			rest = rest[end:]
		}
		if same && fields > most {
			best, most = d, fields
		}
	}
	return best
}

// validHead says whether the beginning of a file is UTF-8, the last character aside.
func validHead(b []byte) bool {
	for cut := 0; cut < utf8.UTFMax && len(b) > cut; cut++ {
		if utf8.Valid(b[:len(b)-cut]) {
			return true
		}
	}
	return len(b) == 0
}
