package bench

import (
	"strconv"
	"time"

	"mulu"
	"mulu/internal/sample"
)

// code is the dataset of the figures: twelve columns, about 330 bytes of JSON a row.
const code mulu.DatasetCode = "bench"

// dataset is the version all parts measure. Twelve row rules, two of them blocking.
func dataset(code mulu.DatasetCode, topic string, history bool) *mulu.Dataset {
	text := func(column, kind string, blocking bool, params ...string) mulu.Rule {
		r := mulu.Rule{ID: mulu.RuleID(column + "_" + kind), Kind: kind, Columns: []string{column}, Blocking: blocking, Indicator: "030100", Params: map[string]string{}}
		for i := 0; i+1 < len(params); i += 2 {
			r.Params[params[i]] = params[i+1]
		}
		return r
	}
	return &mulu.Dataset{
		Code: code, Title: "测速数据", Version: 1, Library: "lib_bench", Topic: topic, Format: "json", Key: []string{"id"}, History: history, Sample: true,
		Columns: []mulu.Column{
			{Name: "id", Type: mulu.Int, Required: true}, {Name: "citizen_id", Type: mulu.String, Required: true}, {Name: "uscc", Type: mulu.String},
			{Name: "name", Type: mulu.String}, {Name: "mobile", Type: mulu.String}, {Name: "dept_code", Type: mulu.String, Required: true},
			{Name: "status", Type: mulu.String, Required: true}, {Name: "amount", Type: mulu.Decimal, Scale: 2, Required: true}, {Name: "age", Type: mulu.Int},
			{Name: "start_date", Type: mulu.Date, Required: true}, {Name: "updated_at", Type: mulu.DateTime, Required: true}, {Name: "address", Type: mulu.String},
		},
		Rules: []mulu.Rule{
			text("citizen_id", "not_null", true), text("citizen_id", "gb11643", true),
			text("uscc", "gb32100", false), text("name", "not_null", false), text("name", "length", false, "min", "2", "max", "40"),
			text("mobile", "mobile", false), text("dept_code", "pattern", false, "pattern", `^[A-Z]{3}-\d{6}$`),
			text("status", "enum", false, "values", "VALID,PENDING,CANCELLED,EXPIRED"), text("amount", "range", false, "min", "0", "max", "900000"),
			text("age", "range", false, "min", "0", "max", "120"), text("start_date", "date_range", false, "min", "1990-01-01", "max", "2026-01-01"),
			text("updated_at", "date_range", false, "min", "2000-01-01"),
		},
	}
}

// rows writes source records one after another into one buffer. Record i is the
// same in every run, and belongs to nobody: the division does not exist.
type rows struct{ buf []byte }

