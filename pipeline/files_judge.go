package pipeline

import (
	"cmp"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/file"
	"mulu/ingest/submit"
	"mulu/internal/durable"
	"mulu/quality"
)

// Bounds of a preview.
const (
	judgeRows   = 4096    // rows judged together …
	judgeBytes  = 8 << 20 // … and bytes of them
	mostMarked  = 100_000 // faults that are kept for marking
	firstFaults = 200     // faults that the preview names
	tellEvery   = 2 * time.Second
)

// judge reads the file of an open submission once, judges every row as ingest will, and
// keeps what it found. What stands against the whole file (no key column, unreadable)
// is the preview's Refusal; an error means that it could not be judged.
func (f *Files) judge(ctx context.Context, s *submit.Submission, rep *FileReport) (*FilePreview, error) {
	leave, err := slot(ctx, f.looks)
	if err != nil {
		return nil, err
	}
	defer leave()
	ds, err := f.dataset(s.Dataset)
	if err != nil {
		return nil, err
	}
	v, err := f.Version(ds.Code, ds.Version)
	if err != nil {
		return nil, err
	}
	j := &judging{version: v, asOf: f.Now(), out: &FilePreview{ID: s.ID, Dataset: string(s.Dataset), File: s.Source, FileCounts: FileCounts{Version: ds.Version}}}
	told := f.Now()
	j.tell = func(rows int64) error {
		if now := f.Now(); now.Sub(told) >= tellEvery {
			told, rep.Checked = now, rows
			return f.keep(ctx, s.ID, *rep)
		}
		return nil
	}
	err = f.intact(s)
	if err == nil {
		err = j.read(ctx, f.path(s.ID, fileData), s.Source, fileOptions(rep.Options, v.Dataset))
	}
	if errors.Is(err, mulu.ErrInvalid) {
		j.out.Refusal = wording(err)
	} else if err != nil {
		return nil, fmt.Errorf("judge file of submission %s: %w", s.ID, err)
	}
	j.end()
	if err := f.keepJudged(s.ID, j); err != nil {
		return nil, err
	}
	rep.Checked, rep.Counts = j.out.Rows, &j.out.FileCounts
	if err := f.Desk.Expect(ctx, s.ID, j.out.Rows); err != nil {
		return nil, err
	}
	return j.out, f.keep(ctx, s.ID, *rep)
}

// keepJudged writes the preview and the faults down, and lets go of what was marked
// before. A crash leaves the old ones or the new ones; the report says which count.
func (f *Files) keepJudged(id string, j *judging) error {
	if err := os.Remove(f.path(id, fileMarked)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("keep preview of submission %s: %w", id, err)
	}
	err := durable.Write(f.path(id, fileFaults), 0o640, func(w io.Writer) error { return gob.NewEncoder(w).Encode(j.faults) })
	if err == nil {
		err = durable.Write(f.path(id, filePreview), 0o640, func(w io.Writer) error { return json.NewEncoder(w).Encode(j.out) })
	}
	if err != nil {
		return fmt.Errorf("keep preview of submission %s: %w", id, err)
	}
	return nil
}

func fileOptions(o FileOptions, ds *mulu.Dataset) file.Options {
	return file.Options{Sheet: o.Sheet, Header: o.Header, Encoding: o.Encoding, Map: o.Map, Check: quality.CheckDigits(ds)}
}

// wording is what an error says to people: its Chinese.
func wording(err error) string {
	s, _, _ := strings.Cut(err.Error(), " / ")
	return s
}

// judging is one reading of a file.
type judging struct {
	version *Version
	asOf    time.Time // the day that the rows are judged by, as if they came now
	tell    func(rows int64) error
	out     *FilePreview
	layout  file.Layout
	column  map[string]int // dataset column → position in the layout
	faults  []file.Fault   // at most mostMarked
	classes map[string]int64
	rules   map[mulu.RuleID]int64
	rows    []file.Row // of the batch
	bytes   int
}

