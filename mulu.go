// Package mulu holds the vocabulary of the house: identifiers, the facts that
// two rooms exchange, and the errors every room may return. It does no I/O,
// keeps no state and imports the standard library only, so that a reader can
// learn every noun of the system from this one package.
package mulu

// Distinct strings get distinct types, so that a dataset code can not be passed
// where an organisation code is meant.
type (
	// OrgCode is a unified social credit code (GB 32100-2015), 18 characters.
	OrgCode string
	// DatasetCode names a dataset inside mulu, e.g. "resident". Lower-case
	// ASCII letters, digits and "_", at most 40: it becomes a table name.
	DatasetCode string
	// CatalogCode is a catalogue entry's code (目录代码), e.g.
	// "310107/3005/000001". Never reused, never changed.
	CatalogCode string
	// ScenarioCode names a scenario (应用场景), e.g. "SC-2".
	ScenarioCode string
	// GrantID names a grant (授权), e.g. "G310107-2026-000042".
	GrantID string
	// ReceiptID names the receipt of one read (共享日志).
	ReceiptID string
	// Division is an administrative division code (GB/T 2260 and below):
	// 6 digits a district, 9 a street or town, 12 a community.
	Division string
	// RuleID names a rule inside a dataset, e.g. "id_no.gb11643".
	RuleID string
)

// Level is a data level (数据级别): L1 public to L4 highly sensitive. Zero means
// not yet classified, which never leaves the house. Labels: domain convention,
// to be replaced by the customer's grading guide.
type Level uint8

// Levels, from harmless to most sensitive.
const (
	L1 Level = 1 + iota
	L2
	L3
	L4
)

func (l Level) String() string {
	if l < L1 || l > L4 {
		return "unclassified"
	}
	return string([]byte{'L', '0' + byte(l)})
}
