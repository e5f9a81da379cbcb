package ingest

import (
	"fmt"
	"unicode/utf8"

	"mulu/ingest/text"
)

// bom is how a byte order mark stands in UTF-8.
const bom = "\ufeff"

// plainText gives a record as UTF-8 without a byte order mark, or says what it is not.
// A record of UTF-8 is not copied.
func (r *reader) plainText(v []byte) ([]byte, *fault) {
	if r.d.gb && !r.typed {
		var f *fault
		if v, f = r.fromGB18030(v); f != nil {
			return nil, f
		}
	} else if f := vet(v); f != nil {
		return nil, f
	}
	if r.marked = len(v) >= len(bom) && v[0] == bom[0] && string(v[:len(bom)]) == bom; r.marked {
		v = v[len(bom):]
	}
	return v, nil
}

// fromGB18030 decodes a record into r.utf8, every character of it or none.
func (r *reader) fromGB18030(v []byte) ([]byte, *fault) {
	if len(v) > MaxRecord {
		return nil, vet(v)
	}
	if ascii(v) {
		return v, nil
	}
	var bad int
	if r.utf8, bad = text.AppendGB18030(r.utf8[:0], v, &r.gb); bad >= 0 {
		return nil, &fault{class: ClassEncoding, reason: fmt.Sprintf("第 %d 字节(0x%02X)起不是 GB 18030 编码，请核对源系统的输出编码；若已改为 UTF-8，请登记 encoding 为空的新版本", bad+1, v[bad])}
	}
	return r.utf8, nil
}

func ascii(v []byte) bool {
	for _, c := range v {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
