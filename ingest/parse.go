package ingest

// How values are written is decided here once, for who reads files elsewhere.

// ParseInt reads -?digits without leading zeros.
func ParseInt(s []byte) (int64, bool) { return parseInt(s) }

// ParseDecimal reads a number exactly as a count of 10^-scale, of at most 18 digits.
func ParseDecimal(s []byte, scale int) (int64, bool) { return parseDecimal(s, scale) }

// ParseDate reads YYYY-MM-DD or YYYYMMDD as days since 1970-01-01.
func ParseDate(s []byte) (int32, bool) { return parseDate(s) }

// ParseDateTime reads a time as Unix milliseconds, without a zone as Beijing time.
func ParseDateTime(s []byte) (int64, bool) {
	ms, _, ok := parseDateTime(s)
	return ms, ok
}
