package rows

import (
	"bufio"
	"encoding/csv"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// digits that a spreadsheet keeps of a number.
const exactDigits = 15

// numeric says whether a text is a plain number that a spreadsheet keeps exactly.
func numeric(s string) bool {
	rest, digits, points := strings.TrimPrefix(s, "-"), 0, 0
	for i := range len(rest) {
		switch c := rest[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && i > 0 && i < len(rest)-1:
			points++
		default:
			return false
		}
	}
	return digits > 0 && digits <= exactDigits && points < 2 && (len(rest) == 1 || rest[0] != '0' || rest[1] == '.')
}

// formula are the first characters by which a spreadsheet takes a text for a formula,
// full-width ones as some take those, too (OWASP, CSV Injection).
const formula = "=+-@\t\r\n＝＋－＠"

// Harmless puts ' before what a spreadsheet would take for a formula.
func Harmless(s string) string {
	if r, n := utf8.DecodeRuneInString(s); n > 0 && strings.ContainsRune(formula, r) {
		return "'" + s
	}
	return s
}

// textFile is a CSV file: UTF-8 with a byte order mark, without which the spreadsheets in
// use take Chinese for GBK; identifiers as they are.
type textFile struct {
	buf   *bufio.Writer
	csv   *csv.Writer
	cells []string
}

func newText(w io.Writer, about [][2]string, heads []string) (*textFile, error) {
	buf := bufio.NewWriterSize(w, 256<<10)
	t := &textFile{buf: buf, csv: csv.NewWriter(buf)}
	t.csv.UseCRLF = true
	buf.WriteString("\ufeff") //nolint:errcheck // Flush tells
	for _, kv := range about {
		t.csv.Write([]string{kv[0], Harmless(kv[1])}) //nolint:errcheck // ditto
	}
	t.csv.Write(nil) //nolint:errcheck // ditto
	return t, t.csv.Write(heads)
}

func (t *textFile) row(cells []cell) error {
	t.cells = t.cells[:0]
	for _, c := range cells {
		if !c.number {
			c.text = Harmless(c.text)
		}
		t.cells = append(t.cells, c.text)
	}
	return t.csv.Write(t.cells)
}

func (t *textFile) close() (int64, error) {
	t.csv.Flush()
	if err := t.csv.Error(); err != nil {
		return 0, err
	}
	return 0, t.buf.Flush()
}

// cellChars is how much text a cell of a worksheet holds, in UTF-16 units.
const cellChars = 32767

// fit cuts a text to what a cell holds.
func fit(s string) (string, bool) {
	if len(s) <= cellChars {
		return s, false
	}
	units := 0
	for i, r := range s {
		if units += max(1, utf16.RuneLen(r)); units > cellChars {
			return s[:i], true
		}
	}
	return s, false
}
