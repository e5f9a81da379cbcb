// Package file reads what departments deliver as files (CSV, XLSX, Parquet) into rows
// of a dataset, judges what Excel did to them, makes the templates that departments
// fill, and gives a file back with its failing cells marked. It neither sends nor
// keeps anything: that is the service's, by ingest/submit.
//
// A file is read as a stream and row by row: a damaged row goes out with a note that
// makes it a reject, as it was shown, and never repaired by guess; the rows after it
// are read as ever. What can be known before the first row (sheets, headings and what
// they were taken for, what stands against sending at all) is the Layout.
package file

import (
	"mulu"
)

// Format is what a file is.
type Format string

// The formats that are read.
const (
	CSV     Format = "csv"
	XLSX    Format = "xlsx"
	Parquet Format = "parquet"
)

// Options say how a file is to be read; the zero value detects everything.
type Options struct {
	Sheet     string // "" is the first visible one that has rows
	Header    int    // row of the headings, the topmost of them if they have levels; 1-based, 0 detects it
	Encoding  string // of a CSV: "utf-8", "gb18030", "utf-16le" or "utf-16be"; "" detects it
	Delimiter rune   // of a CSV: 0 detects it
	// Map gives columns to headings, "" to a heading that is to be ignored. What it does
	// not name is matched by column name, then by title.
	Map map[string]string
	// Check says whether a value carries a check digit that holds (quality/ident); applies
	// is false for a column without one. It only sharpens what is said of a number cell in
	// an identifier's column. It may be nil.
	Check func(column mulu.Column, value string) (ok, applies bool)
}

// Layout is what is known of a file before its rows are read.
type Layout struct {
	Format    Format
	Encoding  string // of a CSV
	Delimiter rune   // of a CSV
	Sheets    []Sheet
	Sheet     string // the one that is read
	Header    int    // row of the headings, the topmost of them; 1-based
	Levels    int    // how many rows the headings take
	Columns   []Column
	Missing   []string // names of key and required columns that no heading was taken for
	Refusal   string   // why the file can not be sent, Chinese; "" if it can
	Notes     []string // what the reader should know, Chinese: hidden sheets, ignored headings
	Total     int64    // rows below the headings, 0 if nobody knows
	Exact     bool     // Total is exact; else an estimate that blank rows raise
}

// Sheet is a sheet of a workbook.
type Sheet struct {
	Name   string
	Rows   int64 // rows the sheet says it has, headings among them; 0 if it does not say
	Hidden bool
}

// How a heading found its column.
const (
	ByMap   = "map"
	ByName  = "name"
	ByTitle = "title"
	ByNone  = "none" // it has none and is ignored
)

// Column is a heading of the file.
type Column struct {
	Heading string   // as it stands; of several levels 上级_下级
	Column  string   // the dataset's column, "" if it is ignored
	By      string   // see ByMap
	Samples []string // at most three different values, as shown
}

// Row is a row of the file that is not blank.
type Row struct {
	Number     int    // row in the sheet, line in the CSV where it begins, row of the Parquet; 1-based
	Key, Value []byte // what is to be sent: submit.Key of the business key and a JSON object
	Note       *mulu.Note
	Faults     []Fault  // of every damaged cell; the first is what Note says
	Cells      []string // as shown, in the order of Layout.Columns
}

// Fault is something wrong with a cell, or with a row as a whole (Cell is ""). Rule is
// empty here: it is for faults that the dataset's rules find.
type Fault struct {
	Sheet   string
	Row     int
	Column  int    // 1-based, 0 for the row
	Cell    string // "C5"
	Heading string
	Class   string // see Title
	Field   string // the dataset's column
	Rule    string
	Reason  string // Chinese: what it is and how to mend it
}

// Tally counts what was read so far.
type Tally struct {
	Rows       int64            // read, blank ones apart
	Damaged    int64            // of them with a fault
	Blank      int64            // skipped
	Hidden     int64            // rows that are hidden in the sheet; they are read like others
	Formulas   int64            // cells whose value was calculated
	Normalised map[string]int64 // values of a column read from another form without loss, such as a number cell for a text
	ByClass    map[string]int64 // faults
}

// Code is a value of a code table and what it means.
type Code struct{ Code, Title string }

// Classes of damage. Those of Excel begin with "excel.".
const (
	ClassRounded    = "excel.rounded"
	ClassScientific = "excel.scientific"
	ClassZeros      = "excel.zeros"
	ClassDate       = "excel.date"
	ClassMerged     = "excel.merged"
	ClassError      = "excel.error"
	ClassFormula    = "excel.formula"
	ClassNumber     = "excel.number"
	ClassFullWidth  = "file.fullwidth"
	ClassRagged     = "file.ragged"
	ClassQuote      = "file.quote"
	ClassEncoding   = "file.encoding"
	ClassValue      = "file.value"
	ClassEmpty      = "file.empty"
	ClassLong       = "file.long"
)

var titles = map[string]string{
	ClassRounded:    "长编号被 Excel 舍入（只保留 15 位）",
	ClassScientific: "长编号变成科学计数法",
	ClassZeros:      "前导零丢失",
	ClassDate:       "日期与数字、文本互变",
	ClassMerged:     "数据区有合并单元格",
	ClassError:      "单元格是错误值（#N/A 等）",
	ClassFormula:    "公式没有计算结果",
	ClassNumber:     "文本列里存成了数字",
	ClassFullWidth:  "编号、数字或日期含全角字符",
	ClassRagged:     "列数与表头行不符",
	ClassQuote:      "引号不成对",
	ClassEncoding:   "字符编码损坏",
	ClassValue:      "值不符合字段类型",
	ClassEmpty:      "主键或必填项为空",
	ClassLong:       "一行过长",
}

// Title is a class's Chinese name, "" for a class that is not this package's.
func Title(class string) string { return titles[class] }
