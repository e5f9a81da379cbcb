package file

import (
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"

	"mulu"
)

// Names of the sheets of a template beside the one that is filled.
const (
	helpSheet = "填表说明"
	codeSheet = "代码表"
)

// longestList is how long a drop-down's values may be when they stand in the cell's
// validation itself, commas included.
const longestList = 255

// Template writes the workbook that a department fills to deliver a dataset: headings
// with what belongs below each, columns of texts as texts so that Excel takes no digit
// of a number that names something, drop-downs from code tables, and a sheet that
// explains. codes gives a code table's values, nil for a table that has no drop-down; it
// may be nil itself. Open reads the template, filled, without a fault.
func Template(ds *mulu.Dataset, codes func(table string) []Code, w io.Writer) error {
	x := excelize.NewFile()
	defer x.Close()
	t := template{x: x, ds: ds, sheet: sheetName(ds.Title), lists: map[string]string{}, codes: map[string][]Code{}}
	t.try(x.SetSheetName("Sheet1", t.sheet))
	for _, c := range ds.Columns {
		if c.Codes != "" && codes != nil && t.codes[c.Codes] == nil {
			t.codes[c.Codes] = unique(codes(c.Codes))
		}
	}
	t.writeCodes()
	t.writeHeadings()
	t.writeHelp()
	t.try(x.SetDocProps(&excelize.DocProperties{Title: ds.Title + "填报模板", Subject: fmt.Sprintf("%s 第 %d 版", ds.Code, ds.Version), Creator: "mulu"}))
	t.try(t.order())
	if t.err == nil {
		_, t.err = x.WriteTo(w)
	}
	if t.err != nil {
		return fmt.Errorf("write template of dataset %s: %w", ds.Code, t.err)
	}
	return nil
}

type template struct {
	x     *excelize.File
	ds    *mulu.Dataset
	sheet string
	codes map[string][]Code
	lists map[string]string // of a code table, where a drop-down finds its values
	err   error
}

func (t *template) try(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *template) style(s *excelize.Style) int {
	id, err := t.x.NewStyle(s)
	t.try(err)
	return id
}

// order puts the sheet that is filled first.
func (t *template) order() error {
	at, err := t.x.GetSheetIndex(t.sheet)
	if err != nil {
		return err
	}
	t.x.SetActiveSheet(at)
	return nil
}

// sheetName is a title that a sheet may have.
func sheetName(title string) string {
	s := strings.Map(func(c rune) rune {
		if strings.ContainsRune(`:\/?*[]'`, c) || c < ' ' {
			return -1
		}
		return c
	}, title)
	if s = strings.TrimSpace(s); s == "" || s == helpSheet || s == codeSheet {
		return "填报"
	}
	r := []rune(s)
	return string(r[:min(len(r), 31)])
}

func unique(in []Code) []Code {
	seen := map[string]bool{}
	out := []Code{}
	for _, c := range in {
		if !seen[c.Code] {
			seen[c.Code] = true
			out = append(out, c)
		}
	}
	return out
}

func at(col, row int) string { return fmt.Sprintf("%s%d", columnName(col), row) }

// writeCodes writes the code tables to a sheet of their own, hidden since it is only
// for drop-downs, each as a code and what it means, with a name for the codes.
func (t *template) writeCodes() {
	col, done := 1, map[string]bool{}
	text := t.style(&excelize.Style{NumFmt: 49})
	for _, c := range t.ds.Columns {
		table := t.codes[c.Codes]
		if c.Codes == "" || len(table) == 0 || len(table) >= maxRows || done[c.Codes] {
			continue
		}
		done[c.Codes] = true
		if col == 1 {
			_, err := t.x.NewSheet(codeSheet)
			t.try(err)
			t.try(t.x.SetSheetVisible(codeSheet, false))
		}
		first, second := columnName(col), columnName(col+1)
		t.try(t.x.SetColStyle(codeSheet, first+":"+second, text))
		t.try(t.x.SetSheetRow(codeSheet, first+"1", &[]any{c.Codes, "含义"}))
		short := 0
		for i, code := range table {
			t.try(t.x.SetSheetRow(codeSheet, at(col, i+2), &[]any{code.Code, code.Title}))
			short += len(code.Code) + 1
		}
		name := "codes_" + strings.Map(func(c rune) rune {
			if c == '-' || c == ' ' {
				return '_'
			}
			return c
		}, c.Codes)
		t.try(t.x.SetDefinedName(&excelize.DefinedName{Name: name, RefersTo: fmt.Sprintf("'%s'!$%s$2:$%s$%d", codeSheet, first, first, len(table)+1)}))
		t.lists[c.Codes] = name
		if short <= longestList {
			t.lists[c.Codes] = "" // the values themselves
		}
		col += 2
	}
}

