package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"
	"golang.org/x/term"

	"mulu/internal/clock"
)

// table prints aligned columns. Chinese characters take two cells, so widths are
// counted in cells and not in bytes or runes.
type table struct {
	right []bool
	text  []bool            // may be shortened
	wraps bool              // the last column goes on in further lines instead
	rows  [][]string        // the first is the head
	tints map[[2]int]string // by row and column: an escape sequence the cell is shown in
}

// newTable takes the column heads; one that begins with ">" is aligned right, one
// that begins with "~" holds text that may be shortened to fit a terminal. The last one
// may begin with "|": its text is never cut and goes on below.
func newTable(heads ...string) *table {
	t := &table{}
	row := make([]string, len(heads))
	for i, h := range heads {
		row[i] = strings.TrimLeft(h, ">~|")
		t.right, t.text = append(t.right, h != "" && h[0] == '>'), append(t.text, h != "" && (h[0] == '~' || h[0] == '|'))
		t.wraps = h != "" && h[0] == '|'
	}
	t.rows = append(t.rows, row)
	return t
}

// newFields makes a table of names and values, without a head.
func newFields() *table {
	return &table{right: []bool{false, false}, text: []bool{false, false}}
}

// add appends one row. Cells come from departments' data: see clean.
func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = clean(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// empty says that there is nothing below the head.
func (t *table) empty() bool { return len(t.rows) == 1 }

// least is how few cells a shortened column keeps.
const least = 12

// write prints the table. On a terminal the text columns are shortened until no line
// wraps; elsewhere, and in every other column, nothing is cut.
func (t *table) write(w io.Writer) { t.writeWithin(w, terminalWidth(w)) }

// widths are the columns' in cells, before any is shortened.
func (t *table) widths() []int {
	widths := make([]int, len(t.right))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(c))
		}
	}
	return widths
}

// writeWithin prints the table for a terminal of so many cells, 0 for any number.
func (t *table) writeWithin(w io.Writer, limit int) {
	widths := t.widths()
	t.fit(widths, limit)
	for n, row := range t.rows {
		if last := len(row) - 1; t.wraps && uniseg.StringWidth(row[last]) > widths[last] {
			t.writeWrapped(w, row, widths)
			continue
		}
		cells := make([]string, len(row))
		for i, c := range row {
			c = cut(c, widths[i])
			pad := strings.Repeat(" ", widths[i]-uniseg.StringWidth(c))
			if tint := t.tints[[2]int{n, i}]; tint != "" {
				c = tint + c + plain
			}
			if t.right[i] {
				cells[i] = pad + c
			} else {
				cells[i] = c + pad
			}
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "  "), " "))
	}
}

// writeWrapped prints a row whose last cell takes several lines.
func (t *table) writeWrapped(w io.Writer, row []string, widths []int) {
	last := len(row) - 1
	for i, part := range wrapped(row[last], widths[last]) {
		var b strings.Builder
		for j, c := range row[:last] {
			if i > 0 {
				c = ""
			}
			c = cut(c, widths[j])
			pad := strings.Repeat(" ", widths[j]-uniseg.StringWidth(c))
			if t.right[j] {
				c = pad + c
			} else {
				c += pad
			}
			b.WriteString(c + "  ")
		}
		fmt.Fprintln(w, strings.TrimRight(b.String()+part, " "))
	}
}

// wrapped breaks s into lines of so many cells: after a blank or a mark if there is one
// in the last third of the line, else anywhere, as Chinese is. No line begins with a mark.
func wrapped(s string, cells int) []string {
	var lines []string
	for uniseg.StringWidth(s) > cells {
		used, end, good, before := 0, 0, 0, 0 // bytes of s: what fits, up to a good place, one less than fits
		for g := uniseg.NewGraphemes(s); g.Next(); {
			c := g.Str()
			if used += g.Width(); used > cells && end > 0 {
				if good*3 < end*2 {
					if good = end; before > 0 && strings.Contains(closing, c) {
						good = before
					}
				}
				break
			}
			before, end = end, end+len(c)
			if c == " " || strings.Contains(closing, c) {
				good = end
			}
		}
		lines = append(lines, strings.TrimRight(s[:good], " "))
		s = strings.TrimLeft(s[good:], " ")
	}
	return append(lines, s)
}