// read judges every row.
func (j *judging) read(ctx context.Context, path, name string, o file.Options) (err error) {
	j.classes, j.rules, j.column = map[string]int64{}, map[mulu.RuleID]int64{}, map[string]int{}
	r, err := file.Open(path, name, j.version.Dataset, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	j.layout = r.Layout()
	for i, c := range j.layout.Columns {
		if c.Column != "" {
			j.column[c.Column] = i
		}
	}
	if j.layout.Refusal != "" {
		j.out.Refusal = j.layout.Refusal
		return nil
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := j.add(row); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := j.flush(); err != nil {
		return err
	}
	j.layout = r.Layout() // samples and encodings are known by now
	if j.out.Rows == 0 {
		j.out.Refusal = "表头行之下没有数据行；本期没有变化请报“零报告”"
	}
	return nil
}

func (j *judging) add(r file.Row) error {
	j.rows = append(j.rows, fit(r))
	if j.bytes += len(r.Value); len(j.rows) < judgeRows && j.bytes < judgeBytes {
		return nil
	}
	return j.flush()
}

// fit makes of a row that no broker takes a damaged one that says so.
func fit(r file.Row) file.Row {
	if len(r.Key)+len(r.Value) <= submit.MaxRow {
		return r
	}
	const kept = 64 << 10
	reason := fmt.Sprintf("一行长 %d 字节，超过上限 %d 字节，只保留了开头；请去掉或拆分大字段", len(r.Key)+len(r.Value), submit.MaxRow)
	r.Faults = append([]file.Fault{{Row: r.Number, Class: file.ClassLong, Reason: reason}}, r.Faults...)
	r.Note = &mulu.Note{Class: file.ClassLong, Reason: reason}
	r.Key, r.Value = r.Key[:min(len(r.Key), kept)], []byte(strings.ToValidUTF8(string(r.Value[:kept]), ""))
	return r
}

// flush judges what was added as ingest will: a row with a note is a reject as it
// stands, every other is decoded and checked. What else is wrong with a damaged row is
// found by judging it once more without its damaged cells.
func (j *judging) flush() error {
	var plain, damaged []int
	var asIs, rest []mulu.Record
	for i := range j.rows {
		r := &j.rows[i]
		if !noted(r) {
			plain, asIs = append(plain, i), append(asIs, mulu.Record{Offset: int64(len(asIs)), Key: r.Key, Value: r.Value, Time: j.asOf})
		}
		if len(r.Faults) > 0 {
			damaged, rest = append(damaged, i), append(rest, mulu.Record{Offset: int64(len(rest)), Key: r.Key, Value: sound(r), Time: j.asOf})
		}
	}
	bad, soft := make([][]file.Fault, len(j.rows)), make([][]mulu.RuleID, len(j.rows))
	found, broken, err := j.judge(asIs)
	if err != nil {
		return err
	}
	for n, i := range plain {
		bad[i], soft[i] = found[n], broken[n]
	}
	if found, _, err = j.judge(rest); err != nil {
		return err
	}
	for n, i := range damaged {
		if noted(&j.rows[i]) || len(bad[i]) > 0 {
			bad[i] = append(bad[i], found[n]...)
		}
	}
	for i := range j.rows {
		j.count(j.all(&j.rows[i], bad[i]), soft[i])
	}
	j.rows, j.bytes = j.rows[:0], 0
	return j.tell(j.out.Rows)
}

// noted says whether a row is a reject as it stands.
func noted(r *file.Row) bool { return r.Note != nil && r.Note.Class != "" }

// all is everything that is wrong with a row: of a damaged cell its damage, and not also
// what the damage makes it break.
func (j *judging) all(r *file.Row, found []file.Fault) []file.Fault {
	if !noted(r) && len(found) == 0 {
		return nil
	}
	all := slices.Clip(r.Faults)
	if noted(r) && len(all) == 0 {
		all = append(all, j.place(file.Fault{Class: r.Note.Class, Field: r.Note.Field, Reason: r.Note.Reason}, r.Number))
	}
	for _, x := range found {
		known := func(y file.Fault) bool { return y.Field == x.Field && (y.Rule == x.Rule || y.Rule == "") }
		if !slices.ContainsFunc(all, known) {
			all = append(all, j.place(x, r.Number))
		}
	}
	return all
}

// sound is a row's value without its damaged cells.
func sound(r *file.Row) []byte {
	var cells map[string]json.RawMessage
	if json.Unmarshal(r.Value, &cells) != nil {
		return r.Value
	}
	for _, x := range r.Faults {
		delete(cells, x.Field)
	}
	b, err := json.Marshal(cells)
	if err != nil {
		return r.Value
	}
	return b
}

// judge decodes records, whose offsets count from 0, and runs the rules as ingest does; it gives what is wrong with
// each and which soft rules it breaks.
func (j *judging) judge(records []mulu.Record) (faults [][]file.Fault, soft [][]mulu.RuleID, err error) {
	faults, soft = make([][]file.Fault, len(records)), make([][]mulu.RuleID, len(records))
	if len(records) == 0 {
		return faults, soft, nil
	}
	ds := j.version.Dataset
	b := &ingest.Batch{Records: records, Plan: mulu.Plan{BatchID: mulu.BatchID{Topic: ds.Topic, First: records[0].Offset, Last: records[len(records)-1].Offset}, Dataset: ds.Code, Version: ds.Version}}
	decoded, err := j.version.Decoder.Decode(b)
	if err != nil {
		return nil, nil, fmt.Errorf("decode rows: %w", err)
	}
	defer decoded.Release()
	for _, r := range decoded.Rejects {
		i := r.Offset
		faults[i] = append(faults[i], file.Fault{Class: r.Class, Field: r.Field, Reason: r.Reason})
	}
	checked, err := j.version.Rules.CheckChanges(decoded.Record, decoded.Offsets, decoded.Deleted, j.asOf)
	if err != nil {
		return nil, nil, fmt.Errorf("check rows: %w", err)
	}
	for row, i := range decoded.Index {
		if checked.Flags[row] == 0 {
			continue
		}
		for _, x := range checked.Broken(row, true) {
			faults[i] = append(faults[i], file.Fault{Class: "rule", Field: x.Field, Rule: string(x.Rule), Reason: x.Reason})
		}
		for _, x := range checked.Broken(row, false) {
			soft[i] = append(soft[i], x.Rule)
		}
	}
	return faults, soft, nil
}

// place says where in the file a fault of a row is.
func (j *judging) place(x file.Fault, row int) file.Fault {
	x.Sheet, x.Row = j.layout.Sheet, row
	if i, ok := j.column[x.Field]; ok {
		var err error
		x.Column, x.Heading = i+1, j.layout.Columns[i].Heading
		if x.Cell, err = excelize.CoordinatesToCellName(i+1, row); err != nil {
			x.Cell = ""
		}
	}
	return x
}

// count takes one row into the sums.
func (j *judging) count(faults []file.Fault, soft []mulu.RuleID) {
	j.out.Rows++
	if len(faults) == 0 {
		j.out.Good++
		if len(soft) > 0 {
			j.out.Soft++
		}
		for _, r := range soft {
			j.rules[r]++
		}
		return
	}
	j.out.Bad++
	j.out.Faults += int64(len(faults))
	for _, x := range faults {
		j.classes[x.Class]++
		if x.Rule != "" {
			j.rules[mulu.RuleID(x.Rule)]++
		}
	}
	j.faults = append(j.faults, faults[:min(len(faults), mostMarked-len(j.faults))]...)
}

// end puts what was found into the preview.
func (j *judging) end() {
	l, out := &j.layout, j.out
	out.Format, out.Encoding, out.Sheets, out.Sheet, out.Header, out.Columns, out.Missing, out.Notes = string(l.Format), l.Encoding, l.Sheets, l.Sheet, l.Header, l.Columns, l.Missing, l.Notes
	if out.Refusal != "" { // nothing is taken: half a judgement would mislead
		out.Rows, out.Good, out.Bad, out.Soft, out.Faults, j.faults, j.classes, j.rules = 0, 0, 0, 0, 0, nil, nil, nil
	}
	out.ByClass, out.ByRule, out.First = []ClassCount{}, []RuleCount{}, []FileFault{}
	for _, x := range j.faults[:min(len(j.faults), firstFaults)] {
		out.First = append(out.First, FileFault(x))
	}
	for class, n := range j.classes {
		out.ByClass = append(out.ByClass, ClassCount{class, cmp.Or(file.Title(class), classTitles[class], class), n})
	}
	slices.SortFunc(out.ByClass, func(a, b ClassCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Class, b.Class))
	})
	for _, r := range j.version.Dataset.Rules {
		if n := j.rules[r.ID]; n > 0 {
			out.ByRule = append(out.ByRule, RuleCount{r.ID, r.Title, r.Blocking, n})
		}
	}
	out.Sendable = out.Refusal == ""
}