// writeHeadings writes the sheet that is filled: titles, a hidden row with the columns'
// names, which Open knows, and the formats of what comes below.
func (t *template) writeHeadings() {
	base := excelize.Style{
		Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDEBF7"}},
		Alignment: &excelize.Alignment{Horizontal: "center", Vertical: "center", WrapText: true},
		Border:    []excelize.Border{{Type: "bottom", Color: "808080", Style: 1}, {Type: "right", Color: "BFBFBF", Style: 1}},
	}
	plain := t.style(&base)
	base.Font = &excelize.Font{Bold: true, Color: "C00000"}
	must := t.style(&base)
	for i, c := range t.ds.Columns {
		col := columnName(i + 1)
		t.try(t.x.SetColStyle(t.sheet, col, t.style(cellStyle(c))))
		t.try(t.x.SetColWidth(t.sheet, col, col, float64(min(max(c.Length, 2*len([]rune(c.Title))+4, 12), 40))))
		title, style := headingOf(c), plain
		if t.must(c) {
			title, style = title+"*", must
		}
		t.try(t.x.SetCellStr(t.sheet, at(i+1, 1), title))
		t.try(t.x.SetCellStyle(t.sheet, at(i+1, 1), at(i+1, 1), style))
		t.try(t.x.SetCellStr(t.sheet, at(i+1, 2), c.Name))
		t.try(t.x.AddComment(t.sheet, excelize.Comment{Cell: at(i+1, 1), Author: "mulu", Width: 260, Height: 110,
			Paragraph: []excelize.RichTextRun{{Text: strings.Join(t.rules(c), "\n")}}}))
		t.validate(c, i+1)
	}
	t.try(t.x.SetRowHeight(t.sheet, 1, 32))
	t.try(t.x.SetRowVisible(t.sheet, 2, false))
	t.try(t.x.SetPanes(t.sheet, &excelize.Panes{Freeze: true, YSplit: 2, TopLeftCell: "A3", ActivePane: "bottomLeft"}))
}

// headingOf is the heading of a column: its title, or its name if another has the title.
func headingOf(c mulu.Column) string {
	if c.Title == "" {
		return c.Name
	}
	return c.Title
}

// must says whether a column is to be filled in every row.
func (t *template) must(c mulu.Column) bool {
	for _, k := range t.ds.Key {
		if k == c.Name {
			return true
		}
	}
	return c.Required
}

func cellStyle(c mulu.Column) *excelize.Style {
	s := &excelize.Style{NumFmt: 49}
	custom := ""
	switch c.Type {
	case mulu.Int:
		s.NumFmt = 1
	case mulu.Decimal:
		if s.NumFmt = 1; c.Scale > 0 {
			custom = "0." + strings.Repeat("0", c.Scale)
		}
	case mulu.Date:
		custom = "yyyy-mm-dd"
	case mulu.DateTime:
		custom = "yyyy-mm-dd hh:mm:ss"
	}
	if custom != "" {
		s.NumFmt, s.CustomNumFmt = 0, &custom
	}
	return s
}

// validate gives a column its drop-down, or the bound of its length.
func (t *template) validate(c mulu.Column, col int) {
	v := excelize.NewDataValidation(true)
	v.Sqref = fmt.Sprintf("%s:%s", at(col, 3), at(col, maxRows))
	switch table := t.codes[c.Codes]; {
	case c.Type == mulu.Bool:
		t.try(v.SetDropList([]string{"是", "否"}))
	case c.Codes != "" && len(table) > 0 && t.lists[c.Codes] == "":
		var list []string
		for _, code := range table {
			list = append(list, code.Code)
		}
		t.try(v.SetDropList(list))
	case c.Codes != "" && len(table) > 0:
		v.SetSqrefDropList(t.lists[c.Codes])
	case c.Type == mulu.String && c.Length > 0:
		t.try(v.SetRange(0, c.Length, excelize.DataValidationTypeTextLength, excelize.DataValidationOperatorBetween))
	default:
		return
	}
	v.SetError(excelize.DataValidationErrorStyleStop, clip(headingOf(c), 20), clip(strings.Join(t.rules(c)[1:], "；"), 200))
	t.try(t.x.AddDataValidation(t.sheet, v))
}

