package ingest_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
)

// fuzzed has no date columns: their grammar is not encoding/json's.
func fuzzed(format string) *mulu.Dataset {
	return &mulu.Dataset{Code: "f", Topic: "f", Format: format, Columns: []mulu.Column{
		{Name: "s", Type: mulu.String}, {Name: "i", Type: mulu.Int}, {Name: "d", Type: mulu.Decimal, Scale: 2}, {Name: "b", Type: mulu.Bool}, {Name: "t", Type: mulu.String},
	}}
}

var errTwice = errors.New("member given twice")

// members reads one JSON object with encoding/json: names in order, raw values. A
// member given twice is an error.
func members(in []byte) (names []string, values []json.RawMessage, err error) {
	seen := map[string]bool{}
	return membersWith(in, func(name string) error {
		if seen[name] {
			return errTwice
		}
		seen[name] = true
		return nil
	})
}

// membersWith is members with what is asked of each name.
func membersWith(in []byte, ask func(name string) error) (names []string, values []json.RawMessage, err error) {
	if !json.Valid(in) {
		return nil, nil, errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(in))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, nil, errors.New("not an object")
	}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, nil, err
		}
		name := tok.(string)
		if err := ask(name); err != nil {
			return nil, nil, err
		}
		names, values = append(names, name), append(values, raw)
	}
	return names, values, nil
}

// decimalOf reads a JSON number exactly; ok is false if it does not fit (18, 2).
func decimalOf(s string) (string, bool) {
	if _, exp, found := strings.Cut(strings.ToLower(s), "e"); found && len(strings.TrimLeft(exp, "+-")) > 3 {
		return "", false // the decoder refuses long exponents
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", false
	}
	r.Mul(r, big.NewRat(100, 1))
	if !r.IsInt() || new(big.Int).Abs(r.Num()).Cmp(big.NewInt(1e18)) >= 0 {
		return "", false
	}
	return r.Num().String(), true
}

func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' && json.Valid([]byte(s))
}

// expected is the reference for one column: the value as a string, "" with ok for
// null.
func expected(name string, raw json.RawMessage) (value string, null, ok bool) {
	text, isText := "", raw[0] == '"'
	if isText {
		if err := json.Unmarshal(raw, &text); err != nil {
			return "", false, false
		}
	}
	if string(raw) == "null" || isText && text == "" && name != "s" && name != "t" {
		return "", true, true
	}
	if !isText {
		text = string(raw)
	}
	switch name {
	case "s", "t":
		return text, false, isText
	case "i":
		n, good := new(big.Int).SetString(text, 10)
		if !good || !isNumber(text) || strings.ContainsAny(text, ".eE") || !n.IsInt64() {
			return "", false, false
		}
		return n.String(), false, true
	case "d":
		if !isNumber(text) {
			return "", false, false
		}
		v, fits := decimalOf(text)
		return v, false, fits
	}
	switch text {
	case "true", "1":
		return "true", false, true
	case "false", "0":
		return "false", false, true
	case "是", "否":
		return map[string]string{"是": "true", "否": "false"}[text], false, isText
	}
	return "", false, false
}

func cell(c arrow.Array) (string, bool) {
	if c.IsNull(0) {
		return "", true
	}
	if d, ok := c.(*array.Decimal128); ok {
		return d.Value(0).BigInt().String(), false
	}
	return c.ValueStr(0), false
}

