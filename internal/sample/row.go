package sample

import "strconv"

// row writes one flat JSON object. The generator's texts need no escapes.
type row struct {
	buf []byte
	key []byte
}

func (w *row) start() { w.buf = append(w.buf[:0], '{') }

func (w *row) name(s string) {
	if len(w.buf) > 1 {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, '"', ':')
}

func (w *row) text(name, s string) {
	w.name(name)
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, '"')
}

// day writes a date of the district's present, null for 0 (1970-01-01): none.
func (w *row) day(name string, d int32) {
	if d == 0 {
		w.null(name)
		return
	}
	w.text(name, isoDate(d))
}

func (w *row) null(name string) {
	w.name(name)
	w.buf = append(w.buf, "null"...)
}

func (w *row) int(name string, n int) {
	w.name(name)
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
}

func (w *row) bool(name string, b bool) {
	w.name(name)
	w.buf = strconv.AppendBool(w.buf, b)
}

// fixed writes n of 10^-scale as a decimal number.
func (w *row) fixed(name string, n int64, scale int) {
	w.name(name)
	s := pad(int(n), scale+1)
	w.buf = append(w.buf, s[:len(s)-scale]...)
	w.buf = append(w.buf, '.')
	w.buf = append(w.buf, s[len(s)-scale:]...)
}

func (w *row) end() []byte {
	w.buf = append(w.buf, '}')
	return w.buf
}
