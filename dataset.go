package mulu

import "time"

// Type is the logical type of a column. Its form in Arrow and in ClickHouse is
// fixed here once, so that decode, check and store agree:
//
//	string    arrow.String                  String
//	int       arrow.Int64                   Int64
//	decimal   arrow.Decimal128(18, Scale)   Decimal(18, Scale)
//	date      arrow.Date32                  Date32
//	datetime  arrow.Timestamp[ms, UTC]      DateTime64(3, 'Asia/Shanghai')
//	bool      arrow.Boolean                 Bool
//
// A column that is not Required is Nullable on both sides.
type Type string

// The types a column may have.
const (
	String   Type = "string"
	Int      Type = "int"
	Decimal  Type = "decimal"
	Date     Type = "date"
	DateTime Type = "datetime"
	Bool     Type = "bool"
)

// Column is one data item (数据项) of a dataset version.
type Column struct {
	Name string // field name in the source and in the library, e.g. "id_no"
	// Path is where a JSON record has the value, member names from the record inwards
	// with dots between ("person.name"); "" is Name. Left out of digests when empty: a
	// version without paths keeps the digest it had.
	Path     string `json:",omitempty"`
	Title    string // Chinese name
	Type     Type
	Length   int    // string: most characters allowed; 0 is unlimited
	Scale    int    // decimal: digits after the point, at most 18
	Required bool   // must be present and not a placeholder; a key column always is
	Codes    string // name of the code table its values come from, "" for none
	Level    Level
	PI       string // kind of personal information (name, id_no, phone, address …), "" for none
	// Unit of a datetime that a change feed without schema block writes as a number:
	// "ms", "us" or "ns"; "" refuses such a number.
	Unit string `json:",omitempty"`
}

// Rule declares one row rule of a dataset version. Kinds and their parameters are
// defined by quality; a rule is data here so that a version fixes it.
type Rule struct {
	ID        RuleID
	Title     string // Chinese, shown to stewards
	Kind      string
	Columns   []string
	Params    map[string]string
	Blocking  bool   // 强: a row that breaks it is rejected; else 弱: it is flagged and scored
	Indicator string // DB31/T 1523-2024 code, six digits, e.g. "030100"
	// When is a condition on the row (plan/expr); rows for which it is not true are not
	// judged. "" judges every row.
	When string `json:",omitempty"`
	// Mostly is the share of judged rows, in (0,1], that must be in order for the rule to
	// hold as a whole; 0 is all of them. It changes a verdict, never a count.
	Mostly float64 `json:",omitempty"`
	// Responsible is who answers for what breaks it: ResponsibleCity, or "" for the district.
	Responsible string `json:",omitempty"`
}

// SetRule declares a rule over the whole dataset, evaluated in the library. Kinds and
// their parameters are defined by quality (docs/rules.md).
type SetRule struct {
	ID        RuleID
	Title     string
	Kind      string // "unique", "fresh", "references" …
	Columns   []string
	Params    map[string]string
	Indicator string
	When      string  `json:",omitempty"` // as of a Rule
	Mostly    float64 `json:",omitempty"` // as of a Rule
	// Blocking is 强: a failure caps the grade and can stop what follows; no row of it is
	// rejected, since it is known only when the rows are stored.
	Blocking    bool   `json:",omitempty"`
	Responsible string `json:",omitempty"` // as of a Rule
}

// ResponsibleCity marks a rule whose faults the city has to mend (市级转办).
const ResponsibleCity = "市级"

// Dataset is one version of a dataset: it fixes columns, levels and rules. A new
// version takes effect at a planned offset (design invariant 4). Columns[i]'s
// position never changes inside a version; row rule i sets bit i of a row's
// flags, so a version has at most 64 row rules.
type Dataset struct {
	Code    DatasetCode
	Title   string
	Version uint32
	Catalog CatalogCode
	Owner   OrgCode
	System  string // source system id
	Library string // ClickHouse database, e.g. "lib_population"
	Topic   string
	Format  string // what a record is, see the Format constants
	// Encoding of a record's text: "" is UTF-8, "gb18030" holds GBK and GB 2312. Left out
	// of digests when empty: a version without one keeps the digest it had.
	Encoding string `json:",omitempty"`
	Columns  []Column
	Key      []string // business key, in sorting order
	History  bool     // keep every change in <code>_history
	Rules    []Rule
	SetRules []SetRule
	Cycle    time.Duration // how often new data is due; 0 is irregular
	Grace    time.Duration
	Sample   bool // demonstration data: every page says 演示数据
	// Baseline is the day ("2006-01-02", Shanghai) before which rows are 历史存量: nobody is
	// asked to answer for them today. "" is none.
	Baseline string `json:",omitempty"`
	// UnitBy is the column that says who answers for a row (责任单位): its division
	// names the street of that division, any other column an organisation by its code.
	// "" is the owner, who also answers for rows in which it names nobody.
	UnitBy string `json:",omitempty"`
}

// Column returns the index of the named column, or -1.
func (d *Dataset) Column(name string) int {
	for i := range d.Columns {
		if d.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// Level is the highest level of any column; an unclassified column makes the
// whole dataset unclassified (fail closed).
func (d *Dataset) Level() Level {
	var top Level
	for i := range d.Columns {
		if d.Columns[i].Level == 0 {
			return 0
		}
		top = max(top, d.Columns[i].Level)
	}
	return top
}

// What a record of a dataset's topic is.
const (
	FormatJSON     = "json"     // one JSON object, one row
	FormatCSV      = "csv"      // one CSV record without header line, fields in column order
	FormatChanges  = "changes"  // one of the three below, told by the envelope
	FormatDebezium = "debezium" // JSON with or without the schema block
	FormatCanal    = "canal"    // flat JSON message
	FormatMaxwell  = "maxwell"  // JSON

	// Of a schema registry: a zero byte, the schema's id, and what it describes.
	FormatAvro       = "avro"
	FormatJSONSchema = "json_schema"
	FormatProtobuf   = "protobuf"
)

// EncodingGB18030 is the encoding of records that are not UTF-8.
const EncodingGB18030 = "gb18030"

// OtherWays says whether rows may come by other ways than the topic's own producers:
// those put JSON in UTF-8 on it.
func (d *Dataset) OtherWays() bool { return d.Format == FormatJSON && d.Encoding == "" }

// Registered says whether the dataset's records name a schema of a registry.
func (d *Dataset) Registered() bool {
	switch d.Format {
	case FormatAvro, FormatJSONSchema, FormatProtobuf:
		return true
	}
	return false
}

// Provenance columns, on every row of a library table, after the business
// columns. _version is the source position (the offset, or where a change stands in
// the log of its database): wall time never orders rows.
const (
	ColTopic     = "_topic"     // LowCardinality(String)
	ColPartition = "_partition" // UInt32
	ColOffset    = "_offset"    // UInt64
	ColRow       = "_row"       // UInt16, which row of a record that carries several
	ColBatch     = "_batch"     // UInt64, first offset of the batch
	ColFlags     = "_flags"     // UInt64, bit i set: row rule i failed
	ColRuleset   = "_ruleset"   // UInt32, dataset version whose rules were run
	ColDeleted   = "_deleted"   // UInt8
	ColVersion   = "_version"   // UInt64
	ColOrigin    = "_origin"    // UInt8, OriginTopic or OriginReplay
	ColExtra     = "_extra"     // String, JSON object of unknown fields, "" for none
)

// Where a row came from.
const (
	OriginTopic  uint8 = 0 // read from its topic
	OriginReplay uint8 = 1 // a problem row that was mended and replayed
)