// mix scatters i over 64 bits, so that neighbours differ in everything.
func mix(i int64) uint64 {
	z := uint64(i)*0x9e3779b97f4a7c15 + 0x2545f4914f6cdd1d //nolint:gosec // a hash
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// key is the id of record i: all distinct, in no order, so that the engine has to sort.
func key(i int64) int64 { return int64(uint32(i*2654435761)) + 1 } //nolint:gosec // below 2^32 an odd factor keeps them distinct

// faulty says whether record i must be rejected: one in a hundred has a wrong check
// character, one in a hundred text where a number belongs.
func faulty(i int64) bool { return i%50 == 7 }

var (
	surnames = []string{"张", "李", "王", "赵", "陈", "刘", "杨", "黄", "周", "吴"}
	given    = []string{"建国", "秀英", "伟", "芳", "小明", "丽华", "志强", "静", "磊", "海燕", "玉兰", "俊杰"}
	streets  = []string{"曹杨新村街道", "长风新村街道", "长寿路街道", "甘泉路街道", "石泉路街道", "宜川路街道", "真如镇街道", "万里街道"}
	statuses = []string{"VALID", "PENDING", "CANCELLED", "EXPIRED"}
	born     = time.Date(1940, 1, 1, 0, 0, 0, 0, time.UTC)
)

// append writes record i. Six columns are null or missing now and then, and some
// rows break a soft rule.
func (r *rows) append(i int64) []byte {
	h := mix(i)
	pick := func(n uint64) int64 { h = h*6364136223846793005 + 1442695040888963407; return int64(h >> 33 % n) } //nolint:gosec // below 2^31
	b := append(r.buf[:0], `{"id":`...)
	b = strconv.AppendInt(b, key(i), 10)
	b = append(b, `,"citizen_id":"`...)
	b = citizen(b, pick(25_000), pick(1000), faulty(i) && i%100 == 7)
	b = append(b, '"')
	if n := pick(100); n < 88 {
		b = append(b, `,"uscc":"`...)
		b = credit(b, pick(100_000_000), n == 3)
		b = append(b, '"')
	}
	if pick(100) < 97 {
		b = append(b, `,"name":"`...)
		b = append(append(b, surnames[pick(10)]...), given[pick(12)]...)
		b = append(b, '"')
	} else {
		b = append(b, `,"name":null`...)
	}
	if n := pick(100); n < 90 {
		b = append(b, `,"mobile":"199`...)
		b = padded(b, pick(100_000_000), 8-int(n/89)) // one in ninety is a digit short
		b = append(b, '"')
	} else {
		b = append(b, `,"mobile":null`...)
	}
	b = append(b, `,"dept_code":"PTQ-`...)
	b = padded(b, pick(1000), 6)
	b = append(append(b, `","status":"`...), statuses[pick(4)]...)
	b = append(b, `","amount":`...)
	b = strconv.AppendInt(b, pick(910_000), 10)
	b = padded(append(b, '.'), pick(100), 2)
	switch n := pick(100); {
	case faulty(i) && i%100 != 7:
		b = append(b, `,"age":"不详"`...)
	case n < 92:
		b = strconv.AppendInt(append(b, `,"age":`...), pick(121), 10)
	}
	day := time.Unix(0, 0).UTC().AddDate(0, 0, int(7400+pick(12_000)))
	b = append(day.AppendFormat(append(b, `,"start_date":"`...), time.DateOnly), '"')
	b = time.UnixMilli(1_600_000_000_000+pick(1<<31)*80).UTC().AppendFormat(append(b, `,"updated_at":"`...), "2006-01-02T15:04:05.000Z")
	b = append(b, '"')
	if pick(100) < 95 {
		b = append(append(b, `,"address":"上海市普陀区`...), streets[pick(8)]...)
		b = strconv.AppendInt(append(b, "测试路"...), pick(999), 10)
		b = strconv.AppendInt(append(b, "弄"...), pick(300), 10)
		b = strconv.AppendInt(append(b, "号"...), pick(3000), 10)
		b = append(b, `室"`...)
	}
	r.buf = append(b, '}')
	return r.buf
}

// padded appends n in exactly width digits, its lowest.
func padded(b []byte, n int64, width int) []byte {
	at := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := width - 1; i >= 0; i-- {
		b[at+i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// citizen appends a number of the division that does not exist; wrong breaks its
// check character.
func citizen(b []byte, day, sequence int64, wrong bool) []byte {
	at := len(b)
	b = append(b, sample.NoDivision...)
	b = born.AddDate(0, 0, int(day)).AppendFormat(b, "20060102")
	b = padded(b, sequence, 3)
	sum := 0
	for i, w := range [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(b[at+i]-'0') * w
	}
	if wrong {
		sum++
	}
	return append(b, "10X98765432"[sum%11])
}

// credit appends a credit code of that division (GB 32100 around GB 11714); wrong
// breaks its check character.
func credit(b []byte, number int64, wrong bool) []byte {
	const set = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	at := len(b)
	b = append(append(b, "91"...), sample.NoDivision...)
	b = padded(b, number, 8)
	sum := 0
	for i, w := range [8]int{3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(b[at+8+i]-'0') * w
	}
	b = append(b, "0X987654321"[sum%11])
	sum = 0
	for i, w := range [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28} {
		v := int(b[at+i] - '0')
		if b[at+i] == 'X' {
			v = 29
		}
		sum += v * w
	}
	if wrong {
		sum++
	}
	return append(b, set[(31-sum%31)%31])
}