// rules says in a few lines what a column holds.
func (t *template) rules(c mulu.Column) []string {
	out := []string{fmt.Sprintf("%s（%s）", headingOf(c), c.Name), typeName(c)}
	if t.must(c) {
		out = append(out, "必填")
	}
	if c.Codes != "" {
		out = append(out, "填代码，值域："+c.Codes)
		if meant := meanings(t.codes[c.Codes], 12); meant != "" {
			out = append(out, meant)
		}
	}
	if e := t.example(c); e != "" {
		out = append(out, "例："+e)
	}
	return out
}

func meanings(codes []Code, most int) string {
	var out []string
	for _, c := range codes {
		if c.Title == "" {
			return ""
		}
		if len(out) == most {
			out = append(out, "……")
			break
		}
		out = append(out, c.Code+" "+c.Title)
	}
	return strings.Join(out, "；")
}

func typeName(c mulu.Column) string {
	switch c.Type {
	case mulu.Int:
		return "整数"
	case mulu.Decimal:
		return fmt.Sprintf("小数，至多 %d 位小数", c.Scale)
	case mulu.Date:
		return "日期"
	case mulu.DateTime:
		return "日期时间（北京时间）"
	case mulu.Bool:
		return "是/否"
	}
	if c.Length > 0 {
		return fmt.Sprintf("文本，至多 %d 个字符", c.Length)
	}
	return "文本"
}

func (t *template) example(c mulu.Column) string {
	switch c.Type {
	case mulu.Int:
		return "3"
	case mulu.Decimal:
		if c.Scale > 0 {
			return "12." + strings.Repeat("5", c.Scale)
		}
		return "12"
	case mulu.Date:
		return "2026-01-05"
	case mulu.DateTime:
		return "2026-01-05 08:30:00"
	case mulu.Bool:
		return "是"
	}
	if table := t.codes[c.Codes]; len(table) > 0 {
		return table[0].Code
	}
	return ""
}

// notes stand above the table of columns.
var notes = []string{
	"1. 从标题下第一行空白行起填写，一行一条；不要改动、合并或移动标题，不要删除隐藏的第 2 行。",
	"2. 身份证号、统一社会信用代码、电话、各类代码和编号须为文本。本模板已把这些列设为文本；从别处粘贴时请“选择性粘贴为数值”，否则 Excel 会把 16 位以上的数字舍入、丢掉前面的 0、或显示成 1.23E+17，这样的行不能入库，会成为问题数据。",
	"3. 有下拉框的列填代码，不填名称；数据区不要合并单元格，不要留公式。",
	"4. 带 * 的列（红字）必填；没有值的格留空，不要填“无”“-”“/”。",
	"5. 只填写、上传第一张工作表；本文件没有宏。",
}

func (t *template) writeHelp() {
	_, err := t.x.NewSheet(helpSheet)
	t.try(err)
	bold := t.style(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDEBF7"}}})
	wrap := t.style(&excelize.Style{NumFmt: 49, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	big := t.style(&excelize.Style{Font: &excelize.Font{Bold: true, Size: 14}})
	set := func(col, row, style int, s string) {
		t.try(t.x.SetCellStr(helpSheet, at(col, row), s))
		t.try(t.x.SetCellStyle(helpSheet, at(col, row), at(col, row), style))
	}
	set(1, 1, big, fmt.Sprintf("%s（%s，第 %d 版）填表说明", t.ds.Title, t.ds.Code, t.ds.Version))
	row := 2
	for _, n := range notes {
		t.try(t.x.MergeCell(helpSheet, at(1, row), at(8, row)))
		set(1, row, wrap, n)
		t.try(t.x.SetRowHeight(helpSheet, row, 32))
		row++
	}
	row++
	for i, h := range []string{"标题", "字段名", "类型", "必填", "主键", "值域（代码表）", "示例", "代码含义"} {
		set(i+1, row, bold, h)
	}
	for _, c := range t.ds.Columns {
		row++
		key := ""
		for _, k := range t.ds.Key {
			if k == c.Name {
				key = "是"
			}
		}
		must := ""
		if t.must(c) {
			must = "是"
		}
		for i, s := range []string{headingOf(c), c.Name, typeName(c), must, key, c.Codes, t.example(c), meanings(t.codes[c.Codes], 60)} {
			set(i+1, row, wrap, s)
		}
	}
	for i, width := range []float64{22, 18, 24, 6, 6, 22, 22, 60} {
		t.try(t.x.SetColWidth(helpSheet, columnName(i+1), columnName(i+1), width))
	}
}
