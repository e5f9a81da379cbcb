package ingest

import (
	"unicode/utf8"

	"mulu"
	"mulu/ingest/wire"
)

// Readable gives a rejected record as a person can read and mend it, where its bytes
// are no UTF-8 text: GB 18030 as UTF-8, a record of a registry as JSON. A registry's
// record that can not be read begins as an empty object. ok is false where the bytes
// themselves are what is mended.
func Readable(d *mulu.Dataset, s Schemas, value []byte) (text string, ok bool) {
	r := reader{d: &Decoder{dataset: d, gb: d.Encoding == mulu.EncodingGB18030}}
	switch {
	case d.Registered():
		return r.readableRecord(s, value), true
	case r.d.gb:
		v, f := r.plainText(value)
		return string(v), f == nil
	}
	return "", false
}

func (r *reader) readableRecord(s Schemas, value []byte) string {
	const empty = "{}"
	if len(value) > 0 && value[0] == '{' && utf8.Valid(value) {
		return string(value)
	}
	id, body, ok := wire.Header(value)
	if !ok || s == nil {
		return empty
	}
	form, err := s.Form(id)
	if err != nil {
		return empty
	}
	text, d := form.Append(nil, body)
	if d != nil || !utf8.Valid(text) {
		return empty
	}
	return string(text)
}
