package table

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/submit"
)

// The phases of a run, in order.
const (
	phaseStart   = "start"
	phaseKeyless = "keyless" // rows that have no key: no place in the order of the others
	phaseRows    = "rows"
	phaseGone    = "gone" // compare: deletions, after all was read
	phaseEnd     = "end"
)

// cursor says how far a run has come.
type cursor struct {
	Of    string  `json:"of"`
	N     int64   `json:"n"` // grows with each one that is written
	Phase string  `json:"phase"`
	At    []Value `json:"at,omitempty"` // the place of the last row that is done with
	// Increment: the greatest value so far; the run before ended at Prev, and what lies
	// below Keep need not be known again.
	High *Value `json:"high,omitempty"`
	Prev *int64 `json:"prev,omitempty"`
	Keep int64  `json:"keep,omitempty"`

	Read, Same, Keyless, Duplicates, Unordered, Deleted, Withheld, Known int64
}

func cursorOf(s string) (c cursor, err error) {
	if err := json.Unmarshal([]byte(s), &c); err != nil {
		return c, fmt.Errorf("read cursor: %w", err)
	}
	return c, nil
}

// run takes one submission to its end.
type run struct {
	p     *Puller
	o     *Order
	src   *source
	plan  *plan
	mem   *memory
	send  *submit.Sender
	batch *batch
	hours Hours
	no    int64 // tells this run from others in the memory

	cur   cursor
	limit int             // rows of the next page
	most  int             // that it may grow to
	last  map[string]bool // places of the page before
	mark  int64           // of the last row that had one
}

// take walks a submission from the table to the topic.
func (p *Puller) take(ctx context.Context, o *Order, src *source, s submit.Submission, b *batch) (failure string, err error) {
	r := &run{p: p, o: o, src: src, mem: p.memory(o), batch: b, no: s.OpenedAt.UnixMicro()}
	if r.hours, err = HoursOf(o.Way.Hours); err != nil {
		return "", err
	}
	all, err := src.fields(ctx, o.Way.Table)
	if err != nil {
		return "", err
	}
	var faults []string
	if r.plan, faults = planOf(o.Dataset, &o.Way, all); len(faults) > 0 {
		return r.refuse(ctx, s, faults)
	}
	if r.send, err = p.desk.Send(ctx, s.ID, o.Dataset.Topic); err != nil {
		return "", err
	}
	defer r.send.Close()
	if err := r.resume(ctx); err != nil {
		return "", err
	}
	for r.cur.Phase != phaseEnd {
		if o.Asked.IsZero() && !r.hours.Open(p.now()) {
			return "", errPaused
		}
		if r.cur.Phase == phaseStart {
			if faults, err := r.begin(ctx); err != nil {
				return "", err
			} else if len(faults) > 0 {
				return r.refuse(ctx, s, faults)
			}
			continue
		}
		began, before := p.now(), r.cur.Read
		if err := r.step(ctx); err != nil {
			return "", err
		}
		if err := r.throttle(ctx, began, r.cur.Read-before); err != nil {
			return "", err
		}
	}
	return r.finish(ctx)
}

// refuse ends a submission of which nothing can be taken.
func (r *run) refuse(ctx context.Context, s submit.Submission, faults []string) (string, error) {
	rep := r.report()
	rep.Faults = faults
	reason := strings.Join(faults, "；")
	if err := r.p.desk.Refuse(ctx, s.ID, reason, json.RawMessage(written(rep))); err != nil {
		return "", fmt.Errorf("%s: %w", reason, err)
	}
	return reason, nil
}