func depth(in []byte) (most int) {
	for n, i := 0, 0; i < len(in); i++ {
		switch in[i] {
		case '{', '[':
			n++
		case '}', ']':
			n--
		}
		most = max(most, n)
	}
	return most
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		`{"s":"a","i":1,"d":1.50,"b":true,"t":"é"}`, `{"t":null,"s":"\u00e9\ud83d\ude00\n","x":{"y":[1,2.5e-3,"\""]}}`,
		`{"i":"9223372036854775808"}`, `{"i":-9223372036854775808,"d":"0.010"}`, `{"d":1e16}`, `{"d":100e-4}`, `{"d":-0.0e5}`, `{"b":"是"}`, `{"b":0}`,
		`{"s":"a","s":"b"}`, `{"x":1,"\u0078":1}`, `{"i":01}`, `{"s":"\ud800"}`, `{"s":"12345678\"12345678\\"}`, `{}`, ` {"s" : "" } `, `{"i":1}}`, `{"x":[[[]]],"":{}}`,
	} {
		f.Add([]byte(s))
	}
	dec := decoder(f, fuzzed("json"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) || depth(in) > 60 || loneSurrogate(in) {
			return // refused here, repaired or accepted there: tested by hand
		}
		d, err := dec.Decode(batchOf(string(in)))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Release()
		names, values, err := members(in)
		want, nulls := map[string]string{}, map[string]bool{"s": true, "i": true, "d": true, "b": true, "t": true}
		var extra []string
		for n, name := range names {
			if !nulls[name] {
				extra = append(extra, name)
				continue
			}
			v, null, ok := expected(name, values[n])
			if !ok {
				err = errors.New("column can not hold it")
			}
			nulls[name] = null
			want[name] = v
		}
		if (err == nil) != (len(d.Rejects) == 0) {
			t.Fatalf("%q: reference says %v, rejects %+v", in, err, d.Rejects)
		}
		if err != nil {
			return
		}
		for i, c := range fuzzed("json").Columns {
			got, null := cell(d.Record.Column(i))
			if null != nulls[c.Name] || got != want[c.Name] {
				t.Fatalf("%q: column %s is %q (null %v), want %q (null %v)", in, c.Name, got, null, want[c.Name], nulls[c.Name])
			}
		}
		got, _ := cell(d.Record.Column(5))
		if len(extra) == 0 {
			if got != "" {
				t.Fatalf("%q: _extra %q, want none", in, got)
			}
			return
		}
		kept, _, err := members([]byte(got))
		if err != nil || strings.Join(kept, "\x00") != strings.Join(extra, "\x00") {
			t.Fatalf("%q: _extra %q (%v), want members %q", in, got, err, extra)
		}
	})
}

// loneSurrogate says whether any string of in has half a pair: encoding/json then
// puts U+FFFD where none was.
func loneSurrogate(in []byte) bool {
	var v any
	if json.Unmarshal(in, &v) != nil {
		return false
	}
	out, err := json.Marshal(v)
	return err != nil || bytes.ContainsRune(out, utf8.RuneError) || bytes.Contains(out, []byte(`\ufffd`))
}

func FuzzDecodeCSV(f *testing.F) {
	for _, s := range []string{"a,1,2.5,true,b", `"a""b",,,,`, `a,"1","2",是,"x` + "\n" + `y"`, "a,b", "a,,,,b\n", `"a"b,,,,`, `a"b,,,,`, ",,,,", "\n", `"",,,,""`} {
		f.Add([]byte(s))
	}
	dec := decoder(f, fuzzed("csv"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) || bytes.ContainsRune(in, '\r') {
			return // encoding/csv rewrites \r\n inside quotes
		}
		d, err := dec.Decode(batchOf(string(in)))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Release()
		r := csv.NewReader(bytes.NewReader(in))
		r.FieldsPerRecord = 5
		want, err := r.Read()
		if err == nil {
			if rest := in[r.InputOffset():]; len(rest) > 0 || in[0] == '\n' {
				err = errors.New("more than one record")
			} else if _, again := r.Read(); again != io.EOF {
				err = errors.New("more than one record")
			}
		}
		for i, s := range want {
			if err != nil || i == 0 || i == 4 || s == "" {
				continue
			}
			quoted, _ := json.Marshal(s)
			if _, _, ok := expected(fuzzed("csv").Columns[i].Name, quoted); !ok {
				err = errors.New("column can not hold it")
			}
		}
		if (err == nil) != (len(d.Rejects) == 0) {
			t.Fatalf("%q: reference says %v, rejects %+v", in, err, d.Rejects)
		}
		if err != nil {
			return
		}
		for i, c := range fuzzed("csv").Columns {
			quoted, _ := json.Marshal(want[i])
			w, null, _ := expected(c.Name, quoted)
			got, isNull := cell(d.Record.Column(i))
			if got != w || want[i] != "" && isNull != null {
				t.Fatalf("%q: column %s is %q (null %v), want %q", in, c.Name, got, isNull, w)
			}
		}
	})
}
