package ingest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// encoding is how a feed writes a value that JSON has no type for.
type encoding uint8

const (
	asWritten encoding = iota
	inDays             // since 1970-01-01
	inMillis           // of a wall clock, as if it stood in UTC; so the next two
	inMicros
	inNanos
	inNumber // of a unit that nothing says
	isoLocal // a wall clock or a date with a Z behind it
	inBytes  // base64 of a big-endian two's complement, scaled
)

// hint is how one column is written.
type hint struct {
	enc   encoding
	scale int // of inBytes
}

// plainHints are for a feed without schema block: a number is a date in days, since
// no connector writes a date in another unit that falls into the years a date may
// have; a time in a number is of the declared unit, or refused.
func plainHints(fields []field) []hint {
	units := map[string]encoding{"ms": inMillis, "us": inMicros, "ns": inNanos, "": inNumber}
	hints := make([]hint, len(fields))
	for i := range fields {
		switch fields[i].kind {
		case kDate:
			hints[i].enc = inDays
		case kDateTime:
			hints[i].enc = units[fields[i].unit]
		}
	}
	return hints
}

// connectSchema is the part of a Kafka Connect schema block that is needed.
type connectSchema struct {
	Field      string            `json:"field"`
	Name       string            `json:"name"`
	Parameters map[string]string `json:"parameters"`
	Fields     []connectSchema   `json:"fields"`
}

var encodingNames = map[string]encoding{
	"io.debezium.time.Date":                   inDays,
	"io.debezium.time.Timestamp":              inMillis,
	"io.debezium.time.MicroTimestamp":         inMicros,
	"io.debezium.time.NanoTimestamp":          inNanos,
	"io.debezium.time.IsoDate":                isoLocal,
	"io.debezium.time.IsoTimestamp":           isoLocal,
	"org.apache.kafka.connect.data.Date":      inDays,
	"org.apache.kafka.connect.data.Timestamp": inMillis,
	"org.apache.kafka.connect.data.Decimal":   inBytes,
}

// schemaHints reads a schema block: "after" has the row's fields, or "before".
func schemaHints(block []byte, fields []field) ([]hint, *fault) {
	var s connectSchema
	if err := json.Unmarshal(block, &s); err != nil {
		return nil, &fault{class: ClassDecode, reason: "schema 块不是 Kafka Connect 的 JSON 结构描述：" + err.Error()}
	}
	hints := plainHints(fields)
	for _, row := range s.Fields {
		if row.Field != "before" && row.Field != "after" {
			continue
		}
		for _, f := range row.Fields {
			for i := range fields {
				if fields[i].name != f.Field {
					continue
				}
				hints[i] = hint{enc: encodingNames[f.Name]}
				if hints[i].enc == inBytes {
					scale, err := strconv.Atoi(f.Parameters["scale"])
					if err != nil {
						return nil, &fault{class: ClassDecode, field: f.Field, reason: fmt.Sprintf("schema 块中字段“%s”的小数位数“%s”不是整数", f.Field, f.Parameters["scale"])}
					}
					hints[i].scale = scale
				}
			}
		}
	}
	return hints, nil
}

// What Debezium puts for a large PostgreSQL value that an update left as it was, as
// text and as base64 of the text.
const (
	unavailable       = `"__debezium_unavailable_value"`
	unavailableBase64 = `"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="`
)

// encoded reads the value at i if its column is written in a form of its own; done
// is false for a value that is read like any other.
func (r *reader) encoded(p []byte, i, c int) (end int, f *fault, done bool) {
	fd := &r.d.fields[c]
	switch ch := p[i]; {
	case ch == '"':
		if hasWord(p, i, unavailable) || hasWord(p, i, unavailableBase64) {
			return i, typeFault(fd, []byte(unavailable[1:len(unavailable)-1]), "是未随变更发送的大字段(TOAST)，不是实际值，请在源库执行 ALTER TABLE … REPLICA IDENTITY FULL"), true
		}
		if fd.kind == kString {
			return 0, nil, false
		}
		return r.encodedText(p, i, c)
	case ch == '-' || ch-'0' <= 9:
		if fd.kind != kDate && fd.kind != kDateTime {
			return 0, nil, false
		}
		end, ok := scanNumber(p, i)
		if !ok {
			return i, broken(p, end, "数字写法不符合 JSON"), true
		}
		return end, r.instant(c, p[i:end]), true
	case ch == '{' && fd.kind == kDecimal:
		end, f := r.variableScale(p, i, c)
		return end, f, true
	}
	return 0, nil, false
}

