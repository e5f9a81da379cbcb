package quality

import (
	"mulu"
	"mulu/quality/ident"
)

// CheckDigits tells, for a dataset version, whether a value carries a check digit that
// holds; applies is false for a column that no such rule judges.
func CheckDigits(ds *mulu.Dataset) func(column mulu.Column, value string) (ok, applies bool) {
	by := map[string]func([]byte) bool{}
	for _, r := range ds.Rules {
		if f := digitKinds[r.Kind]; f != nil {
			by[r.Columns[0]] = f
		}
	}
	return func(column mulu.Column, value string) (ok, applies bool) {
		f := by[column.Name]
		return f != nil && f([]byte(value)), f != nil
	}
}

// digitKinds are the kinds of rule that a check digit decides.
var digitKinds = map[string]func([]byte) bool{"gb11643": ident.Citizen, "gb32100": ident.Credit, "gb11714": ident.OrgCode, "gbt17710": ident.Registration, "luhn": ident.Luhn, "bank_card": ident.Luhn}