// resume finds out how far the run has come: the desk has settled a chunk that was cut
// off, and what waited for it becomes known. Pages of which nothing was to be sent are
// in the way's own state.
func (r *run) resume(ctx context.Context) (err error) {
	id := r.send.Submission().ID
	if err := r.mem.settle(ctx, id, r.send.Cursor(), r.no); err != nil {
		return err
	}
	if r.cur, err = cursorOf(r.send.Cursor()); err != nil {
		return err
	}
	var further string
	err = r.p.db.Read.QueryRowContext(ctx, `SELECT progress FROM ingest_table_state WHERE dataset = $1 AND name = $2 AND submission = $3`, r.mem.dataset, r.mem.name, id).Scan(&further)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read progress of submission %s: %w", id, err)
	}
	if c, err := cursorOf(further); err == nil && c.N > r.cur.N {
		r.cur = c
	}
	r.limit, r.most = r.pageRows(), mostRows
	return nil
}

// pageRows is how many rows are asked for at a time; a slow pull takes small bites.
func (r *run) pageRows() int {
	if n := r.o.Way.RowsPerSec; n > 0 && n < pageRows {
		return max(int(n), 50)
	}
	return pageRows
}

// begin finds where an increment begins. The other modes begin at the beginning.
func (r *run) begin(ctx context.Context) (faults []string, err error) {
	r.cur.Phase = phaseKeyless
	if r.plan.column < 0 {
		return nil, nil
	}
	f := r.plan.fields[r.plan.column]
	col := r.src.Quote(f.Name)
	top, err := r.src.one(ctx, r.o.Way.Table, &query{Dialect: r.src.Dialect}, "MAX("+col+")", f)
	if err != nil {
		return nil, err
	}
	if r.cur.High == nil || !r.o.Asked.IsZero() { // it may take long, and says the same each time
		q := &query{Dialect: r.src.Dialect}
		q.where("%s IS NULL", col)
		n, err := r.src.one(ctx, r.o.Way.Table, q, "COUNT(*)", Field{})
		if err != nil {
			return nil, err
		}
		r.cur.Unordered, _ = strconv.ParseInt(n.Text, 10, 64) //nolint:errcheck // a count
	}
	if top.Kind == Null { // the table is empty
		r.cur.Phase = phaseEnd
		return nil, nil
	}
	at, timed, ok := top.order()
	if !ok {
		return []string{fmt.Sprintf("增量列 %s 的值 %q 不能作增量：应为整数、时间、8 字节行版本或 14 位数字的时间（20261127083000）", f.Name, top.Text)}, nil
	}
	w := &r.o.Way
	if timed && w.OverlapSteps > 0 || !timed && w.Overlap > 0 {
		return []string{fmt.Sprintf("overlap 与增量列 %s 不符：时间列用一段时间（10分钟），数字列用一个整数", f.Name)}, nil
	}
	span := w.OverlapSteps
	if timed {
		span = w.Overlap.Microseconds()
	}
	r.cur.At = nil
	if r.cur.High != nil {
		prev, _, _ := r.cur.High.order()
		low := r.cur.High.below(span)
		r.cur.Prev, r.cur.At = &prev, []Value{low}
		if prev > at {
			top, at = *r.cur.High, prev
		}
	}
	r.cur.High, r.cur.Keep = &top, at-span
	return nil, nil
}

// step reads and sends one page.
func (r *run) step(ctx context.Context) error {
	switch r.cur.Phase {
	case phaseKeyless:
		return r.keyless(ctx)
	case phaseRows:
		return r.page(ctx)
	}
	return r.gone(ctx)
}

// ask is what of the table is read.
func (r *run) ask() *what {
	w := &what{table: r.o.Way.Table, fields: r.plan.fields, key: r.plan.keyFields(), at: r.cur.At}
	if r.plan.column >= 0 {
		w.order = append(w.order, r.plan.fields[r.plan.column])
	}
	w.order = append(w.order, w.key...)
	if r.batch != nil && r.plan.batch >= 0 {
		w.batch, w.no = &r.plan.fields[r.plan.batch], r.batch.no
	}
	return w
}

// mostKeyless bounds the rows without key that a run takes: they have no order to go on in.
const mostKeyless = 1000

