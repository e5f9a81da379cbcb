package ingest_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"mulu"
	"mulu/ingest"
)

// rare are characters of names that older systems lose: of level 3 of the general list,
// of extensions A to G, of compatibility areas, and full-width ones.
const rare = "𬭊㑇𰻞𠮷䶮龴䲠㐆㛃𫖯１２３ＡＢＣ·€"

func gb18030(t testing.TB, s string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func texts(format, encoding string) *mulu.Dataset {
	return &mulu.Dataset{Code: "x", Version: 1, Topic: "x", Format: format, Encoding: encoding, Key: []string{"id"}, Columns: []mulu.Column{
		{Name: "id", Type: mulu.String, Required: true}, {Name: "name", Type: mulu.String}, {Name: "n", Type: mulu.Int},
	}}
}

func decodeTexts(t *testing.T, ds *mulu.Dataset, b *ingest.Batch) *ingest.Decoded {
	t.Helper()
	d, err := decoder(t, ds).Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Release)
	return d
}

func TestGB18030(t *testing.T) {
	t.Run("rare characters survive", func(t *testing.T) {
		for format, v := range map[string]string{"json": `{"id":"张三","name":"` + rare + `","n":1,"更多":"` + rare + `"}`, "csv": "张三," + rare + ",1"} {
			d := decodeTexts(t, texts(format, "gb18030"), batchOf(gb18030(t, v)))
			if len(d.Rejects) > 0 {
				t.Fatalf("%s: %+v", format, d.Rejects)
			}
			got := rows(t, d.Record)[0]
			if !strings.HasPrefix(got, "张三|"+rare+"|1|") || format == "json" && !strings.HasSuffix(got, `{"更多":"`+rare+`"}`) {
				t.Errorf("%s: %s", format, got)
			}
		}
	})
	t.Run("characters whose second byte is a quote, a backslash or a brace", func(t *testing.T) {
		// 乗 is 81 5C, 亇 is 81 7D, 亄 is 81 7B: in bytes they end a text or an object.
		d := decodeTexts(t, texts("json", "gb18030"), batchOf("{\"id\":\"\x81\x5c\",\"name\":\"\x81\x7d\x81\x7b\"}"))
		if len(d.Rejects) > 0 || !strings.HasPrefix(rows(t, d.Record)[0], "乗|亇亄|∅") {
			t.Errorf("%v %+v", rows(t, d.Record), d.Rejects)
		}
	})
	t.Run("the characters of 2022, and those of the user's own", func(t *testing.T) {
		for in, want := range map[string]string{
			"\xa6\xd9\xa6\xda\xa6\xdb\xa6\xf3": "\ufe10\ufe12\ufe11\ufe19", "\xfe\x59\xfe\x61\xfe\xa0": "\u9fb4\u9fb5\u9fbb", "\xa8\xbc": "ḿ",
			"\xfe\x51\xfe\x91": "\U00020087\U000241fe", "\x82\x35\x90\x37": "\u9fb4", "\x95\x32\x90\x31": "\U00020087",
			"\xaa\xa1\xaf\xfe\xf8\xa1\xfe\xfe\xa1\x40\xa7\xa0": "\ue000\ue233\ue234\ue4c5\ue4c6\ue765", "\x80\xa2\xe3": "€€", "\x84\x31\xa4\x37": "\ufffd",
		} {
			d := decodeTexts(t, texts("csv", "gb18030"), batchOf("a,"+in+",1"))
			if len(d.Rejects) > 0 || !strings.HasPrefix(rows(t, d.Record)[0], "a|"+want+"|1|") {
				t.Errorf("% X: %+q %+v, want %+q", in, rows(t, d.Record), d.Rejects, want)
			}
		}
	})
	t.Run("what is none names its byte", func(t *testing.T) {
		for in, at := range map[string]string{
			"a,张\xff,1": "第 5 字节(0xFF)", "a,\xd5\x20,1": "第 3 字节(0xD5)", "a,\x81\x30\x81,1": "第 3 字节(0x81)", "a,1,\xe3\x32\x9a\x36": "第 5 字节(0xE3)", "a,1,\xd5": "第 5 字节(0xD5)",
		} {
			in = strings.ReplaceAll(in, "张", "\xd5\xc5")
			d := decodeTexts(t, texts("csv", "gb18030"), batchOf(in))
			if len(d.Rejects) != 1 || d.Rejects[0].Class != ingest.ClassEncoding || !strings.Contains(d.Rejects[0].Reason, at) || string(d.Rejects[0].Value) != in {
				t.Errorf("%q: %+v, want %s", in, d.Rejects, at)
			}
		}
	})
	t.Run("a person mends in UTF-8", func(t *testing.T) {
		b := batchOf("a,张三,1")
		b.Records[0].Edited = true
		d := decodeTexts(t, texts("csv", "gb18030"), b)
		if len(d.Rejects) > 0 || !strings.HasPrefix(rows(t, d.Record)[0], "a|张三|1|") {
			t.Errorf("%v %+v", rows(t, d.Record), d.Rejects)
		}
	})
	t.Run("a deletion's key", func(t *testing.T) {
		b := batchOf("")
		b.Records[0].Key, b.Records[0].Value = []byte(gb18030(t, `{"id":"张三"}`)), nil
		d := decodeTexts(t, texts("json", "gb18030"), b)
		if len(d.Rejects) > 0 || !strings.HasPrefix(rows(t, d.Record)[0], "张三|") || d.Deleted == nil {
			t.Errorf("%v %+v", rows(t, d.Record), d.Rejects)
		}
	})
	t.Run("other formats have none", func(t *testing.T) {
		for _, ds := range []*mulu.Dataset{texts("avro", "gb18030"), texts("debezium", "gb18030"), texts("json", "utf-16")} {
			if _, err := ingest.NewDecoder(ds); err == nil {
				t.Errorf("%s in %s is decoded", ds.Format, ds.Encoding)
			}
		}
	})
}

