package quality_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"mulu"
	sampledata "mulu/deploy/sample"
	"mulu/internal/declare"
	"mulu/plan/expr/exprtest"
	"mulu/quality"
)

// vector is one kind with its parameters, and rows that it takes, refuses and leaves
// out. A row is written with | between its values; ∅ is null. Columns are exprtest's:
// s, t text; n, m int; a, c decimal; d, e date; at datetime; b bool.
type vector struct {
	kind, params, columns string // params: k=v with ; between
	good                  []string
	bad                   map[string]string // what is in the reason
	out                   []string          // not judged
	soft                  bool
}

const (
	idBad  = "110105194912310021"
	idGood = "11010519491231002X"
)

var vectors = []vector{
	// completeness
	{kind: "not_null", columns: "s", good: []string{"a", "零"}, bad: map[string]string{"∅": "未填写", "": "未填写", " 不详 ": "未填写", "0": "补填"}},
	{kind: "not_null", columns: "s", params: "placeholders=values", good: []string{"a", "0", "无"}, bad: map[string]string{"∅": "未填写"}},
	{kind: "not_null", columns: "s", params: "missing=待补, 不明", good: []string{"a"}, bad: map[string]string{"待补": "未填写", "不明": "未填写", "无": "未填写"}},
	{kind: "not_null", columns: "d", good: []string{"2020-01-01"}, bad: map[string]string{"∅": "未填写"}},
	{kind: "null", columns: "s", good: []string{"∅", "无"}, bad: map[string]string{"a": "不应有值"}},
	{kind: "null", columns: "d", good: []string{"∅"}, bad: map[string]string{"2020-01-01": "不应有值"}},
	{kind: "filled", columns: "s t n", good: []string{"a|∅|∅", "∅|无|1", "a|b|1"}, bad: map[string]string{"∅|∅|∅": "1 至 3 项", "无|-|∅": "应填写"}},
	{kind: "filled", columns: "s t n", params: "min=1;max=1", good: []string{"a|∅|∅"}, bad: map[string]string{"a|b|∅": "应填写 1 项", "∅|∅|∅": "应填写 1 项"}},

	// text
	{kind: "length", columns: "s", params: "min=2;max=3", good: []string{"张三", "abc"}, bad: map[string]string{"张": "2 至 3 个字", "abcd": "2 至 3"}, out: []string{"∅"}},
	{kind: "length", columns: "s", params: "min=2", good: []string{"张三", "无锡"}, bad: map[string]string{"张": "至少 2 个字"}, out: []string{"∅", "无"}, soft: true},
	{kind: "fixed_length", columns: "s", params: "length=2", good: []string{"张三"}, bad: map[string]string{"张": "2 个字符", "": "2 个字符"}},
	{kind: "pattern", columns: "s", params: "pattern=^\\d{3}$", good: []string{"123"}, bad: map[string]string{"12": "格式不符", "1234": "格式不符"}},
	{kind: "not_pattern", columns: "s", params: "pattern=[a-z]", good: []string{"123", ""}, bad: map[string]string{"1a": "不应出现"}},
	{kind: "pattern_any", columns: "s", params: "patterns=^A\n^B,\\d$", good: []string{"A", "B,1"}, bad: map[string]string{"C": "任一"}},
	{kind: "pattern_any", columns: "s", params: "patterns=^A\nB$;match=all", good: []string{"AB"}, bad: map[string]string{"A": "全部", "B": "全部"}},
	{kind: "contains", columns: "s", params: "text=路", good: []string{"枣阳路1号"}, bad: map[string]string{"1号": "应包含“路”"}},
	{kind: "not_contains", columns: "s", params: "text=测试", good: []string{"张三"}, bad: map[string]string{"张测试": "不应包含"}},
	{kind: "starts_with", columns: "s", params: "values=沪,浙", good: []string{"沪A", "浙A"}, bad: map[string]string{"苏A": "开头", "A沪": "开头"}},
	{kind: "ends_with", columns: "s", params: "values=公司,厂", good: []string{"某公司"}, bad: map[string]string{"公司某": "结尾"}},

	// characters
	{kind: "trimmed", columns: "s", good: []string{"a b", "张 三", ""}, bad: map[string]string{" a": "首尾", "a\t": "首尾", "　张": "首尾", "张\u200b": "首尾", "\ufeffa": "首尾", "a\u00a0": "首尾"}},
	{kind: "halfwidth", columns: "s", good: []string{"A1，张", "（1）"}, bad: map[string]string{"Ａ1": "半角", "１": "半角", "张　三": "半角"}},
	{kind: "halfwidth", columns: "s", params: "scope=all", good: []string{"A1张。"}, bad: map[string]string{"A，B": "半角", "（1）": "半角"}},
	{kind: "no_control", columns: "s", good: []string{"abc张"}, bad: map[string]string{"a\x00": "控制字符", "a\nb": "控制字符", "a\u200bb": "控制字符", "\u0085": "控制字符"}},
	{kind: "no_control", columns: "s", params: "breaks=true", good: []string{"a\nb\tc"}, bad: map[string]string{"a\x01": "控制字符"}},
	{kind: "no_mojibake", columns: "s", good: []string{"张三", "café", "Âge"}, bad: map[string]string{"锟斤拷": "乱码", "a\uFFFD": "乱码", "烫烫烫": "乱码", "æ\u0099®é\u0099\u0080": "乱码", "å¼ ": "乱码"}},
	{kind: "charset", columns: "s", params: "classes=han;also=·", good: []string{"张三", "阿里·买买提", "㐀"}, bad: map[string]string{"张3": "汉字、·", "Zhang": "汉字", "张 三": "汉字"}},
	{kind: "charset", columns: "s", params: "classes=upper,digit", good: []string{"A1"}, bad: map[string]string{"a": "大写字母、数字"}},
	{kind: "free_text", columns: "s", good: []string{"联系居委 52661234", "订单 1234567890123456789012", "楼号 13800138000", "1101051949123100"},
		bad: map[string]string{"身份证" + idGood + "。": "个人号码", "电话13912345678": "个人号码", "卡号 6222020200112230": "个人号码", "旧证110105491231002": "个人号码"}},
	{kind: "free_text", columns: "s", params: "find=mobile", good: []string{idGood, "6222020200112230"}, bad: map[string]string{"打19900001234": "个人号码"}},

	// formats
	{kind: "number_text", columns: "s", good: []string{"0", "-1.50", "007", "+3"}, bad: map[string]string{"1,000": "小数或整数", "1.": "小数", ".5": "小数", "1e3": "小数", "12元": "小数", "": "小数"}},
	{kind: "number_text", columns: "s", good: []string{"0", "1"}, bad: map[string]string{"x": "数"}, out: []string{"无", "-"}, soft: true},
	{kind: "number_text", columns: "s", params: "form=int;sign=false;digits=3", good: []string{"0", "123"}, bad: map[string]string{"-1": "整数", "1.0": "整数", "1234": "整数部分至多 3 位"}},
	{kind: "number_text", columns: "s", params: "form=number", good: []string{"1e3", "1.5E-10", "2"}, bad: map[string]string{"1e": "数", "e3": "数", "NaN": "数", "1e9999": "数"}},
	{kind: "number_text", columns: "s", params: "scale=2", good: []string{"1.25"}, bad: map[string]string{"1.255": "小数部分至多 2 位"}},
	{kind: "date_text", columns: "s", good: []string{"2024-02-29", "20240229"}, bad: map[string]string{"2023-02-29": "不是存在的日期", "2024/01/01": "格式应为", "2024-1-1": "格式应为", "1900-01-01": "占位日期", "19700101": "占位日期", "9999-12-31": "占位日期", "20241301": "不是存在的日期"}},
	{kind: "date_text", columns: "s", params: "words=长期,9999-12-31;min=2000-01-01;max=today", good: []string{"长期", "9999-12-31", "2026-11-23"}, bad: map[string]string{"1999-12-31": "2000-01-01 至 当天", "2026-11-24": "至 当天"}},
	{kind: "date_text", columns: "s", params: "formats=YYYY年MM月DD日,DD/MM/YYYY", good: []string{"2024年01月31日", "31/01/2024"}, bad: map[string]string{"2024-01-31": "格式应为 YYYY年MM月DD日 或", "01/31/2024": "不是存在的日期"}},
	{kind: "datetime_text", columns: "s", good: []string{"2024-01-31T23:59:59", "2024-01-31T23:59:59+08:00", "2024-01-31T23:59:59Z", "2024-01-31 00:00:00"}, bad: map[string]string{"2024-01-31": "格式", "2024-01-31T24:00:00": "不是存在", "2024-01-31T23:59:59+99:00": "格式", "1970-01-01 00:00:00": "占位"}},
	{kind: "url", columns: "s", good: []string{"https://www.shpt.gov.cn/a?b=1", "http://10.0.0.1:8080"}, bad: map[string]string{"www.shpt.gov.cn": "http:// 或 https://", "ftp://a": "网址", "http://": "网址", "http://a b": "网址"}},
	{kind: "email", columns: "s", good: []string{"a.b@example.cn"}, bad: map[string]string{"a@b": "邮箱", "@example.cn": "邮箱", "a example.cn": "邮箱", "张三 <a@example.cn>": "邮箱"}},
	{kind: "ip", columns: "s", good: []string{"10.1.2.3", "::1"}, bad: map[string]string{"10.1.2.256": "IP", "10.1.2": "IP"}},
	{kind: "ip", columns: "s", params: "version=4", good: []string{"10.1.2.3"}, bad: map[string]string{"::1": "IPv4"}},
	{kind: "ip", columns: "s", params: "version=6", good: []string{"fe80::1"}, bad: map[string]string{"10.1.2.3": "IPv6"}},
	{kind: "uuid", columns: "s", good: []string{"123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"}, bad: map[string]string{"123e4567e89b12d3a456426614174000": "UUID", "g23e4567-e89b-12d3-a456-426614174000": "UUID"}},
	{kind: "json", columns: "s", good: []string{`{"a":1}`, `[]`, `1`}, bad: map[string]string{`{a:1}`: "JSON", ``: "JSON", `{} {}`: "JSON"}},
	{kind: "json", columns: "s", params: "type=object", good: []string{` {"a":1}`}, bad: map[string]string{`[]`: "JSON 对象"}},
	{kind: "json_member", columns: "s", params: "members=a.b,c", good: []string{`{"a":{"b":0},"c":""}`}, bad: map[string]string{`{"a":{"b":null},"c":1}`: "成员 a.b,c", `{"a":1,"c":1}`: "成员", `[]`: "成员", `x`: "成员"}},
	{kind: "json_schema", columns: "s", params: `schema={"type":"object","required":["a"]}`, good: []string{`{"a":1}`}, bad: map[string]string{`{}`: "JSON Schema", `1`: "JSON Schema", `{`: "JSON Schema"}},

	// values
	{kind: "enum", columns: "s", params: "values=1, 2", good: []string{"1", "2"}, bad: map[string]string{"3": "1, 2 之一", "": "之一"}, out: []string{"∅"}},
	{kind: "enum", columns: "s", params: "values=1,2,3,4,5,6,7,8,9,10", good: []string{"1", "10"}, bad: map[string]string{"11": "之一"}},
	{kind: "not_enum", columns: "s", params: "values=测试,张三", good: []string{"李四"}, bad: map[string]string{"测试": "不应为"}},
	{kind: "code", columns: "s", params: "table=sex_gbt2261_1", good: []string{"0", "1", "2", "9"}, bad: map[string]string{"3": "不在代码表 sex_gbt2261_1", "男性": "填的是名称"}, out: []string{"∅"}},
	{kind: "code", columns: "s", params: "table=marital_gbt2261_2", good: []string{"10", "23", "90"}, bad: map[string]string{"11": "不在代码表"}},
	{kind: "code", columns: "s", params: "table=nationality_gbt3304", good: []string{"01", "56", "97", "98"}, bad: map[string]string{"57": "不在代码表", "1": "不在代码表"}},
	{kind: "code", columns: "s", params: "table=country_gbt2659", good: []string{"CHN"}, bad: map[string]string{"156": "不在代码表"}},
	{kind: "code", columns: "s", params: "table=country_gbt2659_numeric", good: []string{"156"}, bad: map[string]string{"CHN": "不在代码表"}},
	{kind: "code", columns: "s", params: "table=education_gbt4658_2006", good: []string{"10", "90"}, bad: map[string]string{"99": "不在代码表"}},
	{kind: "code", columns: "s", params: "table=family_gbt4761_2008", good: []string{"01", "10"}, bad: map[string]string{"00": "不在代码表"}},
	{kind: "code", columns: "s", params: "table=gbt2260_history", good: []string{"310107", "310108"}, bad: map[string]string{"999999": "不在代码表"}},
	{kind: "code", columns: "s d", params: "table=gbt2260_history;at=d", good: []string{"310108|2000-01-01", "310108|∅", "310107|2026-01-01"}, bad: map[string]string{"310108|2020-01-01": "已停用或尚未启用"}},
	{kind: "code", columns: "s", params: "table=gbt2260_history;at=today", good: []string{"310107"}, bad: map[string]string{"310108": "已停用或尚未启用"}},
	{kind: "industry", columns: "s", good: []string{"A01", "01", "0111", "A0111", "0164", "T97"}, bad: map[string]string{"0170": "2011 年版的代码，2017 年版已调整", "B0111": "门类字母与大类不符", "9999": "不是 GB/T 4754-2017", "1": "行业代码", "A": "行业代码", "农业": "行业代码"}},
	{kind: "industry", columns: "s", params: "version=2011;level=小类", good: []string{"0170", "A0170"}, bad: map[string]string{"0164": "2017 年版的代码", "01": "应到小类"}},
	{kind: "industry", columns: "s", params: "version=any", good: []string{"0170", "0164"}, bad: map[string]string{"9999": "GB/T 4754 的"}},
	{kind: "industry", columns: "s", params: "level=门类", good: []string{"A"}, bad: map[string]string{"01": "应到门类"}},
	{kind: "pair_in", columns: "s t", params: "pairs=户籍:1,来沪:2", good: []string{"户籍|1", "来沪|2"}, bad: map[string]string{"户籍|2": "组合"}, out: []string{"∅|1", "户籍|∅"}},

	// numbers and dates
	{kind: "range", columns: "n", params: "min=0;max=120", good: []string{"0", "120"}, bad: map[string]string{"-1": "0 至 120", "121": "之间"}, out: []string{"∅"}},
	{kind: "range", columns: "n", params: "min=0;max=120;strict=both", good: []string{"1", "119"}, bad: map[string]string{"0": "不含两端", "120": "不含"}},
	{kind: "range", columns: "a", params: "min=0.01;strict=min", good: []string{"0.02"}, bad: map[string]string{"0.01": "不含最小值"}},
	{kind: "range", columns: "a", params: "max=10.5;strict=max", good: []string{"10.49"}, bad: map[string]string{"10.50": "不含最大值"}},
	{kind: "precision", columns: "c", params: "digits=3;scale=2", good: []string{"999.1200", "-999.99", "0.0000"}, bad: map[string]string{"1000.0000": "至多 3 位", "1.2340": "至多 2 位", "-1000.0000": "至多 3 位"}},
	{kind: "date_range", columns: "d", params: "min=1900-01-01;max=today", good: []string{"1900-01-01", "2026-11-23"}, bad: map[string]string{"2026-11-24": "至 当天", "1899-12-31": "1900-01-01"}, out: []string{"∅"}},
	{kind: "date_range", columns: "d", params: "min=today-30;max=today+1", good: []string{"2026-10-24", "2026-11-24"}, bad: map[string]string{"2026-10-23": "当天前 30 天", "2026-11-25": "当天后 1 天"}},
	{kind: "date_range", columns: "d", params: "except=1900-01-01,1970-01-01;max=today;strict=max", good: []string{"1970-01-02", "2026-11-22"}, bad: map[string]string{"1970-01-01": "占位日期", "1900-01-01": "占位", "2026-11-23": "不含最大值"}},
	{kind: "date_range", columns: "at", params: "min=2000-01-01;max=2000-01-01", good: []string{"2000-01-01 00:00:00.000", "2000-01-01 23:59:59.999"}, bad: map[string]string{"2000-01-02 00:00:00.000": "之间", "1999-12-31 23:59:59.999": "之间"}},
	{kind: "age", columns: "d", good: []string{"1906-11-23", "2026-11-23"}, bad: map[string]string{"1905-11-22": "0 至 120 周岁", "2026-11-24": "周岁"}, out: []string{"∅"}},
	{kind: "age", columns: "d e", params: "min=18;at=e", good: []string{"2000-02-29|2018-03-01"}, bad: map[string]string{"2000-02-29|2018-02-28": "18 至 120"}, out: []string{"2000-01-01|∅"}},

	// between items
	{kind: "order", columns: "d e", good: []string{"2020-01-01|2020-01-01", "2020-01-01|2020-01-02"}, bad: map[string]string{"2020-01-02|2020-01-01": "起应不晚于止"}, out: []string{"∅|2020-01-01"}},
	{kind: "order", columns: "d e", params: "strict=true", good: []string{"2020-01-01|2020-01-02"}, bad: map[string]string{"2020-01-01|2020-01-01": "起应早于止"}},
	{kind: "order", columns: "d e", params: "nulls=fail", good: []string{"2020-01-01|2020-01-02"}, bad: map[string]string{"∅|2020-01-01": "不晚于", "2020-01-01|∅": "不晚于"}, out: []string{"∅|∅"}},
	{kind: "order", columns: "a c", good: []string{"1.50|1.5000"}, bad: map[string]string{"1.51|1.5000": "不大于"}},
	{kind: "order", columns: "n a c", good: []string{"1|1.50|1.6000", "1|∅|1.0000"}, bad: map[string]string{"2|∅|1.9999": "整数甲应不大于金额应不大于比率", "1|1.50|1.4000": "不大于"}, out: []string{"1|∅|∅"}},
	{kind: "order", columns: "s t", good: []string{"a|b"}, bad: map[string]string{"b|a": "不大于"}},
	{kind: "equal", columns: "s t", good: []string{"a|a"}, bad: map[string]string{"a|b": "文本甲、文本乙应相等"}, out: []string{"a|∅", "∅|∅"}},
	{kind: "equal", columns: "s t", params: "nulls=fail", good: []string{"a|a"}, bad: map[string]string{"a|∅": "应相等"}, out: []string{"∅|∅"}},
	{kind: "equal", columns: "n a", good: []string{"2|2.00"}, bad: map[string]string{"2|2.01": "应相等"}},
	{kind: "not_equal", columns: "s t", good: []string{"a|b"}, bad: map[string]string{"a|a": "不应相同"}, out: []string{"a|∅"}},
	{kind: "distinct_within", columns: "n m a", good: []string{"1|2|3.00", "1|∅|2.00"}, bad: map[string]string{"1|2|1.00": "各不相同", "∅|2|2.00": "各不相同"}, out: []string{"1|∅|∅"}},
	{kind: "sum_of", columns: "n m", params: "to=a", good: []string{"1|2|3.00", "9223372036854775807|-9223372036854775807|0.00"}, bad: map[string]string{"1|2|3.01": "之和应等于金额"}, out: []string{"1|∅|1.00"}},
	{kind: "sum_of", columns: "a c", params: "equals=100", good: []string{"99.50|0.5000"}, bad: map[string]string{"99.50|0.5001": "应等于 100"}},
	{kind: "sum_of", columns: "n m", params: "min=0.5;max=10", good: []string{"1|0", "5|5"}, bad: map[string]string{"0|0": "应不小于 0.5", "9223372036854775807|1": "应不大于 10"}},
	{kind: "expression", columns: "n m", params: "expr=n > m", good: []string{"2|1"}, bad: map[string]string{"1|2": "不满足 n > m"}, out: []string{"∅|1", "1|∅"}},

	// persons
	{kind: "gb11643", columns: "s", good: []string{idGood, "911124198108030024", "810000199408230021", "830000199201300022", "310199198801010003"}, bad: map[string]string{
		idBad: "校验码不正确", "11010519491231002x": "小写 x", "110105491231002": "15 位旧号码", "440524188001010014": "1900-01-01 至当天", "310199209901010001": "至当天之间",
		"310107199902300007": "出生日期（第 7 至 14 位）不存在", "999": "18 位", "1101051949123100A2": "18 位", "": "18 位", "699999198801010004": "校验码"}},
	{kind: "gb11643", columns: "s", params: "min_birth=1800-01-01;lower_x=true;old15=true", good: []string{"440524188001010014", "11010519491231002x", "110105491231002"}, bad: map[string]string{"110105491331002": "18 位", "11010519491231003x": "校验码"}},
	{kind: "gb11643", columns: "s", params: "foreign=false;permits=false", good: []string{idGood}, bad: map[string]string{"911124198108030024": "外国人永久居留证", "810000199408230021": "港澳台居民居住证"}},
	{kind: "gb11643", columns: "s", good: []string{idGood}, bad: map[string]string{idBad: "校验码"}, out: []string{"∅", "无"}, soft: true},
	{kind: "birth_matches_id", columns: "d s", good: []string{"1949-12-31|" + idGood}, bad: map[string]string{"1949-12-30|" + idGood: "出生日期不一致"}, out: []string{"∅|" + idGood, "1949-12-31|123", "1949-12-31|∅"}},
	{kind: "sex_matches_id", columns: "s t", good: []string{"2|" + idGood}, bad: map[string]string{"1|" + idGood: "第 17 位"}, out: []string{"9|" + idGood, "1|123", "∅|" + idGood}},
	{kind: "mobile", columns: "s", good: []string{"19900001234", "13912345678"}, bad: map[string]string{"13800138000": "占位号码", "13333333333": "占位号码", "11111111111": "11 位", "1391234567": "11 位", "12912345678": "11 位", "+8613912345678": "11 位", "139 1234 5678": "11 位"}},
	{kind: "mobile", columns: "s", params: "strip=true;refuse=13912345678", good: []string{"+86 199-0000-1234", "8619900001234", "199 0000 1234"}, bad: map[string]string{"+8613912345678": "占位号码", "+1 9900001234": "11 位"}},
	{kind: "landline", columns: "s", good: []string{"021-52661234", "02152661234", "52661234", "52661234-8001"}, bad: map[string]string{"12661234": "固定电话", "5266123": "固定电话", "010-52661234": "固定电话", "52661234-": "固定电话", "52661234-1234567": "固定电话", "13912345678": "固定电话"}},
	{kind: "landline", columns: "s", params: "area=0571;mobile=true", good: []string{"0571-87654321", "13912345678"}, bad: map[string]string{"021-52661234": "或手机号"}},
	{kind: "passport", columns: "s", good: []string{"E12345678", "G12345678", "EA1234567", "H12345678", "M1234567801", "12345678"}, bad: map[string]string{"EI1234567": "普通护照", "E1234567": "护照", "GA1234567": "护照", "e12345678": "护照", "H1234567801x": "护照", "1234567": "护照"}},
	{kind: "passport", columns: "s", params: "documents=passport;also=^[A-Z]{2}\\d{7}$", good: []string{"E12345678", "AB1234567"}, bad: map[string]string{"H12345678": "普通护照", "12345678": "护照"}},
	{kind: "disability_card", columns: "s", good: []string{idGood + "43", idGood + "11B1"}, bad: map[string]string{idGood + "83": "20 位", idGood + "45": "20 位", idGood: "20 位", idBad + "43": "身份号码有误", idGood + "43B": "20 位", idGood + "43C1": "20 位"}},
	{kind: "bank_card", columns: "s", good: []string{"6222020200112230", "6222020200112233446"}, bad: map[string]string{"6222020200112231": "校验位", "6222 0202 0011 2230": "13 至 19", "79927398713": "13 至 19"}},
	{kind: "bank_card", columns: "s", params: "min=11;strip=true", good: []string{"79927398713", "6222 0202 0011 2230"}, bad: map[string]string{"79927398710": "校验位"}},
	{kind: "luhn", columns: "s", good: []string{"4111111111111111"}, bad: map[string]string{"4111111111111112": "校验位", "79927398713": "校验位"}},

	// organisations
	{kind: "gb32100", columns: "s", good: []string{"91350100M000100Y43", "91310000631696382C", "91310107MA1G000032", "92310107MA1L00008Q", "91310107MAC0000X9D", "81310107MA1G000033"}, bad: map[string]string{
		"91350100M000100Y44": "校验码（末位）不正确", "91310107MA1G00001U": "组织机构代码（第 9 至 17 位）", "91350100M000100Y4I": "不含 I、O、S、V、Z", "9135": "18 位", "91310107ma1g000032": "18 位"}},
	{kind: "gb32100", columns: "s", params: "prefixes=table;division=true", good: []string{"91350100M000100Y43", "81310107MA1G000033"}, bad: map[string]string{"A2310107MA1G00003X": "前两位", "91999999MA1G00003C": "第 3 至 8 位"}},
	{kind: "gb32100", columns: "s", params: "prefixes=91,92", good: []string{"91310107MA1G000032"}, bad: map[string]string{"81310107MA1G000033": "前两位"}},
	{kind: "gb11714", columns: "s", good: []string{"D2143569X", "D2143569-X", "631696382"}, bad: map[string]string{"D21435690": "组织机构代码", "D2143569": "组织机构代码"}},
	{kind: "gbt17710", columns: "s", good: []string{"110108000000016"}, bad: map[string]string{"110108000000017": "15 位", "07945": "15 位"}},

	// places
	{kind: "division", columns: "s", good: []string{"310107", "310107005", "310107005001"}, bad: map[string]string{"310107999": "不是有效的行政区划代码", "310107005999": "不是有效", "31010": "不是有效", "310108": "已撤销"}, out: []string{"∅"}},
	{kind: "division", columns: "s", params: "digits=9,12;under=310107", good: []string{"310107005", "310107005001"}, bad: map[string]string{"310107": "9、12 位", "310106006": "310107 之下"}},
	{kind: "division", columns: "s d", params: "at=d", good: []string{"310108|2000-01-01"}, bad: map[string]string{"310108|2020-01-01": "已撤销"}},
	{kind: "postcode", columns: "s", good: []string{"200060", "200333"}, bad: map[string]string{"100000": "以 20 开头", "20006": "6 位"}},
	{kind: "postcode", columns: "s", params: "prefixes=*;known=200060,100000", good: []string{"100000"}, bad: map[string]string{"200061": "邮政编码"}},
	{kind: "address", columns: "s", good: []string{"上海市普陀区枣阳路108弄3号", "曹杨一村12号", "真南路１２号"}, bad: map[string]string{"上海市普陀区": "道路和门牌", "枣阳路": "门牌", "108号": "道路"}},
	{kind: "address", columns: "s", params: "room=true", good: []string{"枣阳路108弄3号501室", "枣阳路108弄3号501"}, bad: map[string]string{"枣阳路108弄3号": "写到室"}},
	{kind: "geo_box", columns: "c a", good: []string{"121.3200|31.20", "121.4000|31.25"}, bad: map[string]string{"121.4701|31.25": "经度 121.32 至 121.47", "31.2500|121.40": "填反了", "0.0000|0.00": "坐标系"}, out: []string{"121.4000|∅"}},
	{kind: "realty_unit", columns: "s", good: []string{"3101070050010GB00001F00010001"[:28]}, bad: map[string]string{"310107": "28 位", "9999990050010GB00001F0001000"[:28]: "前 6 位"}},
	{kind: "realty_certificate", columns: "s", good: []string{"沪(2024)普字不动产权第000001号", "沪（2024）普字不动产权第000001号"}, bad: map[string]string{"沪(2024)普字不动产权第1号": "不动产权证号", "沪2024普字不动产权第000001号": "不动产权证号"}},

	// licences
	{kind: "food_business", columns: "s", good: []string{"JY13101070000002", "JY33101070000009"}, bad: map[string]string{"JY43101070000002": "主体业态", "JY1310107000000": "13 位数字", "SC10131010700003": "JY"}},
	{kind: "food_business", columns: "s", params: "check=mod11_10", good: []string{"JY13101070000002"}, bad: map[string]string{"JY13101070000003": "校验位"}},
	{kind: "food_production", columns: "s", good: []string{"SC10131010700003"}, bad: map[string]string{"SC1013101070000": "14 位", "JY13101070000002": "SC"}},
	{kind: "food_production", columns: "s", params: "check=mod11_10", good: []string{"SC10131010700003"}, bad: map[string]string{"SC10131010700004": "校验位"}},
	{kind: "medical_institution", columns: "s", good: []string{"PDY00001X31010711A1001X"[:22]}, bad: map[string]string{"PDY00001X": "22 位", "pdy00001x31010711a1001": "大写"}},
	{kind: "licence_id", columns: "s", good: []string{"1.2.156.3005.2.11100000000013338W001.11310107MBQ0000599.20240001.001.X"}, bad: map[string]string{"1.2.156.3005.2.1.2.3.4": "5 段", "1.2.156.3005.3.1.2.3.4.5": "1.2.156.3005.2", "1.2.156.3005.2.1.2..4.5": "5 段"}},
	{kind: "case_no", columns: "s", params: `pattern=^(?P<date>\d{8})(?P<dept>\d{4})\d{6}$;depts=3005,3006`, good: []string{"202611233005000001"}, bad: map[string]string{"202611243005000001": "日期不存在或晚于当天", "202613013005000001": "日期", "202611233007000001": "部门代码应为 3005,3006", "2026": "格式不符"}},
	{kind: "case_no", columns: "s", params: `pattern=^PT(?P<date>\d{6})-\d+$`, good: []string{"PT261123-1"}, bad: map[string]string{"PT260230-1": "日期不存在"}},
}

