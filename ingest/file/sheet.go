package file

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"

	"mulu"
)

// maxMerges bounds the merged areas of a sheet that are remembered.
const maxMerges = 200_000

// area is a merged area, from 1.
type area struct{ row, col, lastRow, lastCol int }

// sheetSource reads the rows of a sheet.
type sheetSource struct {
	w     *workbook
	r     io.ReadCloser
	x     *scanner
	width int // cells beyond it are not looked at; 0 if it is not known yet
	row   int

	merges []area // by first row
	near   []area // that the row may lie in
	ahead  int    // of merges: those from here on begin below

	out   line
	arena []byte
	spans [][2]int // per cell of out, where its text is in arena
	buf   []byte
}

// openSheet begins to read a sheet. merges are its merged areas (see merges).
func (w *workbook) openSheet(part string, merges []area) (*sheetSource, error) {
	if err := w.loadStrings(); err != nil {
		return nil, fmt.Errorf("文件已损坏：共享字符串不可读；请用 Excel 或 WPS 打开后另存为 .xlsx / the workbook is damaged: %w: %w", mulu.ErrInvalid, err)
	}
	r, err := w.open(part, maxPart)
	if err != nil {
		return nil, fmt.Errorf("文件已损坏：工作表不可读 / the workbook is damaged: %w: %w", mulu.ErrInvalid, err)
	}
	return &sheetSource{w: w, r: r, x: newScanner(r), merges: merges}, nil
}

func (s *sheetSource) close() error { return s.r.Close() }

// damaged says where a sheet can not be read on.
func (s *sheetSource) damaged(err error) error {
	return fmt.Errorf("第 %d 行之后文件已损坏，不能读取；请用 Excel 或 WPS 打开后另存为 .xlsx / the sheet is damaged after this row: %w: %w", s.row, mulu.ErrInvalid, err)
}

func (s *sheetSource) next() (*line, error) {
	for {
		switch err := s.x.next(); {
		case err == io.EOF:
			return nil, s.damaged(errXML)
		case err != nil:
			return nil, s.damaged(err)
		}
		switch {
		case s.x.kind == tokenStart && string(s.x.name) == "row":
			if err := s.readRow(); err != nil {
				return nil, s.damaged(err)
			}
			return &s.out, nil
		case s.x.kind == tokenEnd && (string(s.x.name) == "sheetData" || string(s.x.name) == "worksheet"):
			return nil, io.EOF
		}
	}
}

// readRow reads the row that was just begun.
func (s *sheetSource) readRow() error {
	s.row++
	if b := s.x.attr("r"); len(b) > 0 {
		n, err := strconv.Atoi(string(b))
		if err != nil || n < 1 || n > maxRows {
			return fmt.Errorf("row %q", b)
		}
		s.row = n
	}
	hidden := s.x.attr("hidden")
	s.out = line{number: s.row, cells: s.out.cells[:0], hidden: string(hidden) == "1" || string(hidden) == "true"}
	s.arena, s.spans = s.arena[:0], s.spans[:0]
	col := 0
	for {
		if err := s.x.next(); err != nil {
			return err
		}
		switch {
		case s.x.kind == tokenEnd && string(s.x.name) == "row":
			s.texts()
			s.merge()
			return nil
		case s.x.kind != tokenStart:
			continue
		case string(s.x.name) != "c":
			if err := s.x.skip(); err != nil {
				return err
			}
			continue
		}
		col++
		if b := s.x.attr("r"); len(b) > 0 {
			c, _, ok := cellRef(b)
			if !ok {
				return fmt.Errorf("cell %q", b)
			}
			col = c
		}
		if s.width > 0 && col > s.width {
			if err := s.x.skip(); err != nil {
				return err
			}
			continue
		}
		for len(s.out.cells) < col {
			s.out.cells, s.spans = append(s.out.cells, cell{}), append(s.spans, [2]int{})
		}
		from := len(s.arena)
		if err := s.readCell(&s.out.cells[col-1]); err != nil {
			return fmt.Errorf("cell %s%d: %w", columnName(col), s.row, err)
		}
		s.spans[col-1] = [2]int{from, len(s.arena)}
	}
}

// readCell reads the cell that was just begun; its text goes to the arena.
func (s *sheetSource) readCell(c *cell) error {
	x := s.x
	kind := string(x.attr("t"))
	if b := x.attr("s"); len(b) > 0 {
		if n, err := strconv.Atoi(string(b)); err == nil && n >= 0 && n < len(s.w.formats) {
			c.format = s.w.formats[n]
		}
	}
	from := len(s.arena)
	value := false
	for {
		if err := x.next(); err != nil {
			return err
		}
		switch x.kind {
		case tokenEnd:
			if string(x.name) == "c" {
				return s.settle(c, kind, from)
			}
			value = false
			continue
		case tokenText:
			if value {
				if s.arena = append(s.arena, x.text...); len(s.arena)-from > maxString {
					return errToken
				}
			}
			continue
		}
		switch string(x.name) {
		case "v":
			value = true
		case "is":
			b, err := readRich(x, s.buf[:0])
			if err != nil {
				return err
			}
			s.buf = b
			s.arena = append(s.arena, b...)
		case "f":
			c.formula = true
			if err := x.skip(); err != nil {
				return err
			}
		default:
			if err := x.skip(); err != nil {
				return err
			}
		}
	}
}