// keyless takes the rows that have no value in the key. They become rejects.
func (r *run) keyless(ctx context.Context) error {
	w := r.ask()
	w.nulls = true
	rows, _, err := r.src.rows(ctx, w, mostKeyless)
	if err != nil {
		return err
	}
	items := r.items(rows)
	for size(items) > mostBytes {
		items = items[:len(items)/2]
	}
	r.cur.Read += int64(len(items))
	r.cur.Keyless += int64(len(items))
	r.cur.Phase = phaseRows
	entries := make([]entry, len(items))
	for i, it := range items {
		entries[i] = entry{[]submit.Row{it.row}, known{it.id, it.digest, it.mark}}
	}
	return r.ship(ctx, entries, true)
}

// items makes records of rows.
func (r *run) items(rows [][]Value) []*item {
	out := make([]*item, len(rows))
	for i, row := range rows {
		it := r.plan.item(row)
		if r.plan.column >= 0 {
			if _, _, ok := row[r.plan.column].order(); !ok { // it stands among others that have one
				it.mark = r.mark
			}
			r.mark = it.mark
		}
		out[i] = it
	}
	return out
}

// page takes the next rows in order. A page ends where the place changes, so that rows of
// one place are together; the next one asks for the place again and leaves out what it
// has, since what is equal to the database need not be equal here.
func (r *run) page(ctx context.Context) error {
	w := r.ask()
	rows, full, err := r.src.rows(ctx, w, r.limit)
	if err != nil {
		return err
	}
	if r.last == nil && len(r.cur.At) == len(w.order) {
		r.last = map[string]bool{written(r.cur.At): true}
	}
	items := r.items(rows)
	if size(items) > mostBytes && r.limit > leastRows { // much of it was escaped
		r.limit = max(leastRows, r.limit/2)
		r.most = r.limit
		return nil
	}
	if full {
		end := items[len(items)-1].place
		for len(items) > 0 && items[len(items)-1].place == end {
			items = items[:len(items)-1]
		}
	}
	fresh := items[:0:0]
	for _, it := range items {
		if !r.last[it.place] {
			fresh = append(fresh, it)
		}
	}
	if full && len(fresh) == 0 {
		if r.limit *= 2; r.limit > r.most {
			return invalid("表 %s 中有 %d 行以上在同一位置（%s），分不出先后；请检查主键是否唯一 / too many rows share one key", w.table, len(rows), written(rows[len(rows)-1][0]))
		}
		return nil
	}
	r.limit, r.most = r.pageRows(), mostRows
	r.cur.Read += int64(len(fresh))
	if len(fresh) > 0 {
		r.last = make(map[string]bool, len(fresh))
		for _, it := range fresh {
			r.last[it.place] = true
		}
		end := fresh[len(fresh)-1]
		r.cur.At = end.at
		r.rise(end)
	}
	if !full {
		r.cur.Phase = phaseEnd
		if r.o.Way.Mode == modeCompare {
			r.cur.Phase = phaseGone
			defer func() { r.last = nil }()
		}
	}
	return r.ship(ctx, r.group(fresh), r.mayBeKnown(fresh))
}

// size is how much of a chunk items take.
func size(items []*item) (n int) {
	for _, it := range items {
		n += len(it.row.Key) + len(it.row.Value)
	}
	return n
}

// rise moves the greatest value of an increment up.
func (r *run) rise(it *item) {
	if r.plan.column < 0 {
		return
	}
	n, _, ok := it.at[0].order()
	if high, _, _ := r.cur.High.order(); ok && n > high {
		v := it.at[0]
		r.cur.High = &v
	}
}

// mayBeKnown says whether rows may have been sent before.
func (r *run) mayBeKnown(items []*item) bool {
	switch r.o.Way.Mode {
	case modeRange:
		return false
	case modeCompare:
		return true
	}
	return r.cur.Prev != nil && len(items) > 0 && items[0].mark <= *r.cur.Prev
}

// entry is what stands at one place of the table: a row, or several that can not be told
// apart.
type entry struct {
	rows  []submit.Row
	known known
}