// rowOf reads a row of a vector.
func rowOf(t *testing.T, columns []string, written string) exprtest.Row {
	t.Helper()
	r := exprtest.Row{}
	values := strings.Split(written, "|")
	for i, name := range columns {
		if values[i] == "∅" {
			continue
		}
		switch name {
		case "n", "m":
			v, err := strconv.ParseInt(values[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			r[name] = v
		default:
			r[name] = values[i]
		}
	}
	return r
}

// ruleOf is a vector's rule; params name columns beside the rule's own, whose values the
// rows have too.
func (v *vector) ruleOf() (rule mulu.Rule, columns []string) {
	params := map[string]string{}
	for kv := range strings.SplitSeq(v.params, ";") {
		if k, val, ok := strings.Cut(kv, "="); ok {
			params[k] = val
		}
	}
	columns = strings.Fields(v.columns)
	own := columns
	for _, info := range quality.Kinds() {
		if info.Name == v.kind && info.Most > 0 {
			own = columns[:min(info.Most, len(columns))]
		}
	}
	if params["to"] != "" {
		columns = append(append([]string(nil), columns...), params["to"])
	}
	return mulu.Rule{ID: "r", Title: "规则", Kind: v.kind, Columns: own, Params: params, Blocking: !v.soft}, columns
}

// Every kind takes, refuses with its reason and leaves out what its vectors say.
func TestKinds(t *testing.T) {
	for _, v := range vectors {
		rule, columns := v.ruleOf()
		rs, err := quality.Compile(&mulu.Dataset{Columns: exprtest.Columns, Rules: []mulu.Rule{rule}}, tables(t))
		if err != nil {
			t.Errorf("%s(%s): %v", v.kind, v.params, err)
			continue
		}
		public := v.params // and what defaults say
		for _, k := range quality.Kinds() {
			for _, p := range k.Params {
				if k.Name == v.kind {
					public += p.Default
				}
			}
		}
		judge := func(written string) (looked, broken bool, reason string) {
			rec := recordOf(t, exprtest.Columns, []exprtest.Row{rowOf(t, columns, written)})
			defer rec.Release()
			got := rs.Check(rec, []int64{1}, exprtest.AsOf)
			f := got.Findings(mulu.Plan{})[0]
			if faults := got.Broken(0, rule.Blocking); len(faults) > 0 {
				reason = faults[0].Reason
			}
			return f.Evaluated == 1, f.Failed == 1, reason
		}
		for _, s := range v.good {
			if looked, broken, reason := judge(s); !looked || broken {
				t.Errorf("%s(%s) refuses %q: looked %v, %s", v.kind, v.params, s, looked, reason)
			}
		}
		for _, s := range v.out {
			if looked, broken, _ := judge(s); looked || broken {
				t.Errorf("%s(%s) judges %q", v.kind, v.params, s)
			}
		}
		for s, want := range v.bad {
			looked, broken, reason := judge(s)
			if !looked || !broken || !strings.Contains(reason, want) {
				t.Errorf("%s(%s) on %q: looked %v, broken %v, reason %q, want %q", v.kind, v.params, s, looked, broken, reason, want)
			}
			for _, value := range strings.Split(s, "|") {
				if len(value) >= 8 && strings.Contains(reason, value) && !strings.Contains(public, value) {
					t.Errorf("%s(%s): the reason carries the value %q: %s", v.kind, v.params, value, reason)
				}
			}
		}
	}
}

// Whatever text stands in a column, every kind answers: it counts the row at most once
// and a fault has a reason.
func TestKindsAnswerAnyText(t *testing.T) {
	piece := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9]{0,22}[Xx]?`), rapid.StringMatching(`[A-Z0-9]{0,20}`), rapid.SampledFrom([]string{idGood, "021-", "JY", "SC", "{", "\"", "锟", "Ã\u0080", "2024-01-", "+86", " ", "B", "沪(", "1.2.156.3005.2"}))
	var rules []mulu.Rule
	for _, v := range vectors {
		rule, _ := v.ruleOf()
		rule.ID, rule.Blocking = mulu.RuleID(strconv.Itoa(len(rules))), false
		rules = append(rules, rule)
	}
	var sets []*quality.Ruleset
	for len(rules) > 0 {
		n := min(len(rules), 64)
		rs, err := quality.Compile(&mulu.Dataset{Columns: exprtest.Columns, Rules: rules[:n]}, tables(t))
		if err != nil {
			t.Fatal(err)
		}
		sets, rules = append(sets, rs), rules[n:]
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := func(name string) string {
			return strings.ToValidUTF8(strings.Join(rapid.SliceOfN(piece, 0, 3).Draw(rt, name), ""), "")
		}
		rec := recordOf(t, exprtest.Columns, []exprtest.Row{{"s": text("s"), "t": text("t")}})
		defer rec.Release()
		for _, rs := range sets {
			got := rs.Check(rec, []int64{1}, exprtest.AsOf)
			for _, f := range got.Findings(mulu.Plan{}) {
				if f.Evaluated > 1 || f.Failed > f.Evaluated {
					rt.Fatalf("rule %s: %d of %d failed", f.Rule, f.Failed, f.Evaluated)
				}
			}
			for _, f := range got.Broken(0, false) {
				if f.Reason == "" {
					rt.Fatalf("rule %s gives no reason", f.Rule)
				}
			}
		}
	})
}

// Every kind has vectors of both sorts, a title, a theme, an indicator and parameters that
// can be shown; defaults can be read back.
func TestKindsAreDescribed(t *testing.T) {
	good, bad := map[string]bool{}, map[string]bool{}
	for _, v := range vectors {
		good[v.kind] = good[v.kind] || len(v.good) > 0
		bad[v.kind] = bad[v.kind] || len(v.bad) > 0
	}
	infos := quality.Kinds()
	if len(infos) != len(quality.RuleKinds()) {
		t.Errorf("%d kinds are described, %d named: a name stands twice", len(infos), len(quality.RuleKinds()))
	}
	for _, k := range infos {
		if !good[k.Name] || !bad[k.Name] {
			t.Errorf("kind %s has no vectors", k.Name)
		}
		if k.Title == "" || k.Theme == "" || k.Says == "" || quality.IndicatorTitle(k.Indicator) == "" || k.Least < 1 || k.Most > 0 && k.Most < k.Least {
			t.Errorf("kind %s is not described: %+v", k.Name, k)
		}
		for _, p := range k.Params {
			if p.Title == "" || p.Type == "" || p.Required && p.Default != "" || p.Type == quality.ParamChoice && (len(p.Choices) < 2 || p.Default == "") {
				t.Errorf("parameter %s of %s is not described: %+v", p.Name, k.Name, p)
			}
		}
	}
}

var update = flag.Bool("update", false, "write docs/rules.md's tables")

// docs/rules.md has the tables that the kinds themselves make (-update writes them).
func TestKindsAreDocumented(t *testing.T) {
	const path, begin, end = "../docs/rules.md", "<!-- kinds: go test ./quality -run TestKindsAreDocumented -update -->\n", "<!-- end of kinds -->"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no marks around the tables of kinds", path)
	}
	want := before + begin + kindTables() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if want != string(raw) {
		t.Errorf("%s does not say what the kinds are; run the test with -update and read the difference", path)
	}
}

// The rules that docs/rules.md shows compile against the sample's residents.
func TestDocumentedRulesCompile(t *testing.T) {
	raw, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "```yaml\n")
	shown, _, _ := strings.Cut(rest, "```")
	var doc struct{ Rules []mulu.Rule }
	if err := yaml.Unmarshal([]byte(shown), &doc); err != nil || len(doc.Rules) < 3 {
		t.Fatalf("%d rules are shown: %v", len(doc.Rules), err)
	}
	set, err := declare.Load(sampledata.FS, declare.Known{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ds := range set.Datasets {
		if ds.Code == "resident" {
			ds.Rules = doc.Rules
			if _, err := quality.Compile(ds.Dataset, tables(t)); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Error("no residents in the sample")
}

func kindTables() string {
	var b strings.Builder
	theme := ""
	for _, k := range quality.Kinds() {
		if k.Theme != theme {
			theme = k.Theme
			b.WriteString("\n### " + theme + "\n\n| kind | 名称 | 数据项 | 参数（* 必填，= 默认） | 行应当 | 指标 |\n|---|---|---|---|---|---|\n")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", k.Name, k.Title, columnsOf(k), paramsOf(k), cell(k.Says), k.Indicator)
	}
	b.WriteString("\n")
	return b.String()
}

// cell keeps a text inside its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func columnsOf(k quality.KindInfo) string {
	n := strconv.Itoa(k.Least)
	if k.Most == 0 {
		n += "+"
	} else if k.Most > k.Least {
		n += "–" + strconv.Itoa(k.Most)
	}
	var types []string
	for i, may := range k.Types {
		var names []string
		for _, t := range may {
			names = append(names, string(t))
		}
		said := strings.Join(names, "、")
		if len(k.Roles) > 0 {
			said = k.Roles[min(i, len(k.Roles)-1)] + " " + said
		}
		if i == 0 && len(k.Types) == 1 && len(k.Roles) > 1 {
			said = strings.Join(k.Roles, "、") + " " + strings.Join(names, "、")
		}
		types = append(types, said)
	}
	if types == nil {
		types = []string{"任意"}
	}
	return n + " · " + strings.Join(types, "；")
}

func paramsOf(k quality.KindInfo) string {
	var out []string
	for _, p := range k.Params {
		s := "`" + p.Name + "`"
		if p.Required {
			s += "*"
		}
		s += " " + cell(p.Title)
		switch {
		case len(p.Choices) > 0 && p.Default != "":
			s += "（" + strings.Join(p.Choices, "、") + "；=" + p.Default + "）"
		case len(p.Choices) > 0:
			s += "（" + strings.Join(p.Choices, "、") + "）"
		case p.Default != "":
			s += "（=`" + cell(p.Default) + "`）"
		}
		out = append(out, s)
	}
	return strings.Join(out, "<br>")
}
