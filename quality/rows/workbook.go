package rows

import (
	"fmt"
	"io"
	"strconv"

	"github.com/xuri/excelize/v2"
)

// The worksheets of a file.
const (
	aboutSheet = "说明"
	rowsSheet  = "不合格行"
)

// workbook is an XLSX file. Rows go to disk as they come; texts are cells of the text
// format, so that no identifier loses its zeros or its last digits.
type workbook struct {
	file  *excelize.File
	out   io.Writer
	rows  *excelize.StreamWriter
	text  int // style
	at    int
	cut   int64
	cells []any
}

func newWorkbook(w io.Writer, dir string, about [][2]string, heads []string) (*workbook, error) {
	b := &workbook{file: excelize.NewFile(excelize.Options{TmpDir: dir}), out: w}
	if err := b.begin(about, heads); err != nil {
		b.file.Close()
		return nil, fmt.Errorf("begin workbook: %w", err)
	}
	return b, nil
}

func (b *workbook) begin(about [][2]string, heads []string) (err error) {
	// Straight to where the file goes: the library would hold all of it in memory first.
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return fastZip(b.out) })
	textFormat := 49 // "@"
	if b.text, err = b.file.NewStyle(&excelize.Style{NumFmt: textFormat}); err != nil {
		return err
	}
	bold, err := b.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, NumFmt: textFormat, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"EEEEEE"}}})
	if err != nil {
		return err
	}
	if err := b.file.SetSheetName("Sheet1", aboutSheet); err != nil {
		return err
	}
	for i, kv := range about {
		line := []any{kv[0], Harmless(kv[1])}
		if err := b.file.SetSheetRow(aboutSheet, "A"+strconv.Itoa(i+1), &line); err != nil {
			return err
		}
	}
	if err := b.file.SetColWidth(aboutSheet, "A", "B", 24); err != nil {
		return err
	}
	if _, err := b.file.NewSheet(rowsSheet); err != nil {
		return err
	}
	b.file.SetActiveSheet(1)
	if b.rows, err = b.file.NewStreamWriter(rowsSheet); err != nil {
		return err
	}
	if err := b.rows.SetColWidth(1, len(heads), 20); err != nil {
		return err
	}
	if err := b.rows.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	for _, h := range heads {
		b.cells = append(b.cells, excelize.Cell{StyleID: bold, Value: h})
	}
	b.at = 1
	return b.rows.SetRow("A1", b.cells)
}

func (b *workbook) row(cells []cell) error {
	b.cells = b.cells[:0]
	for _, c := range cells {
		if f, err := strconv.ParseFloat(c.text, 64); c.number && err == nil && numeric(c.text) {
			b.cells = append(b.cells, f)
			continue
		}
		text, cut := fit(Harmless(c.text))
		if cut {
			b.cut++
		}
		b.cells = append(b.cells, excelize.Cell{StyleID: b.text, Value: text})
	}
	b.at++
	return b.rows.SetRow("A"+strconv.Itoa(b.at), b.cells)
}

func (b *workbook) close() (cut int64, err error) {
	defer b.file.Close() // what spilled to disk goes
	if err := b.rows.Flush(); err != nil {
		return 0, err
	}
	return b.cut, b.file.Write(io.Discard)
}