// A byte order mark at the beginning of a record is no part of it, and is counted; full
// width digits are what the source says, and rules judge them.
func TestMarkAndFullWidth(t *testing.T) {
	for _, ds := range []*mulu.Dataset{texts("json", ""), texts("csv", ""), texts("json", "gb18030")} {
		v := map[string]string{"json": `{"id":"３１０１","name":"` + "\ufeff" + `x"}`, "csv": "３１０１,\ufeffx,"}[ds.Format]
		marked := "\ufeff" + v
		if ds.Encoding != "" {
			v, marked = gb18030(t, v), gb18030(t, marked)
		}
		d := decodeTexts(t, ds, batchOf(marked, v, marked))
		if len(d.Rejects) > 0 || d.Normalised[ingest.NoColumn] != 2 {
			t.Fatalf("%s %s: %v, %+v", ds.Format, ds.Encoding, d.Normalised, d.Rejects)
		}
		for _, row := range rows(t, d.Record) {
			if !strings.HasPrefix(row, "３１０１|\ufeffx|∅|") {
				t.Errorf("%q", row)
			}
		}
	}
}

// FuzzGB18030 decodes what the library decodes to the same text, and never puts a
// replacement character for what it can not read.
func FuzzGB18030(f *testing.F) {
	f.Add([]byte("\xd5\xc5\xc8\xfd"))
	f.Add([]byte("\xa6\xd9\x84\x31\xa4\x37\xaa\xa1\x80"))
	dec := decoder(f, texts("csv", "gb18030"))
	f.Fuzz(func(t *testing.T, v []byte) {
		d, err := dec.Decode(batchOf("a," + string(v) + ",1"))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Release()
		want, err := simplifiedchinese.GB18030.NewDecoder().Bytes(v)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(string(want), utf8.RuneError) {
			return // it lacks characters
		}
		if len(d.Rejects) > 0 {
			if d.Rejects[0].Class == ingest.ClassEncoding {
				t.Errorf("% X is %q: %s", v, want, d.Rejects[0].Reason)
			}
			return
		}
		rec, err := csv.NewReader(strings.NewReader("a," + string(want) + ",1")).Read()
		if err == nil && len(rec) == 3 && rec[1] != "" {
			if got := rows(t, d.Record)[0]; !strings.HasPrefix(got, fmt.Sprintf("a|%s|", rec[1])) {
				t.Errorf("% X: %q, want %q", v, got, rec[1])
			}
		}
	})
}

func BenchmarkDecodeGB18030JSON12(b *testing.B) {
	ds := twelve()
	ds.Encoding = "gb18030"
	benchDecode(b, ds, func(i int, mobile string) string {
		return gb18030(b, fmt.Sprintf(`{"id":%d,"citizen_id":"11010519491231%04d","uscc":"91310000%09dX","name":"张小%d","mobile":"%s","dept_code":"ABC-%06d","status":"VALID","amount":%d.%02d,"age":%d,"start_date":"2023-%02d-%02d","updated_at":"2024-05-06T07:08:%02d.123Z","address":"上海市普陀区长寿路街道某某居委会第%d弄%d号%d室"}`,
			uint32(i)*2654435761, i%10000, i, i%977, mobile, i%1000, i, i%100, i%100, i%12+1, i%28+1, i%60, i%300, i%90, i%2000))
	})
}
