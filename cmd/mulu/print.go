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
)

// table prints aligned columns. Chinese characters take two cells, so widths are
// counted in cells and not in bytes or runes.
type table struct {
	right []bool
	rows  [][]string // the first is the head
}

// newTable takes the column heads; one that begins with ">" is aligned right.
func newTable(heads ...string) *table {
	t := &table{}
	row := make([]string, len(heads))
	for i, h := range heads {
		name, right := strings.CutPrefix(h, ">")
		row[i], t.right = name, append(t.right, right)
	}
	t.rows = append(t.rows, row)
	return t
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

// write prints the table. On a terminal the last column is cut to what fits, so that
// no line wraps; elsewhere it is whole.
func (t *table) write(w io.Writer) {
	widths := make([]int, len(t.right))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(c))
		}
	}
	limit := terminalWidth(w)
	for _, row := range t.rows {
		var b strings.Builder
		used := 0
		for i, c := range row {
			last := i == len(row)-1
			if i > 0 {
				b.WriteString("  ")
				used += 2
			}
			if last && !t.right[i] {
				if left := limit - used; limit > 0 && left >= 8 {
					c = cut(c, left)
				}
				b.WriteString(c)
				break
			}
			pad := strings.Repeat(" ", widths[i]-uniseg.StringWidth(c))
			if t.right[i] {
				b.WriteString(pad + c)
			} else {
				b.WriteString(c + pad)
			}
			used += widths[i]
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
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
	if err := json.Indent(&b, raw, "", "  "); err != nil {
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

// moment prints a time in the machine's zone, to the second.
func moment(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

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
