package mulu

import "time"

// Way is one way, beside its Kafka topic, in which a department delivers a dataset
// (报送方式). It is declared in the dataset's manifest and may change without a new
// dataset version: whatever the way, rows land on the dataset's topic and enter from
// there. Which fields a kind uses is said at each.
type Way struct {
	Kind WayKind `json:"kind"`
	// Name tells ways of one kind apart, e.g. "main"; lower-case, unique in a dataset.
	Name string `json:"name"`

	// Table and file: how headings or columns of the source become columns of the
	// dataset, by source name; what is not named is matched by name, then by title.
	Map map[string]string `json:"map,omitempty"`
	// File and http: the encoding of text, "utf-8" (default) or "gb18030", which holds GBK.
	Encoding string `json:"encoding,omitempty"`

	// Table (前置库).
	Connection string        `json:"connection,omitempty"` // name in the configuration, which holds address and password
	Table      string        `json:"table,omitempty"`      // [schema.]table or view
	Mode       string        `json:"mode,omitempty"`       // "increment", "range" or "compare"
	Column     string        `json:"column,omitempty"`     // increment: a column that grows with every change
	Every      time.Duration `json:"every,omitempty"`      // how often it is pulled
	Hours      string        `json:"hours,omitempty"`      // "22:00-06:00", Asia/Shanghai; "" is any time
	RowsPerSec int64         `json:"rows_per_sec,omitempty"`
	Control    string        `json:"control,omitempty"` // batch control table with receipts, "" for none
	Batch      string        `json:"batch,omitempty"`   // with Control: the column of Table that names a row's batch
	// Increment: how far below the last value each run reads again, since rows may be
	// committed later than their value says; a span of time, or so many numbers.
	Overlap      time.Duration `json:"overlap,omitempty"`
	OverlapSteps int64         `json:"overlap_steps,omitempty"`
	// Compare: at most so many percent of the rows are deleted in one run unless a person
	// agrees; 0 is 50.
	MaxDelete int64 `json:"max_delete,omitempty"`

	// File: the folder below the drop directory; "" is the dataset's code.
	Folder string `json:"folder,omitempty"`
	Sheet  string `json:"sheet,omitempty"` // "" is the first
	Header int    `json:"header,omitempty"`
	// Policy says what becomes of a file with rows that do not fit: "all" (default) sends
	// them too and they become problem rows, "clean" takes a file only if every row fits.
	Policy string `json:"policy,omitempty"`
}

// FolderFor is the folder of a way of kind file: its own, or the code of its dataset.
func (w *Way) FolderFor(dataset DatasetCode) string {
	if w.Folder != "" {
		return w.Folder
	}
	return string(dataset)
}

// WayKind is a kind of way.
type WayKind string

// The kinds of way. Only a table, a file folder and a package are declared; the others
// are open to whoever may deliver the dataset.
const (
	WayTable   WayKind = "table"   // 库表（前置库）
	WayFile    WayKind = "file"    // 文件：投递目录、SFTP、上传
	WayHTTP    WayKind = "http"    // 接口
	WayPackage WayKind = "package" // 离线包
	WayNil     WayKind = "nil"     // 零报告：本期无变化
)

// HeaderNote is the record header by which a way tells ingest what a record's value
// can not say: that it deletes its key, or that its source was damaged before it came
// here. Its value is a Note as JSON.
const HeaderNote = "mulu-note"

// Note is what a way says of one record.
type Note struct {
	// Delete: the value is a JSON object with at least the business key, which is deleted.
	Delete bool `json:"delete,omitempty"`
	// Class, Field and Reason make the record a reject as they stand (see Reject).
	Class  string `json:"class,omitempty"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason,omitempty"`
}