// closing are the marks that end a phrase.
const closing = "，。；：、）”"

// plain ends a tint.
const plain = "\x1b[0m"

// tint shows column i of the last row in a colour.
func (t *table) tint(i int, tint string) {
	if t.tints == nil {
		t.tints = map[[2]int]string{}
	}
	t.tints[[2]int{len(t.rows) - 1, i}] = tint
}

// narrowest is how few cells a line can be shortened to.
func (t *table) narrowest() int {
	n := 2 * (len(t.right) - 1)
	for i, w := range t.widths() {
		if t.text[i] {
			w = min(w, least)
		}
		n += w
	}
	return n
}

// fit takes cells from the widest text column, one by one, until a line fits.
func (t *table) fit(widths []int, limit int) {
	over := 2*(len(widths)-1) - limit
	for _, w := range widths {
		over += w
	}
	for limit > 0 && over > 0 {
		widest := -1
		for i, w := range widths {
			if t.text[i] && w > least && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
		over--
	}
}

// terminalWidth is the width of w in cells, 0 where w is no terminal.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// cut shortens s to so many cells.
func cut(s string, cells int) string {
	if uniseg.StringWidth(s) <= cells {
		return s
	}
	var b strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if used += g.Width(); used > cells-1 {
			break
		}
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// clean makes text safe for a terminal: a department's value may hold escape
// sequences, line breaks or characters that turn the direction of text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return '·'
		}
		return r
	}, strings.ToValidUTF8(s, "·"))
}

// printJSON prints the server's own JSON, indented: what a script reads is the API's
// contract and nothing else.
func printJSON(w io.Writer, raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

// printValue prints v as indented JSON.
func printValue(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// count prints a number with thousands apart.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// moment prints a time to the second, in the zone of the law's working days.
func moment(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.In(clock.Shanghai).Format(time.DateTime)
}

// minute prints a time of these days for a wide table: without year and seconds.
func minute(t time.Time) string { return t.In(clock.Shanghai).Format("01-02 15:04") }

// span prints how long something takes, in its largest units.
func span(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%d 天 %d 小时", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d 小时 %d 分", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d 分", d/time.Minute)
	}
	return fmt.Sprintf("%d 秒", d/time.Second)
}

// day prints the date of a time, in the same zone.
func day(t time.Time) string { return t.In(clock.Shanghai).Format(time.DateOnly) }

// lastDay prints the last day of a term that ends before until.
func lastDay(until time.Time) string { return day(until.Add(-time.Second)) }

func momentOr(t *time.Time) string {
	if t == nil {
		return "—"
	}
	return moment(*t)
}

// onChain prints a chain index, or that there is none yet.
func onChain(index *int64) string {
	if index == nil {
		return "待上链"
	}
	return "#" + strconv.FormatInt(*index, 10)
}

// mark is ✓ or ✗.
func mark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}

// bar draws x of 0 to 1 in ten cells.
func bar(x float64) string {
	n := int(x*10 + 0.5)
	n = min(max(n, 0), 10)
	return strings.Repeat("█", n) + strings.Repeat("░", 10-n)
}

// percent prints x of 0 to 1 as points of 100.
func percent(x float64) string { return strconv.FormatFloat(x*100, 'f', 2, 64) }

// orDash prints "—" for nothing.
func orDash(s string) string {
	if s == "" {
		return "—"
	}
	return s
}

// wordFor translates a state of the API; one that is not known yet is shown as it is.
func wordFor(state string, words map[string]string) string {
	if w, ok := words[state]; ok {
		return w
	}
	return state
}
