package labelled

import (
	"bytes"
	"encoding/json"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// texts are JSON records as one batch of texts: a column for each name in the order it
// was first seen. What is no whole object is left out.
func texts(rows [][]byte) arrow.RecordBatch {
	var fields []arrow.Field
	seen := map[string]bool{}
	var recs []map[string]*string
	for _, raw := range rows {
		rec, names := object(raw)
		if rec == nil {
			continue
		}
		recs = append(recs, rec)
		for _, n := range names {
			if !seen[n] {
				seen[n], fields = true, append(fields, arrow.Field{Name: n, Type: arrow.BinaryTypes.String, Nullable: true})
			}
		}
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, rec := range recs {
		for i := range fields {
			to := b.Field(i).(*array.StringBuilder)
			if v := rec[fields[i].Name]; v != nil {
				to.Append(*v)
			} else {
				to.AppendNull()
			}
		}
	}
	return b.NewRecordBatch()
}

// object takes one JSON object apart into texts, nil for null, with its names in order.
// It gives nil for what is no whole object.
func object(raw []byte) (rec map[string]*string, names []string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil
	}
	rec = map[string]*string{}
	for dec.More() {
		k, err := dec.Token()
		var v json.RawMessage
		if err == nil {
			err = dec.Decode(&v)
		}
		if err != nil {
			return nil, nil
		}
		name := k.(string) // a name of an object is text
		names = append(names, name)
		switch s := string(v); {
		case s == "null":
			rec[name] = nil
		case s[0] == '"':
			var out string
			if json.Unmarshal(v, &out) != nil {
				return nil, nil
			}
			rec[name] = &out
		default:
			rec[name] = &s
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil
	}
	return rec, names
}
