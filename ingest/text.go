package ingest

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// putText puts a text into column c. quoted says that the source wrote it as text: a
// number or truth value in quotes is then a normalisation; CSV has only text.
func (r *reader) putText(c int, s []byte, quoted bool) *fault {
	f := &r.d.fields[c]
	col := &r.set.all[c]
	if f.kind == kString {
		if f.key && len(bytes.TrimSpace(s)) == 0 {
			return &fault{class: ClassKey, field: f.name, reason: f.label + "是主键，不能为空白，请补齐后重发"}
		}
		if len(col.data)+len(s) > maxText {
			return &fault{class: ClassOversize, field: f.name, reason: f.label + "本批合计超过 1 GiB"}
		}
		col.putString(s)
		return nil
	}
	if len(s) == 0 {
		if quoted {
			r.normalised(c)
		}
		return r.null(c)
	}
	switch f.kind {
	case kInt, kDecimal:
		if quoted {
			r.normalised(c)
		}
		return r.number(c, s)
	case kDate:
		d, ok := parseDate(s)
		if !ok {
			return typeFault(f, s, "不是有效日期，应写作 2024-01-31 或 20240131，且在 1900 至 2299 年之间")
		}
		col.days = append(col.days, d)
	case kDateTime:
		ms, exact, ok := parseDateTime(s)
		if !ok {
			return typeFault(f, s, "不是有效时间，应写作 2024-01-31T08:00:00+08:00 或 2024-01-31 08:00:00(按北京时间)，且在 1900 至 2299 年之间")
		}
		if !exact {
			r.normalised(c)
		}
		col.ints = append(col.ints, ms)
	case kBool:
		switch string(s) {
		case "true", "1", "是":
			col.bools = append(col.bools, 1)
		case "false", "0", "否":
			col.bools = append(col.bools, 0)
		default:
			return typeFault(f, s, "不是真假值，应写作 true/false、1/0 或 是/否")
		}
		if quoted || len(s) < 4 {
			r.normalised(c)
		}
	}
	return nil
}

// number puts a number, as written, into column c.
func (r *reader) number(c int, s []byte) *fault {
	f := &r.d.fields[c]
	col := &r.set.all[c]
	switch f.kind {
	case kInt:
		v, ok := parseInt(s)
		if !ok {
			return typeFault(f, s, "不是整数，或超出 64 位整数范围")
		}
		col.ints = append(col.ints, v)
	case kDecimal:
		v, ok := parseDecimal(s, int(f.scale))
		if !ok {
			return typeFault(f, s, fmt.Sprintf("不是至多 18 位有效数字、%d 位小数的数，请不要四舍五入，按原值确认字段精度", f.scale))
		}
		col.decs = append(col.decs, decimal128.FromI64(v))
	case kBool:
		if len(s) != 1 || s[0] > '1' || s[0] < '0' {
			return typeFault(f, s, "不是真假值，应写作 true/false、1/0 或 是/否")
		}
		r.normalised(c)
		col.bools = append(col.bools, s[0]-'0')
	default:
		return typeFault(f, s, "应为文本，却是数字，请在源端加引号输出(避免丢失前导零)")
	}
	return nil
}

func typeFault(f *field, s []byte, why string) *fault {
	const most = 60
	shown := s
	if len(shown) > most {
		shown = bytes.ToValidUTF8(shown[:most], nil)
		return &fault{class: ClassType, field: f.name, reason: fmt.Sprintf("%s的值“%s…”%s", f.label, shown, why)}
	}
	return &fault{class: ClassType, field: f.name, reason: fmt.Sprintf("%s的值“%s”%s", f.label, shown, why)}
}
