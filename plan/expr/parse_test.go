package expr_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mulu"
	"mulu/plan/expr"
)

// names are the items of the tests; death is a lookup.
func names(name string) (expr.Item, error) {
	items := map[string]expr.Item{
		"status": {Type: mulu.String}, "id_no": {Type: mulu.String}, "n": {Type: mulu.Int}, "m": {Type: mulu.Int}, "amount": {Type: mulu.Decimal, Scale: 2},
		"birth": {Type: mulu.Date}, "upd": {Type: mulu.DateTime}, "live": {Type: mulu.Bool}, "death.death_date": {Type: mulu.Date}, "deaths": {Type: mulu.Int}, "package": {Type: mulu.String},
	}
	if it, ok := items[name]; ok {
		return it, nil
	}
	return expr.Item{}, fmt.Errorf("没有数据项 %q", name)
}

// written shows a node in one line, types and scales included where they decide.
func written(n *expr.Node) string {
	switch n.Op {
	case expr.OpField:
		return n.Field
	case expr.OpLiteral:
		if n.Type == mulu.Date || n.Type == mulu.DateTime || n.Type == mulu.Decimal {
			return fmt.Sprintf("%s(%v)", n.Type, n.Value)
		}
		return fmt.Sprintf("%#v", n.Value)
	}
	args := make([]string, len(n.Args))
	for i := range n.Args {
		args[i] = written(&n.Args[i])
	}
	if n.Op == expr.OpIn {
		args = append(args, fmt.Sprintf("%v", n.Value))
	}
	return string(n.Op) + "(" + strings.Join(args, " ") + ")"
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`status == '死亡' && death.death_date != null`:                 `and(eq(status "死亡") not(is_null(death.death_date)))`,
		`status == '死亡' && n > 1 && live`:                            `and(eq(status "死亡") gt(n 1) live)`,
		`amount >= 12.50`:                                            `ge(amount decimal(12.50))`,
		`amount > -0.30 || amount == -1`:                             `or(gt(amount decimal(-0.30)) eq(amount -1))`,
		`amount < 0.1234567890123456`:                                `lt(amount decimal(0.1234567890123456))`,
		`n in [3, 1, 3]`:                                             `in(n [1 3])`,
		`!(status in ['b', "a"])`:                                    `not(in(status [a b]))`,
		`amount in [1, 2.5]`:                                         `or(eq(amount 1) eq(amount decimal(2.5)))`,
		`birth in ['2020-01-01', date('20200102')]`:                  `or(eq(birth date(2020-01-01)) eq(birth date(2020-01-02)))`,
		`size(status) == 3 && status.size() > 1`:                     `and(eq(length(status) 3) gt(length(status) 1))`,
		`status.startsWith('注') || status.endsWith(id_no)`:           `or(starts_with(status "注") ends_with(status id_no))`,
		`id_no.substring(6, 14) == '19491231'`:                       `eq(substring(id_no 6 8) "19491231")`,
		`status.matches('^[A-Z]+$')`:                                 `matches(status "^[A-Z]+$")`,
		`birth <= today()`:                                           `le(birth today())`,
		`birth > '1900-01-01' && upd > '2020-01-01T08:00:00Z'`:       `and(gt(birth date(1900-01-01)) gt(upd datetime(2020-01-01 16:00:00.000)))`,
		`upd >= date('2020-01-01')`:                                  `ge(upd datetime(2020-01-01 00:00:00.000))`,
		`age(birth) >= 60 && age(birth, death.death_date) < 120`:     `and(ge(age(birth today()) 60) lt(age(birth death.death_date) 120))`,
		`days(birth, upd) >= 0`:                                      `ge(days(birth date(upd)) 0)`,
		`days('2026-01-01', birth) > 1`:                              `gt(days(date(2026-01-01) birth) 1)`,
		`date(id_no.substring(6, 14)) == birth`:                      `eq(date(substring(id_no 6 8)) birth)`,
		`amount * n - 1.5 == amount`:                                 `eq(sub(mul(amount n) decimal(1.5)) amount)`,
		`-n < m + 1`:                                                 `lt(neg(n) add(m 1))`,
		`null == status`:                                             `is_null(status)`,
		`isNull(status) || upper(status) != lower(field('package'))`: `or(is_null(status) ne(upper(status) lower(package)))`,
		"deaths > 0 &&\n live == false":                              `and(gt(deaths 0) eq(live false))`,
	} {
		n, err := expr.Parse(text, names)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := written(n); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestParseFaults(t *testing.T) {
	for text, want := range map[string]string{
		``:                               "第 1 个字：表达式为空",
		`status`:                         "第 1 个字：表达式的结果应为真或假，现在是文本",
		`null`:                           "应为真或假",
		`gone == 1`:                      `第 1 个字：没有数据项 "gone"`,
		`n == 1 && gone.x == 1`:          `没有数据项 "gone.x"`,
		`n = 1`:                          "请用==",
		`n == 1 and m == 1`:              "&& 表示并且",
		`n ＞ 1`:                          "半角 >",
		`n == '1'`:                       "左边是整数，右边是文本",
		`status == 1`:                    "加引号",
		`birth == '2020-02-30'`:          `"2020-02-30" 不是日期`,
		`upd == birth`:                   "请用 date(…)",
		`live > true`:                    "真假值只能用 == 或 != 比较",
		`n > null`:                       "null 只能与数据项用 == 或 != 比较",
		`null == null`:                   "null 只能与数据项",
		`n / 2 == 1`:                     "不支持除法",
		`n % 2 == 1`:                     "不支持取余",
		`live ? live : live`:             "!(甲) || (乙)",
		`status[0] == 'a'`:               "substring",
		`[1] == [1]`:                     "这里不能使用列表",
		`{'a': 1} == {}`:                 "这里不能使用列表、映射",
		`has(n.x)`:                       `没有函数 "has"`,
		`[1].exists(x, x == 1)`:          `没有函数 "exists"`,
		`system('rm')`:                   `没有函数 "system"`,
		`n in []`:                        "列表应有 1 至 1000 个值",
		`n in status`:                    "in 之后应为列表",
		`n in [m]`:                       "列表中只能写值",
		`status in ['a', 1]`:             "左边是文本，右边是整数",
		`status.matches(id_no)`:          "第 2 个参数应为用引号写出的文本",
		`status.matches('(')`:            "正则表达式有误",
		`status.substring(3, 1) == ''`:   "止不能小于起",
		`status.substring(n, 1) == ''`:   "第 2 个参数应为不小于 0 的整数值",
		`age() > 1`:                      "age(出生日期)",
		`year(status) == 1`:              "应为日期或日期时间",
		`today() + 1 == birth`:           "days(起, 止)",
		`amount > 1e3`:                   "小数应写成 12.50",
		`amount > 1.1234567890123456789`: "不超过 18 位",
		`n == 1u`:                        "不支持这种写法的值",
		`status == b'a'`:                 "不支持这种写法的值",
		`n * n * n == 1`:                 "可能超过 38 位",
		`n * m == 1.55`:                  "可能超过 38 位",
		`n == 99999999999999999999`:      "写法有误",
		`status.name == ''`:              `没有数据项 "status.name"`,
		`live && n`:                      "第 9 个字：这里应为真或假的条件，现在是整数",
		"n == 1 &&\n\ngone > 1":          `第 3 行第 1 个字：没有数据项 "gone"`,
		`!n`:                             "这里应为真或假的条件",
		strings.Repeat("(", 200) + "live" + strings.Repeat(")", 200): "超过 32 层",
		strings.Repeat("!", 1999) + "live":                           "超过 2000 个字",
		"live" + strings.Repeat(" && live", 300):                     "超过 2000 个字",
	} {
		n, err := expr.Parse(text, names)
		var f *expr.Fault
		switch {
		case err == nil:
			t.Errorf("%q is taken: %s", text, written(n))
		case !strings.Contains(err.Error(), want):
			t.Errorf("%q: %v, want %q", text, err, want)
		case !errors.Is(err, mulu.ErrInvalid) || !errors.As(err, &f) || f.Line < 1 || f.Column < 1:
			t.Errorf("%q: %#v is no fault with a position", text, err)
		}
	}
}

// Every fault of an expression is told at once.
func TestParseTellsAll(t *testing.T) {
	_, err := expr.Parse(`gone == 1 && n == 'x' && lost(1)`, names)
	for _, want := range []string{"第 1 个字", "第 16 个字", "第 30 个字"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestFields(t *testing.T) {
	n, err := expr.Parse(`n > 1 && (death.death_date == null || n < m)`, names)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.Fields(), []string{"death.death_date", "m", "n"}; !reflect.DeepEqual(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
}

// Whatever is written, Parse answers: a node that is a condition, or faults with
// positions.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`status == '死亡' && death.death_date != null`, `amount * n - 1.5 == amount`, `n in [1, -2]`, `x.y.z()`, `"\u00e4" == status`, `r'\d' == status`,
		`a ? b : c`, `-  1.5 < amount`, `n == -9223372036854775808`, `b"\xff" == status`, `.n == 1`, `status.matches('(?i)a{1000}')`, "`a` == 1", `{`, `'`, `n==1 // x`, "\x00", "0x7f == n", `1.5.n == 1`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := expr.Parse(text, names)
		if err == nil {
			if n.Type != mulu.Bool {
				t.Fatalf("%q is a %s", text, n.Type)
			}
			_ = written(n)
			return
		}
		var fault *expr.Fault
		if !errors.Is(err, mulu.ErrInvalid) || !errors.As(err, &fault) || fault.Line < 1 || fault.Column < 1 {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
