package file

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"mulu"
)

// Where headings are looked for.
const (
	headRows  = 30 // rows from the top
	maxLevels = 3  // of headings
)

// heading is a column of the file and what it was taken for.
type heading struct {
	text   string // 上级_下级
	last   string // of the lowest level alone
	column int    // of the dataset, -1 for none
	by     string
}

// head is where headings were found and what they are.
type head struct {
	row      int // number of the topmost row
	first    int // index of it among the rows looked at
	levels   int
	headings []heading
	refusal  []string
	matched  int // how many columns were found
}

// matcher finds columns for headings.
type matcher struct {
	ds    *mulu.Dataset
	exact map[string]string // of Options.Map
	given map[string]string // the same, folded
	names map[string]int
	title map[string]int
}

func newMatcher(ds *mulu.Dataset, given map[string]string) *matcher {
	m := &matcher{ds: ds, exact: given, given: map[string]string{}, names: map[string]int{}, title: map[string]int{}}
	for h, c := range given {
		m.given[fold(h)] = c
	}
	for i := len(ds.Columns) - 1; i >= 0; i-- { // of two with one title the first is meant
		m.names[fold(ds.Columns[i].Name)] = i
		m.title[fold(ds.Columns[i].Title)] = i
	}
	delete(m.title, "")
	return m
}

// marks are what people put beside a heading to say that it must be filled.
var marks = strings.NewReplacer("(必填)", "", "(必填项)", "", "[必填]", "", "【必填】", "", "(选填)", "", "[选填]", "", "【选填】", "", "*", "", "(required)", "", "☆", "", "★", "")

// fold makes headings that mean the same alike: without blanks and line breaks, half
// width, lower case, without the marks of required columns and a colon at the end.
func fold(s string) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.IsControl(c) || c == 0x200B || c == 0xFEFF {
			return -1
		}
		return unicode.ToLower(c)
	}, halfWidth(s))
	return strings.TrimRight(marks.Replace(s), ":")
}

// match finds the column of a heading.
func (m *matcher) match(h *heading) {
	h.column, h.by = -1, ByNone
	for _, t := range [2]string{h.text, h.last} {
		c, ok := m.exact[t]
		if !ok {
			c, ok = m.given[fold(t)]
		}
		if ok && t != "" {
			h.column, h.by = m.ds.Column(c), ByMap
			return
		}
	}
	for _, t := range [2]string{fold(h.text), fold(h.last)} {
		if i, ok := m.names[t]; ok && t != "" {
			h.column, h.by = i, ByName
			return
		}
		if i, ok := m.title[t]; ok && t != "" {
			h.column, h.by = i, ByTitle
			return
		}
	}
}