// mostTwins bounds how many rows of one place are sent, all of them rejects.
const mostTwins = 100

// group puts rows of one place together.
func (r *run) group(items []*item) []entry {
	var out []entry
	for i := 0; i < len(items); {
		n := 1
		for i+n < len(items) && items[i+n].place == items[i].place {
			n++
		}
		out = append(out, r.entry(items[i:i+n]))
		i += n
	}
	return out
}

// entry makes one of rows at one place. Of several, nobody can say which is right: if
// they are alike the first is taken, else none.
func (r *run) entry(items []*item) entry {
	first := items[0]
	e := entry{known: known{first.id, first.digest, first.mark}}
	if len(items) == 1 {
		e.rows = []submit.Row{first.row}
		return e
	}
	r.cur.Duplicates += int64(len(items))
	alike := true
	var all strings.Builder
	for _, it := range items {
		alike = alike && it.digest == first.digest
		all.WriteString(it.digest)
	}
	e.known.Digest = digest([]byte(all.String()))
	reason := fmt.Sprintf("源表中有 %d 行主键相同而内容不同，无法判断以哪一行为准；请在源端去重", len(items))
	if alike {
		reason = fmt.Sprintf("源表中有 %d 行完全相同，已取其中一行；请在源端去重", len(items))
	}
	for i, it := range items[:min(len(items), mostTwins)] {
		row := it.row
		if (i > 0 || !alike) && row.Note == nil {
			row.Note = &mulu.Note{Class: ingest.ClassKey, Field: r.o.Dataset.Key[0], Reason: reason}
		}
		e.rows = append(e.rows, row)
	}
	return e
}

// ship sends what was not sent before and moves the cursor past the page. lookup says
// that some of it may be known.
func (r *run) ship(ctx context.Context, entries []entry, lookup bool) error {
	remember := r.o.Way.Mode != modeRange
	var same []string
	if lookup && remember && len(entries) > 0 {
		ids := make([]string, len(entries))
		for i, e := range entries {
			ids[i] = e.known.ID
		}
		digests, err := r.mem.digests(ctx, ids)
		if err != nil {
			return err
		}
		left := entries[:0:0]
		for _, e := range entries {
			if digests[e.known.ID] == e.known.Digest {
				same = append(same, e.known.ID)
				r.cur.Same += int64(len(e.rows))
			} else {
				left = append(left, e)
			}
		}
		entries = left
	}
	if r.o.Way.Mode == modeCompare && len(same) > 0 {
		if err := r.mem.saw(ctx, same, r.no); err != nil {
			return err
		}
	}
	var rows []submit.Row
	var learn []known
	for _, e := range entries {
		rows = append(rows, e.rows...)
		if remember && (r.plan.column < 0 || e.known.Mark >= r.cur.Keep) {
			learn = append(learn, e.known)
		}
	}
	return r.put(ctx, rows, learn)
}

// put sends rows as one chunk. What will be known of them is written down first: killed
// before the chunk is planned, it is dropped and the rows are read again; killed later,
// the chunk is settled and it becomes known.
func (r *run) put(ctx context.Context, rows []submit.Row, learn []known) error {
	r.cur.N++
	cur, id := written(r.cur), r.send.Submission().ID
	if len(rows) == 0 {
		if len(learn) > 0 { // only to be forgotten, nothing of it is on the topic
			if err := r.mem.pend(ctx, id, cur, learn); err != nil {
				return err
			}
			if err := r.mem.settle(ctx, id, cur, r.no); err != nil {
				return err
			}
		}
		_, err := r.p.set(ctx, r.o.Dataset.Code, r.o.Way.Name, `submission = $3, progress = $4 WHERE dataset = $1 AND name = $2`, id, cur)
		r.p.passed("read")
		return err
	}
	if len(learn) > 0 {
		if err := r.mem.pend(ctx, id, cur, learn); err != nil {
			return err
		}
		r.p.passed("pending")
	}
	for _, row := range rows {
		if err := r.send.Add(ctx, row, cur); err != nil {
			return err
		}
	}
	if err := r.send.Flush(ctx); err != nil {
		return err
	}
	r.p.passed("flushed")
	if len(learn) > 0 {
		if err := r.mem.settle(ctx, id, cur, r.no); err != nil {
			return err
		}
	}
	r.p.passed("known")
	return nil
}

