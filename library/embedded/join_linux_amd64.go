package embedded

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// joiner makes one document of a stream whose every chunk is a whole document of
// its format: a server writes the header once, the embedded engine once per chunk.
// Nothing is copied, chunks are only trimmed.
type joiner struct {
	format string
	header []byte // of the first chunk, for formats with names
	begun  bool
	array  bool   // JSONEachRow written as one array
	rows   bool   // the array has an element
	tail   []byte // what ends the document
}

// streamable says which formats join can make whole; every other one is buffered.
func streamable(format string) bool {
	switch format {
	case "Native", "RowBinary", "CSV", "TabSeparated", "TSV", "JSONEachRow", "JSONCompactEachRow", "CSVWithNames", "ArrowStream", "LineAsString", "RawBLOB", "Null":
		return true
	}
	return false
}

const (
	arrayOpen  = "[\n"
	arrayClose = "\n]\n"
	arrayNext  = ",\n"
)

// arrowEnd is the end-of-stream message of Arrow IPC.
var arrowEnd = []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}

// next gives the part of a chunk that belongs into the document, and what goes before it.
func (j *joiner) next(chunk []byte) (before string, body []byte) {
	first := !j.begun
	j.begun = true
	switch j.format {
	case "JSONEachRow", "JSONCompactEachRow":
		return j.nextJSON(chunk, first)
	case "CSVWithNames":
		if first {
			j.header = bytes.Clone(chunk[:csvHeader(chunk)])
			return "", chunk
		}
		return "", bytes.TrimPrefix(chunk, j.header)
	case "ArrowStream":
		j.tail = arrowEnd
		chunk = bytes.TrimSuffix(chunk, arrowEnd)
		if first || len(chunk) < 8 {
			return "", chunk
		}
		return "", chunk[min(8+int(binary.LittleEndian.Uint32(chunk[4:])), len(chunk)):] // the schema message
	}
	return "", chunk
}

// nextJSON tells an array of rows by its bracket: a row of JSONEachRow is an
// object, and an array alone on its line opens no row of JSONCompactEachRow.
func (j *joiner) nextJSON(chunk []byte, first bool) (string, []byte) {
	if first {
		j.array = strings.HasPrefix(string(chunk[:min(2, len(chunk))]), arrayOpen)
	}
	if !j.array {
		return "", chunk
	}
	j.tail = []byte(arrayClose)
	inner := bytes.TrimSuffix(bytes.TrimPrefix(chunk, []byte(arrayOpen)), []byte(arrayClose))
	switch {
	case first:
		j.rows = len(inner) > 0
		return arrayOpen, inner
	case len(inner) == 0:
		return "", nil
	case !j.rows:
		j.rows = true
		return "", inner
	}
	return arrayNext, inner
}

// csvHeader is the length of the first line; names are quoted and may hold anything.
func csvHeader(b []byte) int {
	quoted := false
	for i, c := range b {
		switch c {
		case '"':
			quoted = !quoted
		case '\n':
			if !quoted {
				return i + 1
			}
		}
	}
	return len(b)
}
