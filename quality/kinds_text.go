package quality

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/quality/ident"
)

// verdict is what a kind compiles to: it judges a batch.
type verdict = func(*batch, bitmap) int64

// onText judges each value of the rule's only column by itself.
func onText(s *scope, ok func([]byte) bool) verdict {
	col := s.at[0]
	var skip func([]byte) bool
	if s.skips() {
		skip = ident.Placeholder
	}
	return func(b *batch, fail bitmap) int64 { return texts(b, col, fail, skip, ok) }
}

func compileNotNull(s *scope) (verdict, string, error) {
	col, isText := s.at[0], s.cols[0].Type == mulu.String
	return func(b *batch, fail bitmap) int64 {
		a := b.rec.Column(col)
		if a.NullN() > 0 {
			for i := range b.n {
				if a.IsNull(i) {
					fail.set(i)
				}
			}
		}
		if isText {
			texts(b, col, fail, nil, func(v []byte) bool { return !ident.Placeholder(v) })
		}
		return int64(b.n)
	}, s.title() + "未填写；请在源系统补填", nil
}

func compileLength(s *scope) (verdict, string, error) {
	lo, err := s.intParam("min", 0)
	if err != nil {
		return nil, "", err
	}
	hi, err := s.intParam("max", math.MaxInt32)
	if err != nil {
		return nil, "", err
	}
	if lo > hi {
		return nil, "", fmt.Errorf("参数 min=%d 大于 max=%d", lo, hi)
	}
	reason := fmt.Sprintf("%s应为 %d 至 %d 个字", s.title(), lo, hi)
	return onText(s, func(v []byte) bool {
		n := int64(len(v))
		if n < lo || n <= hi && n/utf8.UTFMax >= lo { // the bytes decide already
			return n >= lo
		}
		n = characters(v)
		return n >= lo && n <= hi
	}), reason, nil
}

func compileFixedLength(s *scope) (verdict, string, error) {
	n, err := s.intParam("length", 0)
	if err != nil {
		return nil, "", err
	}
	return onText(s, func(v []byte) bool { return characters(v) == n }), fmt.Sprintf("%s应为 %d 个字符", s.title(), n), nil
}

func compilePattern(s *scope) (verdict, string, error) {
	m, err := compileMatcher(s.rule.Params["pattern"])
	if err != nil {
		return nil, "", fmt.Errorf("参数 pattern 不是正则表达式：%w", err)
	}
	return onText(s, m), s.title() + "格式不符，应符合 " + s.rule.Params["pattern"], nil
}

// characters counts them by the bytes that begin one: columns hold valid UTF-8.
func characters(v []byte) (n int64) {
	for _, c := range v {
		if c&0xC0 != 0x80 {
			n++
		}
	}
	return n
}

// memo remembers a verdict per value for one batch: code tables have few values.
func memo(ok func(string) bool) func([]byte) bool {
	seen := map[string]bool{}
	return func(v []byte) bool {
		r, known := seen[string(v)]
		if !known {
			key := string(v)
			if r = ok(key); len(seen) < 1<<16 {
				seen[key] = r
			}
		}
		return r
	}
}

func compileEnum(s *scope) (verdict, string, error) {
	values := map[string]bool{}
	for v := range strings.SplitSeq(s.rule.Params["values"], ",") {
		values[strings.TrimSpace(v)] = true
	}
	col, has := s.at[0], func(v []byte) bool { return values[string(v)] }
	if len(values) <= 8 { // fewer comparisons than a hash costs
		list := slices.Collect(maps.Keys(values))
		has = func(v []byte) bool {
			for _, known := range list {
				if string(v) == known {
					return true
				}
			}
			return false
		}
	}
	return func(b *batch, fail bitmap) int64 {
		return texts(b, col, fail, nil, has)
	}, s.title() + "取值应为 " + s.rule.Params["values"] + " 之一", nil
}

func compileCode(s *scope) (verdict, string, error) {
	table, err := s.tables.Table(s.rule.Params["table"])
	if err != nil {
		return nil, "", fmt.Errorf("没有代码表 %q，可用的有 %v", s.rule.Params["table"], s.tables.Names())
	}
	col := s.at[0]
	return func(b *batch, fail bitmap) int64 {
		// A code that was valid once is a right value of an old record: the table's
		// own history decides, not today's list.
		return texts(b, col, fail, nil, memo(func(v string) bool { return table.Has(v, time.Time{}) }))
	}, s.title() + "不在代码表 " + table.Name + " 中；请按标准代码填写", nil
}