// classTitles are the decoder's classes in words.
var classTitles = map[string]string{
	"rule": "不符合强规则", ingest.ClassDecode: "记录无法读取", ingest.ClassEncoding: "字符编码不对", ingest.ClassType: "值不符合字段类型",
	ingest.ClassKey: "主键为空", ingest.ClassOversize: "记录过长",
}

// marked makes the file with its failing cells marked, unless it is there.
func (f *Files) marked(ctx context.Context, s *submit.Submission, rep *FileReport) (string, error) {
	path := f.path(s.ID, fileMarked)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	leave, err := slot(ctx, f.looks)
	if err != nil {
		return "", err
	}
	defer leave()
	faults, err := f.faultsOf(s.ID)
	if err != nil {
		return "", err
	}
	number := uint32(0)
	if rep.Counts != nil {
		number = rep.Counts.Version
	}
	v, err := f.Version(s.Dataset, number)
	if err != nil {
		return "", err
	}
	err = durable.Write(path, 0o640, func(w io.Writer) error {
		return file.Mark(f.path(s.ID, fileData), s.Source, fileOptions(rep.Options, v.Dataset), v.Dataset, faults, w)
	})
	if err != nil {
		return "", fmt.Errorf("mark file of submission %s: %w", s.ID, err)
	}
	return path, nil
}

func (f *Files) faultsOf(id string) (out []file.Fault, err error) {
	in, err := os.Open(f.path(id, fileFaults))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if err := gob.NewDecoder(in).Decode(&out); err != nil {
		return nil, fmt.Errorf("read faults of submission %s: %w", id, err)
	}
	return out, nil
}
