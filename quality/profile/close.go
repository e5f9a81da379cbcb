package profile

import (
	"math"
	"strconv"

	"mulu"
)

// close takes out what may not be shown. What a column is not known to be harmless for
// is closed: an item without a level, one of L3 or above, one declared or recognised as
// personal information, and one whose texts hold identity or phone numbers.
func (c *column) close(out *Column) {
	out.Closed = c.reason(out)
	if out.Closed == "" {
		out.Top = append([]Value(nil), out.Secret.Top[:min(topShown, len(out.Secret.Top))]...)
		return
	}
	// What stands in few rows could be one person's.
	var bars []Bin
	if r := out.Range; r != nil {
		r.Min, r.Max = "", ""
		if out.Secret.Judged < 100 {
			r.Quantiles, r.Mean, r.Deviation = nil, nil, nil
		}
		coarse := coarseWriter(out.Observed)
		for i := range r.Quantiles {
			r.Quantiles[i].Value = coarse(r.Quantiles[i].Value)
		}
		if r.Mean != nil {
			mean, deviation := significant(*r.Mean), significant(*r.Deviation)
			r.Mean, r.Deviation = &mean, &deviation
		}
		for _, b := range out.Histogram {
			if b.From = coarse(b.From); b.Count < leastShown {
				b.Count = 0
			}
			bars = append(bars, b)
		}
		if out.Secret.Judged < 100 {
			bars = nil
		}
	}
	out.Histogram = bars
	out.Shapes = harmless(out.Shapes)
}

func (c *column) reason(out *Column) string {
	switch {
	case out.Is != nil && out.Is.PI != "":
		return "内容或名称像" + out.Is.Title + "，属个人信息"
	case c.field.PI != "":
		return "声明为个人信息"
	case c.field.Level == 0:
		return "未定级"
	case c.field.Level >= mulu.L3:
		return "数据级别 L" + strconv.Itoa(int(c.field.Level))
	case out.Chars.Personal > 0:
		return "文本中含证件号码或手机号"
	}
	return ""
}

// harmless leaves out shapes that show characters of the value itself beside letters,
// digits and the marks that identifiers are written with.
func harmless(shapes []Shape) []Shape {
	var out []Shape
next:
	for _, s := range shapes {
		for _, r := range s.Shape {
			switch {
			case r >= '0' && r <= '9', r == '9' || r == 'A' || r == 'a' || r == '汉' || r == '文' || r == '异' || r == '９' || r == '…':
			case r == '{' || r == '}' || r == '-' || r == '/' || r == '(' || r == ')' || r == ' ' || r == '.' || r == ':' || r == '+' || r == '·' || r == '，' || r == '。' || r == '（' || r == '）':
			default:
				continue next
			}
		}
		out = append(out, s)
	}
	return out
}

// coarseWriter rounds what a quantile of a closed column says: dates to their year,
// numbers to two digits.
func coarseWriter(t mulu.Type) func(string) string {
	if t == mulu.Date || t == mulu.DateTime {
		return func(s string) string { return s[:min(4, len(s))] }
	}
	return func(s string) string {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return ""
		}
		return strconv.FormatFloat(significant(x), 'f', -1, 64)
	}
}

// significant keeps two digits.
func significant(x float64) float64 {
	if x == 0 {
		return 0
	}
	p := math.Pow10(1 - int(math.Floor(math.Log10(math.Abs(x)))))
	return math.Round(x*p) / p
}