// settle makes of what a cell's element had what the cell is.
func (s *sheetSource) settle(c *cell, kind string, from int) error {
	v := s.arena[from:]
	switch kind {
	case "s":
		n, err := strconv.Atoi(string(bytes.TrimSpace(v)))
		if len(v) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("shared string %q", v)
		}
		b, ok, err := s.w.strings.get(n)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("shared string %d of %d", n, s.w.strings.n)
		}
		s.arena = append(s.arena[:from], b...)
		c.kind = isText
	case "str":
		s.arena = append(s.arena[:from], excelEscapes(v)...)
		c.kind = isText
	case "inlineStr", "d":
		c.kind = isText
	case "b":
		c.kind = isBool
		if string(v) == "1" || string(v) == "true" {
			s.arena = append(s.arena[:from], "TRUE"...)
		} else {
			s.arena = append(s.arena[:from], "FALSE"...)
		}
	case "e":
		c.kind = isError
	default:
		v = bytes.TrimSpace(v)
		s.arena = append(s.arena[:from], v...)
		if len(v) > 0 {
			c.kind = isNumber
		}
		return nil
	}
	if len(s.arena) == from {
		c.kind = isBlank
	}
	return nil
}

// texts gives the cells their texts, all of one string.
func (s *sheetSource) texts() {
	all := string(s.arena)
	for i, at := range s.spans {
		s.out.cells[i].text = all[at[0]:at[1]]
	}
}

// merge says which cells of the row lie in a merged area and are not its first.
func (s *sheetSource) merge() {
	s.near = slices.DeleteFunc(s.near, func(a area) bool { return a.lastRow < s.row })
	for ; s.ahead < len(s.merges) && s.merges[s.ahead].row <= s.row; s.ahead++ {
		if a := s.merges[s.ahead]; a.lastRow >= s.row {
			s.near = append(s.near, a)
		}
	}
	for _, a := range s.near {
		last := a.lastCol
		if s.width > 0 {
			last = min(last, s.width)
		}
		for len(s.out.cells) < last {
			s.out.cells = append(s.out.cells, cell{})
		}
		for col := a.col; col <= last; col++ {
			if col != a.col || s.row != a.row {
				s.out.cells[col-1].merged = true
			}
		}
	}
}

// survey reads past the rows of a sheet to the merged areas, which stand behind them, and
// counts the rows on its way: it looks for a few words only.
func (w *workbook) survey(part string) (rows int64, merges []area, err error) {
	r, err := w.open(part, maxPart)
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	buf := make([]byte, 256<<10)
	held := 0
	const keep = 16 // longer than what is looked for
	for {
		n, err := io.ReadFull(r, buf[held:])
		b := buf[:held+n]
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			return 0, nil, err
		}
		stop := rowsEnd(b)
		if stop >= 0 {
			rows += int64(bytes.Count(b[:stop], []byte("<row ")) + bytes.Count(b[:stop], []byte(":row ")))
			merges, err = readMerges(newScanner(io.MultiReader(bytes.NewReader(b[stop:]), r)))
			return rows, merges, err
		}
		if end {
			return rows, nil, nil
		}
		whole := b[:len(b)-keep]
		// A word that ends in what is kept is counted with it.
		rows += int64(bytes.Count(whole, []byte("<row ")) + bytes.Count(whole, []byte(":row ")))
		held = copy(buf, b[len(whole)-4:])
	}
}

// rowsEnd is where b goes on behind the end of the rows, -1 if that is not in it.
func rowsEnd(b []byte) int {
	word := []byte("sheetData>")
	for from := 0; ; {
		at := bytes.Index(b[from:], word)
		if at < 0 {
			return -1
		}
		at += from
		if open := bytes.LastIndexByte(b[:at], '<'); open >= 0 && open+1 < len(b) && b[open+1] == '/' && at-open < 12 {
			return at + len(word)
		}
		from = at + len(word)
	}
}

// readMerges reads the merged areas from behind the rows.
func readMerges(x *scanner) ([]area, error) {
	var out []area
	for {
		if err := x.next(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if x.kind != tokenStart || string(x.name) != "mergeCell" {
			continue
		}
		first, last, ok := bytes.Cut(x.attr("ref"), []byte(":"))
		if !ok {
			continue
		}
		a := area{}
		var ok1, ok2 bool
		a.col, a.row, ok1 = cellRef(first)
		a.lastCol, a.lastRow, ok2 = cellRef(last)
		if !ok1 || !ok2 || a.row == 0 || a.lastRow < a.row || a.lastCol < a.col {
			continue
		}
		if out = append(out, a); len(out) > maxMerges {
			return nil, fmt.Errorf("合并单元格超过 %d 处；请取消合并并填满每一格后重导 / too many merged areas: %w", maxMerges, mulu.ErrInvalid)
		}
	}
	slices.SortFunc(out, func(a, b area) int { return a.row - b.row })
	return out, nil
}
