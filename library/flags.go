package library

import (
	"strconv"

	"mulu"
)

// flags is the one place that says which row rules of the version in force a row breaks:
// a UInt64 expression whose bit i is row rule i. A row that another version judged has
// none, see judged.
func (c *compiler) flags(ds *mulu.Dataset) string {
	return "if(" + c.judged(ds) + ", " + c.baseColumn(mulu.ColFlags) + ", toUInt64(0))"
}

// judged holds for rows whose flags are known under the version in force.
func (c *compiler) judged(ds *mulu.Dataset) string {
	return c.baseColumn(mulu.ColRuleset) + " = " + strconv.FormatUint(uint64(ds.Version), 10)
}
