package declare

import (
	"regexp"
	"strconv"
	"time"

	"mulu"
)

// partForm is one part of a table's or column's name. Names come into SQL text, quoted:
// what could end a quotation is not let in.
var partForm = regexp.MustCompile(`^[\p{Han}A-Za-z_][\p{Han}A-Za-z0-9_]{0,99}$`)

// nameForm is [[database.]schema.]table.
var nameForm = regexp.MustCompile(`^[\p{Han}A-Za-z_][\p{Han}A-Za-z0-9_]{0,99}(\.[\p{Han}A-Za-z_][\p{Han}A-Za-z0-9_]{0,99}){0,2}$`)

// leastEvery keeps a department's database from being asked all the time.
const leastEvery = 10 * time.Second

// tableWay checks how a table of an exchange database is pulled (前置库).
func (l *loader) tableWay(d *document, at string, w *wayDoc, way *mulu.Way) {
	for _, f := range []struct{ field, value string }{{"connection", w.Connection}, {"table", w.Table}, {"mode", w.Mode}, {"every", w.Every}} {
		if f.value == "" {
			d.fault(at+"."+f.field, "库表方式必填：connection（配置中的连接名）、table、mode 和 every 缺一不可")
		}
	}
	for _, f := range []struct {
		field, value string
		form         *regexp.Regexp
	}{{"table", w.Table, nameForm}, {"control", w.Control, nameForm}, {"column", w.Column, partForm}, {"batch", w.Batch, partForm}} {
		if f.value != "" && !f.form.MatchString(f.value) {
			d.fault(at+"."+f.field, "%q 不是可用的名字：只含字母、数字、下划线和汉字，不以数字开头，表名前可有库名或模式名和点", f.value)
		}
	}
	if way.Every > 0 && way.Every < leastEvery {
		d.fault(at+".every", "至少 %s，现在是 %s", leastEvery, way.Every)
	}
	increment := w.Mode == "increment"
	if increment && w.Column == "" {
		d.fault(at+".column", "mode: increment 需要 column：每次变更都会增大的列，如更新时间")
	}
	other := w.Mode == "range" || w.Mode == "compare"
	if other && w.Column != "" {
		d.fault(at+".column", "只有 mode: increment 使用 column，现在是 %s", w.Mode)
	}
	if w.Overlap != "" {
		if other {
			d.fault(at+".overlap", "只有 mode: increment 使用 overlap")
		}
		if n, err := strconv.ParseInt(w.Overlap, 10, 64); err == nil && n >= 0 {
			way.OverlapSteps = n
		} else if way.Overlap, err = parseSpan(w.Overlap); err != nil {
			d.fault(at+".overlap", "%q 应为一段时间（10分钟、2小时）或一个整数", w.Overlap)
		}
	}
	if w.MaxDelete != 0 && w.Mode != "compare" {
		d.fault(at+".max_delete", "只有 mode: compare 会删除，才使用 max_delete")
	}
	if w.Batch != "" && (w.Control == "" || w.Mode != "range") {
		d.fault(at+".batch", "batch（批次号列）须与 control（批次控制表）和 mode: range 同用")
	}
	for _, f := range []struct {
		field string
		given bool
	}{{"folder", w.Folder != ""}, {"sheet", w.Sheet != ""}, {"header", w.Header != 0}, {"encoding", w.Encoding != ""}} {
		if f.given {
			d.fault(at+"."+f.field, "库表方式不使用 %s", f.field)
		}
	}
}
