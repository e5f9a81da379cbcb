package httpapi

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"mulu/ingest"
	"mulu/internal/clock"
	api "mulu/internal/httpapi/gen/ingest"
)

// verdictTitles are the verdicts on paper.
var verdictTitles = map[ingest.Verdict]string{
	ingest.Even: "平", ingest.InFlight: "在途", ingest.Purged: "源端已清除", ingest.Rebuilt: "源端已重建", ingest.Unread: "未核", ingest.Uneven: "不平",
}

// DownloadStatement gives the two-sided table: a row for each partition, and below it
// one for each batch that differs, and one for each difference.
func (h ingestRoom) DownloadStatement(ctx context.Context, req api.DownloadStatementRequestObject) (api.DownloadStatementResponseObject, error) {
	st, err := h.Desk.Statements.Get(ctx, req.Id, passOf(ctx).scope)
	if err != nil {
		return nil, err
	}
	names, err := h.sumNames(ctx)
	if err != nil {
		return nil, err
	}
	return statementFile{st: st, names: names, xlsx: value(req.Params.Format) == api.Xlsx}, nil
}

type statementFile struct {
	st    *ingest.Statement
	names map[string]string
	xlsx  bool
}

func (f statementFile) VisitDownloadStatementResponse(w http.ResponseWriter) error {
	kind, ext, write := "text/csv; charset=utf-8", "csv", f.writeCSV
	if f.xlsx {
		kind, ext, write = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", f.writeXLSX
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+fileName(f.st.ID)+"."+ext+`"`)
	w.Header().Set("X-Mulu-Digest", f.st.Digest)
	return write(w)
}

var statementHeads = []string{
	"层次", "数据集", "名称", "单位", "分区", "起始位点", "截止位点", "结论",
	"源端位点", "源端记录", "源端控制记录", "源端字节", "源端应入库", "源端应拒收", "源端应得行", "源端摘要", "源端行内容",
	"落地位点", "落地记录", "落地控制记录", "落地字节", "落地入库", "落地问题数据", "落地行", "落地摘要", "落地行内容",
	"记录差", "行差", "在途", "说明",
}

// rows are the table's rows: texts and int64s.
func (f statementFile) rows() (out [][]any) {
	for i := range f.st.Lines {
		l := &f.st.Lines[i]
		place := []any{string(l.Dataset), l.Title, f.names[string(l.Owner)], int64(l.Partition)}
		row := func(level string, first, last int64, v ingest.Verdict, s, g ingest.Side, waiting int64, note string) {
			r := append(append([]any{level}, place...), first, last, verdictTitles[v])
			r = append(append(r, sideCells(s)...), sideCells(g)...)
			out = append(out, append(r, g.Records-s.Records, g.Rows-s.Rows, waiting, note))
		}
		row("分区", l.From, l.To, l.Verdict, l.Source, l.Landed, l.Waiting, strings.Join(l.Notes, "；")+more(l.More, "批"))
		for _, b := range l.Differing {
			row("批次", b.First, b.Last, b.Verdict, b.Source, b.Landed, 0, b.Note+more(b.More, "处差异"))
			for _, d := range b.Differences {
				r := append(append([]any{"差异"}, place...), d.Offset, d.Last, differenceTitles[d.Kind])
				for len(r) < len(statementHeads)-1 {
					r = append(r, "")
				}
				note := d.Note
				if d.Row > 0 {
					note += fmt.Sprintf(" 第 %d 行", d.Row)
				}
				if len(d.Fields) > 0 {
					note += " 字段 " + strings.Join(d.Fields, "、")
				}
				out = append(out, append(r, strings.TrimSpace(note)))
			}
		}
	}
	return out
}

func more(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("（另有 %d %s未列出）", n, what)
}

func sideCells(s ingest.Side) []any {
	return []any{s.Offsets, s.Records, s.Control, s.Bytes, s.Good, s.Rejected, s.Rows, s.Digest, s.Content}
}

// head are the lines above the table.
func (f statementFile) head() [][2]string {
	who := f.st.Actor
	if who == "" {
		who = "定时对账"
	}
	moment := func(t interface{ Format(string) string }) string { return t.Format("2006-01-02 15:04:05") }
	return [][2]string{
		{"对账单", f.st.ID}, {"结论", verdictTitles[f.st.Verdict]}, {"发起", who},
		{"开始", moment(f.st.Started.In(clock.Shanghai))}, {"完成", moment(f.st.Finished.In(clock.Shanghai))}, {"摘要", f.st.Digest},
	}
}

// writeCSV begins with a byte order mark: without it the spreadsheets in use take
// Chinese for GBK.
func (f statementFile) writeCSV(w io.Writer) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	for _, kv := range f.head() {
		c.Write([]string{kv[0], harmless(kv[1])}) //nolint:errcheck // Error tells
	}
	c.Write(nil)            //nolint:errcheck // ditto
	c.Write(statementHeads) //nolint:errcheck // ditto
	for _, row := range f.rows() {
		cells := make([]string, len(row))
		for i, v := range row {
			switch v := v.(type) {
			case int64:
				cells[i] = strconv.FormatInt(v, 10)
			case string:
				cells[i] = harmless(v)
			}
		}
		c.Write(cells) //nolint:errcheck // ditto
	}
	c.Flush()
	return c.Error()
}

// harmless keeps a spreadsheet from taking text for a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
}

// writeXLSX makes one sheet, sides coloured and what differs in red.
func (f statementFile) writeXLSX(w io.Writer) (err error) {
	x := excelize.NewFile()
	defer x.Close()
	const sheet = "对账单"
	var faults []error
	try := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	try(x.SetSheetName("Sheet1", sheet))
	fill := func(color, font string, bold bool) int {
		s := &excelize.Style{Font: &excelize.Font{Bold: bold, Color: font}}
		if color != "" {
			s.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{color}}
		}
		id, err := x.NewStyle(s)
		try(err)
		return id
	}
	plain, source, landed, wrong := fill("EEEEEE", "", true), fill("DCE9F7", "", true), fill("DDF0E0", "", true), fill("", "B3261E", false)
	at := 1
	cell := func(col, row int) string {
		name, err := excelize.CoordinatesToCellName(col, row)
		try(err)
		return name
	}
	for _, kv := range f.head() {
		try(x.SetSheetRow(sheet, cell(1, at), &[]any{kv[0], kv[1]}))
		at++
	}
	at++
	heads := make([]any, len(statementHeads))
	for i, s := range statementHeads {
		heads[i] = s
	}
	try(x.SetSheetRow(sheet, cell(1, at), &heads))
	try(x.SetCellStyle(sheet, cell(1, at), cell(len(heads), at), plain))
	try(x.SetCellStyle(sheet, cell(9, at), cell(17, at), source))
	try(x.SetCellStyle(sheet, cell(18, at), cell(26, at), landed))
	try(x.SetPanes(sheet, &excelize.Panes{Freeze: true, XSplit: 8, YSplit: at, TopLeftCell: cell(9, at+1), ActivePane: "bottomRight"}))
	try(x.SetColWidth(sheet, "A", "AC", 13))
	try(x.SetColWidth(sheet, "AD", "AD", 60))
	for _, row := range f.rows() {
		at++
		try(x.SetSheetRow(sheet, cell(1, at), &row))
		if row[0] == "差异" || row[7] == verdictTitles[ingest.Uneven] {
			try(x.SetCellStyle(sheet, cell(1, at), cell(len(heads), at), wrong))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("write statement %s: %w", f.st.ID, faults[0])
	}
	return x.Write(w)
}