// settle gives every column to one heading at most: one that the map names wins over
// those that were only found. What can not be told apart is refused, both named.
func (m *matcher) settle(h *head) {
	took := map[int]int{}
	for i := range h.headings {
		it := &h.headings[i]
		if it.column < 0 {
			continue
		}
		j, twice := took[it.column]
		if !twice {
			took[it.column] = i
			continue
		}
		other := &h.headings[j]
		switch {
		case it.by == ByMap && other.by != ByMap:
			other.column, other.by = -1, ByNone
			took[it.column] = i
		case it.by != ByMap && other.by == ByMap:
			it.column, it.by = -1, ByNone
		default:
			c := m.ds.Columns[it.column]
			h.refusal = append(h.refusal, fmt.Sprintf("“%s”（%s 列）与“%s”（%s 列）都对应字段 %s（%s），请删去一列，或在映射中指明用哪一列",
				oneLine(other.text), columnName(j+1), oneLine(it.text), columnName(i+1), c.Name, c.Title))
		}
	}
	h.matched = len(took)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// find finds the headings among the first rows. at is the number of their topmost row,
// 0 looks for the place that names most columns: rows above it are titles and notes.
func (m *matcher) find(rows []line, merges []area, at int) *head {
	var best *head
	for i := range rows {
		if at > 0 && rows[i].number != at || rows[i].blank() || i >= headRows && at == 0 {
			continue
		}
		for levels := 1; levels <= maxLevels; levels++ {
			if levels > 1 && !spans(rows, i+levels-2, merges) {
				break
			}
			h := m.read(rows, i, levels, merges)
			if h == nil {
				break
			}
			// On a tie more levels win: their upper row tells alike headings apart.
			if best == nil || h.matched > best.matched || h.matched == best.matched && h.matched > 0 && h.first == best.first && h.levels > best.levels {
				best = h
			}
		}
	}
	if best != nil && best.matched == 0 && at == 0 {
		best = m.plain(rows, merges, best)
	}
	return best
}

// plain is the likeliest row of headings where none names a column: the first that
// has more than a title.
func (m *matcher) plain(rows []line, merges []area, best *head) *head {
	for i := range rows[:min(len(rows), headRows)] {
		n := 0
		for c := range rows[i].cells {
			if rows[i].cells[c].kind == isText {
				n++
			}
		}
		if n > 1 {
			return m.read(rows, i, 1, merges)
		}
	}
	return best
}

// spans says whether a row has headings that stand over several columns, and more than
// one: a title over the whole sheet is none.
func spans(rows []line, i int, merges []area) bool {
	if i+1 >= len(rows) || rows[i+1].number != rows[i].number+1 {
		return false
	}
	over, different := false, map[string]bool{}
	for c := range rows[i].cells {
		if t := headText(rows, i, c, merges); t != "" {
			different[t] = true
		}
	}
	for _, a := range merges {
		over = over || a.lastCol > a.col && a.row <= rows[i].number && a.lastRow == rows[i].number
	}
	return over && len(different) > 1
}

// headText is what a cell of the headings shows: of a merged area its first cell's.
func headText(rows []line, i, col int, merges []area) string {
	if c := rows[i].at(col); !c.merged {
		return trim(c.text)
	}
	for _, a := range merges {
		if a.row > rows[i].number {
			break
		}
		if a.lastRow >= rows[i].number && a.col <= col+1 && a.lastCol >= col+1 {
			for j := range rows {
				if rows[j].number == a.row {
					return trim(rows[j].at(a.col - 1).text)
				}
			}
		}
	}
	return ""
}

// read takes rows i to i+levels-1 as headings; nil if there are not so many.
func (m *matcher) read(rows []line, i, levels int, merges []area) *head {
	if i+levels > len(rows) {
		return nil
	}
	h := &head{row: rows[i].number, first: i, levels: levels}
	width := 0
	for l := range levels {
		for c := range rows[i+l].cells {
			if headText(rows, i+l, c, merges) != "" {
				width = max(width, c+1)
			}
		}
	}
	for c := range width {
		var parts []string
		for l := range levels {
			if t := headText(rows, i+l, c, merges); t != "" && (len(parts) == 0 || parts[len(parts)-1] != t) {
				parts = append(parts, t)
			}
		}
		it := heading{text: strings.Join(parts, "_")}
		if len(parts) > 0 {
			it.last = parts[len(parts)-1]
		}
		h.headings = append(h.headings, it)
	}
	m.each(h)
	m.settle(h)
	return h
}

// each matches the headings. The lowest level alone counts only where no other heading
// has the same.
func (m *matcher) each(h *head) {
	lasts := map[string]int{}
	for i := range h.headings {
		lasts[fold(h.headings[i].last)]++
	}
	for i := range h.headings {
		it := &h.headings[i]
		whole := *it
		if lasts[fold(it.last)] > 1 && h.levels > 1 {
			whole.last = ""
		}
		m.match(&whole)
		it.column, it.by = whole.column, whole.by
	}
}

// namesRow says whether a row below the headings has the columns' names, as the second
// row of a template does.
func (m *matcher) namesRow(h *head, l *line) bool {
	n := 0
	for i := range h.headings {
		c, t := h.headings[i].column, fold(l.at(i).text)
		if t == "" {
			continue
		}
		if j, ok := m.names[t]; !ok || c >= 0 && c != j {
			return false
		}
		n++
	}
	return n > 0 && n*2 > h.matched
}

// wrong says what of the options' map no heading can follow.
func (m *matcher) wrong() []string {
	var out []string
	for h, c := range m.exact {
		if c != "" && m.ds.Column(c) < 0 {
			out = append(out, fmt.Sprintf("映射把“%s”对应到 %s，数据集没有这个字段", oneLine(h), c))
		}
	}
	slices.Sort(out)
	return out
}

// idle names what the options' map says of headings that the file does not have: a
// heading that was written wrongly is otherwise found only by what is missing in the end.
func (m *matcher) idle(h *head) []string {
	there := map[string]bool{}
	for _, it := range h.headings {
		there[fold(it.text)], there[fold(it.last)] = true, true
	}
	var out []string
	for name := range m.exact {
		if !there[fold(name)] {
			out = append(out, fmt.Sprintf("映射中的表头“%s”在文件里没有", oneLine(name)))
		}
	}
	slices.Sort(out)
	return out
}

// missing are the key and required columns that no heading was taken for.
func (h *head) missing(ds *mulu.Dataset) (names, shown []string) {
	took := map[int]bool{}
	if h != nil {
		for i := range h.headings {
			took[h.headings[i].column] = true
		}
	}
	for i, c := range ds.Columns {
		if !took[i] && (c.Required || slices.Contains(ds.Key, c.Name)) {
			names = append(names, c.Name)
			shown = append(shown, fmt.Sprintf("%s（%s）", c.Title, c.Name))
		}
	}
	return names, shown
}
