package file

import (
	"strings"

	"mulu"
	"mulu/ingest/text"
)

// recorder writes the values of a row as a record of the dataset's topic.
type recorder struct {
	csv    bool
	before []string // what stands before each target's value, and behind the last one
	order  []int    // targets in the order in which their values stand
	fields []int    // csv: the target of each column, -1 for none
}

// newRecorder plans the records of a dataset: a JSON object whose members stand where
// the columns' paths say, or fields in the order of the columns.
func newRecorder(ds *mulu.Dataset, targets []target) *recorder {
	r := &recorder{csv: ds.Format == mulu.FormatCSV}
	if r.csv {
		for i := range ds.Columns {
			at := -1
			for j := range targets {
				if targets[j].index == i {
					at = j
				}
			}
			r.fields = append(r.fields, at)
		}
		return r
	}
	top := &member{}
	for i := range targets {
		way := targets[i].column.Path
		if way == "" {
			top.put([]string{targets[i].column.Name}, i)
			continue
		}
		top.put(strings.Split(way, "."), i)
	}
	var b []byte
	top.plan(r, &b)
	r.before = append(r.before, string(b))
	return r
}

// member is a member of a record that is an object, or a value.
type member struct {
	name   string
	target int
	in     []*member
}

func (m *member) put(way []string, target int) {
	for _, in := range m.in {
		if in.name == way[0] && len(way) > 1 && len(in.in) > 0 {
			in.put(way[1:], target)
			return
		}
	}
	in := &member{name: way[0], target: target}
	m.in = append(m.in, in)
	if len(way) > 1 {
		in.put(way[1:], target)
	}
}

func (m *member) plan(r *recorder, b *[]byte) {
	*b = append(*b, '{')
	for i, in := range m.in {
		if i > 0 {
			*b = append(*b, ',')
		}
		*b = append(text.AppendJSON(*b, in.name), ':')
		if len(in.in) > 0 {
			in.plan(r, b)
			continue
		}
		r.before, r.order = append(r.before, string(*b)), append(r.order, in.target)
		*b = (*b)[:0]
	}
	*b = append(*b, '}')
}

// write writes a row.
func (r *recorder) write(b []byte, values []value) []byte {
	if r.csv {
		return r.writeCSV(b, values)
	}
	for i, at := range r.order {
		b = append(b, r.before[i]...)
		switch v := &values[at]; v.how {
		case asNull:
			b = append(b, "null"...)
		case asText:
			b = text.AppendJSON(b, strings.ToValidUTF8(v.text, "\uFFFD"))
		default:
			b = append(b, v.text...)
		}
	}
	return append(b, r.before[len(r.order)]...)
}

func (r *recorder) writeCSV(b []byte, values []value) []byte {
	for i, at := range r.fields {
		if i > 0 {
			b = append(b, ',')
		}
		if at < 0 || values[at].how == asNull {
			continue
		}
		if s := values[at].text; s == "" || strings.ContainsAny(s, ",\"\r\n") {
			b = append(append(append(b, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
		} else {
			b = append(b, s...)
		}
	}
	return b
}

// whole writes a row that could not be taken apart.
func (r *recorder) whole(raw string) []byte {
	if r.csv {
		return []byte(raw)
	}
	return append(text.AppendJSON([]byte(`{"_line":`), strings.ToValidUTF8(raw, "\uFFFD")), '}')
}