// maxDelete is the share of rows in percent that one run may delete.
func (r *run) maxDelete() int64 {
	if n := r.o.Way.MaxDelete; n > 0 {
		return n
	}
	return 50
}

// gone deletes what the whole table does not hold any more. It is asked once whether that
// may be: a table that was emptied by mistake must not empty the library.
func (r *run) gone(ctx context.Context) error {
	if r.cur.Known == 0 {
		all, gone, err := r.mem.count(ctx, r.no)
		if err != nil {
			return err
		}
		r.cur.Known = all
		if gone*100 > r.maxDelete()*all && !r.o.Agreed {
			r.cur.Withheld = gone
			r.cur.Phase = phaseEnd
			return r.put(ctx, nil, nil)
		}
	}
	ids, err := r.mem.missing(ctx, r.no, pageRows)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		r.cur.Phase = phaseEnd
		return r.put(ctx, nil, nil)
	}
	var rows []submit.Row
	var forget []known
	for _, id := range ids {
		forget = append(forget, known{ID: id})
		if strings.HasPrefix(id, idOfNone) {
			continue
		}
		row, err := r.plan.deletion(id)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	r.cur.Deleted += int64(len(rows))
	return r.put(ctx, rows, forget)
}

// throttle waits until so many rows were allowed.
func (r *run) throttle(ctx context.Context, began time.Time, rows int64) error {
	rate := r.o.Way.RowsPerSec
	if rate <= 0 || rows == 0 || r.cur.Phase == phaseEnd {
		return ctx.Err()
	}
	if wait := time.Duration(rows)*time.Second/time.Duration(rate) - r.p.now().Sub(began); wait > 0 {
		return r.p.sleep(ctx, wait)
	}
	return nil
}

func (r *run) report() Report {
	c := &r.cur
	rep := Report{Table: r.o.Way.Table, Mode: r.o.Way.Mode, Read: c.Read, Same: c.Same, Keyless: c.Keyless, Duplicates: c.Duplicates, Unordered: c.Unordered,
		Deleted: c.Deleted, Withheld: c.Withheld, Known: c.Known, Columns: r.plan.mapped, Ignored: r.plan.ignored}
	if r.batch != nil {
		rep.Batch, rep.Listed, rep.Receipt = r.batch.no.Text, r.batch.rows, receiptDue
	}
	return rep
}

// finish ends the submission. After it the next run begins where this one ended.
func (r *run) finish(ctx context.Context) (failure string, err error) {
	rep := r.report()
	rep.Of, rep.High = r.o.of(), r.cur.High
	if err := r.send.End(ctx, json.RawMessage(written(rep))); err != nil {
		return "", err
	}
	r.p.passed("ended")
	if r.plan.column >= 0 && r.cur.High != nil {
		high, _, _ := r.cur.High.order()
		span := r.o.Way.OverlapSteps
		if _, timed, _ := r.cur.High.order(); timed {
			span = r.o.Way.Overlap.Microseconds()
		}
		if err := r.mem.forget(ctx, high-span); err != nil {
			return "", err
		}
	}
	if n := r.cur.Withheld; n > 0 {
		return fmt.Sprintf("源表比上次少了 %d 行（已知 %d 行，占 %d%%，超过上限 %d%%），没有删除；请与报送单位核实，确认后执行 mulu ingest pull %s %s --agree-deletions",
			n, r.cur.Known, n*100/r.cur.Known, r.maxDelete(), r.o.Dataset.Code, r.o.Way.Name), nil
	}
	return "", nil
}