// encodedText reads a text that stands for a date, a time or a number.
func (r *reader) encodedText(p []byte, i, c int) (end int, f *fault, done bool) {
	fd, h := &r.d.fields[c], r.hints[c]
	end, escaped, ok := scanString(p, i+1)
	if !ok || escaped {
		return 0, nil, false
	}
	s := p[i+1 : end]
	switch {
	case h.enc == inBytes && (fd.kind == kDecimal || fd.kind == kInt):
		return end + 1, r.bytesNumber(c, s, h.scale), true
	case (fd.kind == kDate || fd.kind == kDateTime) && hasWord(s, 0, "0000-00-00"):
		r.normalised(c) // MySQL's date that is none
		return end + 1, r.null(c), true
	case h.enc == isoLocal && len(s) > 0 && s[len(s)-1] == 'Z':
		return end + 1, r.putText(c, s[:len(s)-1], false), true
	}
	return 0, nil, false
}

// instant puts a number that stands for a date or time.
func (r *reader) instant(c int, s []byte) *fault {
	fd, enc := &r.d.fields[c], r.hints[c].enc
	col := &r.set.all[c]
	v, ok := parseInt(s)
	if !ok {
		return typeFault(fd, s, "不是整数，不能表示日期或时间")
	}
	if enc == inNumber {
		return typeFault(fd, s, "是数字，但消息没有 schema 块，不知道它的单位；请在数据集声明里给该字段写 unit: ms、us 或 ns，或让连接器输出 schema 块(value.converter.schemas.enable=true)")
	}
	ms, exact := v, true
	switch enc {
	case inDays:
		if v < math.MinInt32 || v > math.MaxInt32 {
			return typeFault(fd, s, "作为距 1970-01-01 的天数超出 1900 至 2299 年")
		}
		ms = v * dayMs
	case inMicros:
		ms, exact = floorDiv(v, 1000)
	case inNanos:
		ms, exact = floorDiv(v, 1_000_000)
	case inMillis:
	default:
		return typeFault(fd, s, "应为文本形式的日期或时间")
	}
	if _, ok := inRange(ms); !ok {
		return typeFault(fd, s, "表示的日期或时间不在 1900 至 2299 年之间，请核对单位")
	}
	if fd.kind == kDate {
		days, whole := floorDiv(ms, dayMs)
		if !whole || !exact {
			return typeFault(fd, s, "含有时分秒，不是日期；请在声明中改用 datetime")
		}
		col.days = append(col.days, int32(days))
		return nil
	}
	if !exact || enc == inDays {
		r.normalised(c)
	}
	utc, ok := beijingClock(ms)
	if !ok {
		return typeFault(fd, s, "表示的时间不在 1900 至 2299 年之间，请核对单位")
	}
	col.ints = append(col.ints, utc)
	return nil
}

// floorDiv divides towards minus infinity; exact says that nothing was left.
func floorDiv(v, by int64) (q int64, exact bool) {
	q = v / by
	if v%by < 0 {
		q--
	}
	return q, v%by == 0
}

// since1992 is 1992-01-01 as a wall clock: from then on Beijing is UTC+8 all year.
const since1992 = 694_224_000_000

// beijingClock reads the milliseconds of a wall clock in Shanghai as Unix milliseconds.
func beijingClock(local int64) (int64, bool) {
	if local >= since1992 {
		return beijing(local, 1992)
	}
	return beijing(local, 1900)
}

// bytesNumber puts a number given as base64 of its unscaled bytes.
func (r *reader) bytesNumber(c int, s []byte, scale int) *fault {
	fd := &r.d.fields[c]
	var buf [24]byte
	if base64.StdEncoding.DecodedLen(len(s)) > len(buf) {
		return typeFault(fd, s, "超过 18 位有效数字")
	}
	n, err := base64.StdEncoding.Decode(buf[:], s)
	if err != nil || n == 0 {
		return typeFault(fd, s, "不是 base64 编码的数；请设置 decimal.handling.mode=string")
	}
	if n > 8 {
		return typeFault(fd, s, "超过 18 位有效数字")
	}
	v := int64(int8(buf[0])) // the sign
	for _, b := range buf[1:n] {
		v = v<<8 | int64(b)
	}
	v, ok := rescale(v, scale, int(fd.scale))
	if !ok {
		return typeFault(fd, s, fmt.Sprintf("解码后不是至多 18 位有效数字、%d 位小数的数，请核对字段的小数位数", fd.scale))
	}
	if fd.kind == kInt {
		r.set.all[c].ints = append(r.set.all[c].ints, v)
		return nil
	}
	r.set.all[c].decs = append(r.set.all[c].decs, decimal128.FromI64(v))
	return nil
}

