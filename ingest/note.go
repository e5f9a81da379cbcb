package ingest

import (
	"encoding/json"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// noteOf is what a way said of a record, nil for nothing.
func noteOf(r *kgo.Record) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == mulu.HeaderNote {
			return r.Headers[i].Value
		}
	}
	return nil
}

// noted reads a record of which a way said something.
func (r *reader) noted(rec *mulu.Record) (f *fault, gone bool) {
	var n mulu.Note
	if err := json.Unmarshal(rec.Note, &n); err != nil {
		return &fault{class: ClassDecode, reason: "消息头 " + mulu.HeaderNote + " 不是规定的 JSON，请由报送程序改正后重发"}, false
	}
	switch {
	case n.Class != "":
		return &fault{class: n.Class, field: n.Field, reason: n.Reason}, false
	case n.Delete && !r.d.csv:
		return r.tombstone(rec.Value), true
	}
	return r.read(rec.Value), false
}