func compileDivision(s *scope) (verdict, string, error) {
	tables, col := s.tables, s.at[0]
	return func(b *batch, fail bitmap) int64 {
		return texts(b, col, fail, nil, memo(func(v string) bool { return tables.Division(v, validYear(b.asOf)) }))
	}, s.title() + "不是有效的行政区划代码（6、9 或 12 位，上级须存在）；请核对区划表", nil
}

// validYear is the time divisions are asked at: the history ends in 2024, and a code
// in use then is taken to be in use still.
func validYear(asOf time.Time) time.Time {
	if asOf.Year() > 2024 {
		return time.Date(2024, 12, 31, 0, 0, 0, 0, beijing)
	}
	return asOf
}

func compileCitizen(s *scope) (verdict, string, error) {
	tables, skip, col := s.tables, s.skips(), s.at[0]
	return func(b *batch, fail bitmap) int64 {
		region := memo(func(v string) bool { return v[0] == '9' || tables.Region(v, time.Time{}) })
		skipped := ident.Placeholder
		if !skip {
			skipped = nil
		}
		return texts(b, col, fail, skipped, func(v []byte) bool { return ident.Citizen(v) && region(v[:6]) })
	}, s.title() + "不符合 GB 11643：应为 18 位，出生日期、行政区划和校验码都要正确；请核对证件后在源系统更正", nil
}

func compileCredit(s *scope) (verdict, string, error) {
	return onText(s, ident.Credit), s.title() + "不符合 GB 32100：应为 18 位，且两个校验码都要正确；请核对营业执照后在源系统更正", nil
}

func compileRegistration(s *scope) (verdict, string, error) {
	return onText(s, ident.Registration), s.title() + "不是有效的 15 位工商注册号（GB/T 17710 校验）；请核对旧营业执照", nil
}

func compileMobile(s *scope) (verdict, string, error) {
	return onText(s, ident.Mobile), s.title() + "不是有效的手机号（11 位，1 开头）", nil
}

func compileLuhn(s *scope) (verdict, string, error) {
	return onText(s, ident.Luhn), s.title() + "校验位不正确；请核对卡号", nil
}

// pair names the column that is not the citizen number and the one that is.
func pair(s *scope) (other, id int) { return s.at[0], s.at[1] }

func compileBirthMatches(s *scope) (verdict, string, error) {
	if s.cols[0].Type != mulu.Date || s.cols[1].Type != mulu.String {
		return nil, "", fmt.Errorf("应依次给出出生日期（date）和公民身份号码（string）两个数据项")
	}
	birth, id := pair(s)
	return func(b *batch, fail bitmap) (evaluated int64) {
		dates := b.rec.Column(birth).(*array.Date32)
		eachPair(b, birth, id, func(i int, v []byte) {
			y, m, d, ok := ident.CitizenBirth(v)
			if !ok {
				return // the number itself is at fault, by another rule
			}
			evaluated++
			if int64(dates.Value(i)) != days(y, m, d) {
				fail.set(i)
			}
		})
		return evaluated
	}, "出生日期与公民身份号码不一致", nil
}

func compileSexMatches(s *scope) (verdict, string, error) {
	sex, id := pair(s)
	return func(b *batch, fail bitmap) (evaluated int64) {
		eachPair(b, sex, id, func(i int, v []byte) {
			want, ok := ident.CitizenSex(v)
			got, _ := textAt(b, sex, i)
			if !ok || len(got) != 1 || (got[0] != '1' && got[0] != '2') {
				return
			}
			evaluated++
			if got[0] != want {
				fail.set(i)
			}
		})
		return evaluated
	}, "性别与公民身份号码不一致", nil
}

// eachPair calls f for every row where both columns are there, with the second's text.
func eachPair(b *batch, first, second int, f func(i int, v []byte)) {
	other, a := b.rec.Column(first), b.rec.Column(second).(*array.String)
	if b.n == 0 {
		return
	}
	offsets, data := a.ValueOffsets(), a.ValueBytes()
	base, nulls := offsets[0], a.NullN() > 0 || other.NullN() > 0
	for i := range b.n {
		if nulls && (other.IsNull(i) || a.IsNull(i)) {
			continue
		}
		f(i, data[offsets[i]-base:offsets[i+1]-base])
	}
}

// days counts from 1970-01-01.
func days(y, m, d int) int64 {
	return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Unix() / 86_400
}