// rescale gives v·10^-from as a count of 10^-to, of at most 18 digits.
func rescale(v int64, from, to int) (int64, bool) {
	const most = 1e18
	if v == 0 {
		return 0, true
	}
	for ; from < to; from++ {
		if v > most/10 || v < -most/10 {
			return 0, false
		}
		v *= 10
	}
	for ; from > to; from-- {
		if v%10 != 0 {
			return 0, false
		}
		v /= 10
	}
	return v, v < most && v > -most
}

// variableScale reads {"scale":2,"value":"…"}, a number that brings its scale.
func (r *reader) variableScale(p []byte, i, c int) (int, *fault) {
	fd := &r.d.fields[c]
	end, ok := skipValue(p, i, 0)
	if !ok {
		return i, broken(p, end, "字段值不是合法的 JSON 值，或嵌套过深")
	}
	var v struct {
		Scale *int    `json:"scale"`
		Value *string `json:"value"`
	}
	if err := json.Unmarshal(p[i:end], &v); err != nil || v.Scale == nil || v.Value == nil || *v.Scale < -18 || *v.Scale > 64 {
		return i, typeFault(fd, p[i:end], "应为单个值或带 scale、value 的数，请设置 decimal.handling.mode=string")
	}
	return end, r.bytesNumber(c, []byte(*v.Value), *v.Scale)
}

// wants says whether column c is read where the key alone is.
func (r *reader) wants(c int) bool {
	return r.d.fields[c].key && r.given[c>>6]>>(c&63)&1 == 0
}

// pass skips a value that is not read.
func pass(p []byte, i int) (int, *fault) {
	end, ok := skipValue(p, i, 0)
	if !ok {
		return i, broken(p, end, "字段值不是合法的 JSON 值，或嵌套过深")
	}
	return end, nil
}

// readKeys reads the business key from objects, earlier ones first, and gives the
// other columns what stands for nothing: the row deletes its key. named says whether
// the first object has any column of the key.
func (r *reader) readKeys(objects ...[]byte) (named bool, f *fault) {
	r.begin()
	clear(r.given)
	r.keysOnly = true
	defer func() { r.keysOnly = false }()
	for n, p := range objects {
		clear(r.seen)
		r.names = r.names[:0]
		if f := r.readObject(p); f != nil {
			return named, f
		}
		for c := range r.d.fields {
			if r.d.fields[c].key && r.seen[c>>6]>>(c&63)&1 == 1 {
				r.given[c>>6] |= 1 << (c & 63)
				named = named || n == 0
			}
		}
		if !named {
			return false, nil
		}
	}
	for c := range r.d.fields {
		fd := &r.d.fields[c]
		switch {
		case !fd.key && fd.must:
			r.set.all[c].putZero()
		case !fd.key:
			r.set.all[c].putNull(r.set.rows)
		case r.given[c>>6]>>(c&63)&1 == 0:
			return named, &fault{class: ClassKey, field: fd.name, reason: fd.label + "是主键，删除或改主键的变更必须带有它；请核对源端的主键与 REPLICA IDENTITY 设置"}
		}
	}
	return named, r.finish()
}

// tombstone reads a message without a value: a deletion, if its key is an object
// that has the whole business key.
func (r *reader) tombstone(key []byte) *fault {
	if r.registry != nil && len(key) > 0 && key[0] == 0 {
		var f *fault
		if _, key, f = r.unfold(key); f != nil {
			return &fault{class: ClassTombstone, field: f.field, reason: "消息没有内容(删除标记)，其消息键读不出：" + f.reason}
		}
		r.typed = true // it is UTF-8 by now
	}
	key, f := r.plainText(key)
	if i := blank(key, 0); f != nil || i >= len(key) || key[i] != '{' {
		return r.read(nil)
	}
	named, f := r.readKeys(key)
	if f == nil && !named {
		return r.read(nil)
	}
	return f
}

// sameKey says whether rows i and j have the same business key.
func (r *reader) sameKey(i, j int) bool {
	for c := range r.d.fields {
		if r.d.fields[c].key && !r.set.all[c].equal(i, j) {
			return false
		}
	}
	return true
}
