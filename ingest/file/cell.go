package file

import (
	"strings"
	"unicode"
)

// kind is what a cell holds.
type kind uint8

const (
	isBlank  kind = iota
	isText        // text, as it stands
	isNumber      // a number, as its digits are stored
	isBool        // "TRUE" or "FALSE"
	isError       // an error value: "#N/A"
)

// cell is a cell as its file has it, whatever the format.
type cell struct {
	kind    kind
	formula bool // its value was calculated
	merged  bool // it lies in a merged area and is not its first cell
	typed   bool // of a number: its file has types and means a number (Parquet)
	text    string
	format  *format // how a number is shown, nil for as it is
}

// line is one row of a source.
type line struct {
	number int
	cells  []cell
	hidden bool
	// fault is something wrong with the row as a whole, nil for nothing. raw is then the
	// row as it stands.
	fault *Fault
	raw   string
}

func (l *line) blank() bool {
	if l.fault != nil {
		return false
	}
	for i := range l.cells {
		if c := &l.cells[i]; c.kind != isBlank && (c.kind != isText || strings.TrimSpace(c.text) != "") {
			return false
		}
		if l.cells[i].formula {
			return false
		}
	}
	return true
}

// at is the cell of a column, blank beyond the end.
func (l *line) at(i int) *cell {
	if i < len(l.cells) {
		return &l.cells[i]
	}
	return &none
}

var none cell

// source gives the rows of a file, the headings among them. The line is good until
// the next call, its texts for ever.
type source interface {
	next() (*line, error) // io.EOF at the end
	close() error
}

// errorValues are what a spreadsheet shows where a formula failed. As text they come
// from a CSV or from cells that were pasted as values.
var errorValues = map[string]bool{"#N/A": true, "#REF!": true, "#VALUE!": true, "#DIV/0!": true, "#NAME?": true, "#NULL!": true, "#NUM!": true, "#SPILL!": true, "#CALC!": true, "#GETTING_DATA": true}

// halfWidth gives full-width ASCII and blanks their half-width forms.
func halfWidth(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 0xFF01 && c <= 0xFF5E:
			return c - 0xFEE0
		case c == 0x3000:
			return ' '
		}
		return c
	}, s)
}

// wide says whether s has full-width forms of ASCII.
func wide(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c >= 0xFF01 && c <= 0xFF5E || c == 0x3000 })
}

// trim takes blanks of any kind from both ends, those that programs put there among them.
func trim(s string) string {
	return strings.TrimFunc(s, func(c rune) bool { return unicode.IsSpace(c) || c == 0x200B || c == 0xFEFF })
}

// columnName is a column's letters: 1 is A.
func columnName(n int) string {
	var b [8]byte
	i := len(b)
	for ; n > 0; n = (n - 1) / 26 {
		i--
		b[i] = byte('A' + (n-1)%26)
	}
	return string(b[i:])
}
