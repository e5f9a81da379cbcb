package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/clock"
	"mulu/library"
	"mulu/quality"
)

// Mender walks mended rejects the way a batch goes: decode → check → plan → store →
// close. Positions and versions are those the rows had in their source, so that an
// old record that is mended late overwrites nothing newer.
type Mender struct {
	Library *library.Library
	Journal *ingest.Journal
	Version func(mulu.DatasetCode, uint32) (*Version, error)
	Now     func() time.Time
	// Passed is told each stage that has just been made durable. Nil is fine.
	Passed func(stage string)

	mu sync.Mutex // held from plan to close: what Resume finds open was left by a crash
}

// Stages of a replay that a crash can fall between, in order; a withdrawal's follow
// in withdraw.go.
const (
	ReplayPlanned = "replay planned"
	ReplayStored  = "replay data"
	ReplayClosed  = "replay closed"
	ReplayDone    = "replay done"
)

// MaxMend is how many rejects are replayed at a time.
const MaxMend = 1000

// Mending is what a person asks for: rejects of one dataset to be replayed, each as
// it is or edited.
type Mending struct {
	Dataset mulu.DatasetCode
	Version uint32 // dataset version that judges them; 0 is the newest
	Actor   string
	Why     string
	DryRun  bool // say what would happen; nothing is kept, drafts neither
	Rows    []Mended
}

// Mended is one reject to be replayed. Unless it is edited, the last draft is taken,
// or else the original.
type Mended struct {
	Row    mulu.RowID
	Edited bool
	Value  []byte
}

// What became of a row.
const (
	Replayed = "replayed" // stored, and its reject closed
	Fit      = "fit"      // would be
	Faulty   = "faulty"   // still a reject; an edit is kept as a draft
	Declined = "declined" // not tried, see Reason
)

// Mend is what became of one row.
type Mend struct {
	Row     mulu.RowID
	Outcome string
	Class   string
	Rule    mulu.RuleID
	Field   string
	Reason  string // Chinese
}

// item is one row on its way.
type item struct {
	reject  library.StoredReject
	version uint32
	edited  bool
	value   []byte
	actor   string
	why     string
	fault   *mulu.Reject // why it is still one
	refused string       // why it is not tried
	closed  bool
}

// Replay judges the rows and stores those that are fit. Somebody else's hand on a row
// declines that row alone. A crash, or an error after the plan, leaves open replays
// that Resume finishes.
func (m *Mender) Replay(ctx context.Context, ask Mending) ([]Mend, error) {
	if len(ask.Rows) > MaxMend {
		return nil, fmt.Errorf("一次最多重放 %d 条，给了 %d 条 (too many): %w", MaxMend, len(ask.Rows), mulu.ErrInvalid)
	}
	version, err := m.version(ask.Dataset, ask.Version)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	if !ask.DryRun {
		m.mu.Lock()
		defer m.mu.Unlock()
	}
	out, items, err := m.gather(ctx, ask, version.Dataset.Version)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	loads, err := m.judge(ctx, version, items)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer release(loads)
	if !ask.DryRun {
		if err := m.store(ctx, loads, items); err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
	}
	for _, it := range items {
		out = append(out, it.outcome())
	}
	return out, nil
}

func (m *Mender) version(code mulu.DatasetCode, number uint32) (*Version, error) {
	newest := m.Library.Dataset(code)
	if newest == nil {
		return nil, fmt.Errorf("没有数据集 %s: %w", code, mulu.ErrNotFound)
	}
	return m.Version(code, cmp.Or(number, newest.Version))
}

// gather finds the rejects that are asked for. What is not there or no longer open is
// declined.
func (m *Mender) gather(ctx context.Context, ask Mending, version uint32) (declined []Mend, items []*item, err error) {
	at := make([]mulu.RowID, len(ask.Rows))
	asked := make(map[mulu.RowID]Mended, len(ask.Rows))
	for i, r := range ask.Rows {
		at[i], asked[r.Row] = r.Row, r
	}
	if len(asked) < len(at) {
		return nil, nil, fmt.Errorf("同一条问题数据给了两次 (a row twice): %w", mulu.ErrInvalid)
	}
	found, err := m.Library.RejectsAt(ctx, ask.Dataset, at)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range found {
		want := asked[r.ID()]
		delete(asked, r.ID())
		if why := settled(&r); why != "" {
			declined = append(declined, Mend{Row: r.ID(), Outcome: Declined, Reason: why})
			continue
		}
		it := &item{reject: r, version: version, edited: want.Edited, value: want.Value, actor: ask.Actor, why: ask.Why}
		if !it.edited && r.Mend != nil && r.Mend.Edited {
			it.edited, it.value = true, r.Mend.Value
		}
		items = append(items, it)
	}
	for row := range asked {
		declined = append(declined, Mend{Row: row, Outcome: Declined, Reason: "没有这条问题数据"})
	}
	return declined, items, nil
}

func settled(r *library.StoredReject) string {
	switch r.State {
	case library.RejectClosed:
		return fmt.Sprintf("已由 %s 于 %s 重放入库", r.Mend.Actor, r.Mend.At.In(clock.Shanghai).Format("2006-01-02 15:04"))
	case library.RejectWithdrawn:
		return "所在批次已撤回，无需重放"
	}
	return ""
}

// load is what decodes and is judged together: rows of one partition and one day, no
// record of it twice.
type load struct {
	plan    mulu.Plan
	items   []*item
	decoded *ingest.Decoded
	checked *quality.Checked
}

func release(loads []*load) {
	for _, l := range loads {
		l.decoded.Release()
	}
}

// judge decodes every item and runs the rules as of the day of its record.
func (m *Mender) judge(ctx context.Context, v *Version, items []*item) (loads []*load, err error) {
	for _, l := range divide(v.Dataset, items) {
		if err := l.decode(v); err != nil {
			release(loads)
			return nil, err
		}
		loads = append(loads, l)
		l.blame()
		// Before anything is planned: a plan that the library refuses could never be done.
		err := m.Library.Comparable(ctx, l.plan, l.decoded.Feed.Schemes)
		if errors.Is(err, mulu.ErrConflict) {
			l.blameAll(ingest.ClassChange, err.Error())
		} else if err != nil {
			release(loads)
			return nil, err
		}
	}
	return loads, nil
}

// decode decodes a load and runs the rules as of the day of its records.
func (l *load) decode(v *Version) (err error) {
	if l.decoded, err = v.Decoder.Decode(l.batch()); err != nil {
		return fmt.Errorf("decode rows of %s/%d: %w", l.plan.Topic, l.plan.Partition, err)
	}
	l.checked, err = v.Rules.CheckChanges(l.decoded.Record, l.decoded.Offsets, l.decoded.Deleted, l.items[0].reject.Time)
	if err != nil {
		l.decoded.Release()
		return fmt.Errorf("check rows of %s/%d: %w", l.plan.Topic, l.plan.Partition, err)
	}
	return nil
}

func divide(ds *mulu.Dataset, items []*item) []*load {
	type key struct {
		topic     mulu.TopicID
		partition int32
		day       string
		nth       int // of the rows of one record
	}
	seen, loads := map[mulu.RowID]int{}, map[key]*load{}
	var order []*load
	slices.SortFunc(items, func(a, b *item) int {
		return cmp.Or(cmp.Compare(a.reject.Offset, b.reject.Offset), cmp.Compare(a.reject.Row, b.reject.Row))
	})
	for _, it := range items {
		r := &it.reject
		record := r.ID()
		record.Row = 0
		k := key{r.Batch.TopicID, r.Batch.Partition, r.Time.In(clock.Shanghai).Format(time.DateOnly), seen[record]}
		seen[record]++
		l := loads[k]
		if l == nil {
			l = &load{plan: mulu.Plan{BatchID: r.Batch, Dataset: ds.Code, Version: ds.Version}}
			l.plan.First = r.Offset
			loads[k] = l
			order = append(order, l)
		}
		l.plan.Last = r.Offset
		l.items = append(l.items, it)
	}
	return order
}

// batch is the load as the decoder takes it.
func (l *load) batch() *ingest.Batch {
	b := &ingest.Batch{Plan: l.plan, Mended: true}
	for _, it := range l.items {
		v := it.reject.Value
		switch {
		case it.edited:
			v = it.value
		case it.reject.Class == ingest.ClassTombstone:
			v = nil // kept as no bytes
		}
		b.Records = append(b.Records, mulu.Record{Offset: it.reject.Offset, Key: it.reject.Key, Value: v, Time: it.reject.Time, Edited: it.edited})
	}
	return b
}

// blame says of each item why it is still a reject, if it is.
func (l *load) blame() {
	faults := map[int64][]mulu.Reject{} // by offset
	for _, r := range l.decoded.Rejects {
		faults[r.Offset] = append(faults[r.Offset], r)
	}
	for _, f := range l.checked.Rejected {
		o := l.decoded.Offsets[f.Row]
		faults[o] = append(faults[o], mulu.Reject{Offset: o, Row: l.decoded.Row(f.Row), Class: "rule", Rule: f.Rule, Field: f.Field, Reason: f.Reason})
	}
	rows := map[mulu.RowID]bool{}
	for i, o := range l.decoded.Offsets {
		rows[mulu.RowID{Offset: o, Row: l.decoded.Row(i)}] = true
	}
	for _, it := range l.items {
		r := &it.reject
		for _, f := range faults[r.Offset] {
			if r.Covers(f.Row) || f.Covers(r.Row) {
				it.fault = &f
				break
			}
		}
		if it.fault == nil && !rows[mulu.RowID{Offset: r.Offset, Row: r.Row}] {
			it.fault = &mulu.Reject{Class: ingest.ClassDecode, Reason: fmt.Sprintf("改后的记录没有第 %d 行，请只改出错的那一行；不含行的消息(清空表、心跳等)不能重放，请由源端重发", r.Row+1)}
		}
	}
}

// blameAll says of every item that is not at fault yet why it is.
func (l *load) blameAll(class, reason string) {
	for _, it := range l.items {
		if it.fault == nil {
			it.fault = &mulu.Reject{Class: class, Reason: reason}
		}
	}
}

func (it *item) outcome() Mend {
	out := Mend{Row: it.reject.ID(), Outcome: Fit}
	switch {
	case it.refused != "":
		out.Outcome, out.Reason = Declined, it.refused
	case it.fault != nil:
		out.Outcome, out.Class, out.Rule, out.Field, out.Reason = Faulty, it.fault.Class, it.fault.Rule, it.fault.Field, it.fault.Reason
	case it.closed:
		out.Outcome = Replayed
	}
	return out
}

// store plans what is fit and brings it in.
func (m *Mender) store(ctx context.Context, loads []*load, items []*item) error {
	now := m.Now()
	if err := m.draft(ctx, items, now); err != nil {
		return err
	}
	var plans []ingest.Replay
	for _, it := range items {
		if it.fault == nil {
			r := &it.reject
			plans = append(plans, ingest.Replay{Row: r.ID(), Dataset: r.Dataset, First: r.Batch.First, Last: r.Batch.Last, Version: it.version, Edited: it.edited, Value: it.value, Actor: it.actor, Why: it.why, At: now})
		}
	}
	// Before this line nothing of the fit rows is durable. After it each position is
	// taken: another replay and a withdrawal of its batch are refused until it is done.
	refused, err := m.Journal.PlanReplays(ctx, plans)
	if err != nil {
		return err
	}
	m.passed(ReplayPlanned)
	for _, it := range items {
		it.refused = refused[it.reject.ID()]
	}
	return m.finish(ctx, loads, items, false)
}

// draft keeps what was tried and is still at fault.
func (m *Mender) draft(ctx context.Context, items []*item, now time.Time) error {
	var mends []library.Mend
	for _, it := range items {
		if f := it.fault; f != nil {
			mends = append(mends, library.Mend{Row: it.reject.ID(), Dataset: it.reject.Dataset, Edited: it.edited, Value: it.value, Version: it.version,
				Class: f.Class, Rule: f.Rule, Field: f.Field, Reason: f.Reason, Actor: it.actor, Why: it.why, At: now})
		}
	}
	if err := m.Library.StoreMends(ctx, mends); err != nil {
		return fmt.Errorf("keep drafts: %w", err)
	}
	return nil
}

// finish stores planned items and closes their rejects. In doubt, each table is asked
// for every row first.
func (m *Mender) finish(ctx context.Context, loads []*load, items []*item, inDoubt bool) error {
	for _, l := range loads {
		b := l.stored()
		b.InDoubt = inDoubt
		// All of the load or none, per table; a crash leaves it to be settled.
		if err := m.Library.StoreReplay(ctx, b); err != nil {
			return fmt.Errorf("store rows: %w", err)
		}
	}
	m.passed(ReplayStored)
	var mends []library.Mend
	var done []mulu.RowID
	now := m.Now()
	for _, it := range items {
		if it.fault == nil && it.refused == "" {
			mends = append(mends, library.Mend{Row: it.reject.ID(), Dataset: it.reject.Dataset, Closed: true, Edited: it.edited, Value: it.value, Version: it.version, Actor: it.actor, Why: it.why, At: now})
			done = append(done, it.reject.ID())
		}
	}
	// After the rows: a closed reject without its row would be a loss.
	if err := m.Library.StoreMends(ctx, mends); err != nil {
		return fmt.Errorf("close rejects: %w", err)
	}
	m.passed(ReplayClosed)
	// Until this is durable the rows are settled again, with no effect.
	if err := m.Journal.DoneReplays(ctx, done); err != nil {
		return err
	}
	m.passed(ReplayDone)
	for _, it := range items {
		it.closed = it.fault == nil && it.refused == ""
	}
	return nil
}

// stored is the load as the library takes it: without the rows of what is at fault
// or declined, and of a record of several rows the one that was rejected.
func (l *load) stored() library.Batch {
	d := l.decoded
	n := len(d.Offsets)
	b := library.Batch{Plan: l.plan, Record: d.Record, Offsets: d.Offsets, Rows: d.Rows, Versions: d.Versions, Deleted: d.Deleted, Feed: d.Feed,
		Flags: l.checked.Flags, Drop: make([]uint64, (n+63)/64), Firsts: make([]int64, n), Origin: mulu.OriginReplay}
	for i := range n {
		it := l.items[d.Index[i]]
		b.Firsts[i] = it.reject.Batch.First
		if it.fault != nil || it.refused != "" || !it.reject.Covers(d.Row(i)) {
			b.Drop[i>>6] |= 1 << (i & 63)
		}
	}
	return b
}

func (m *Mender) passed(stage string) {
	if m.Passed != nil {
		m.Passed(stage)
	}
}

// Resume finishes the replays that a crash left open. A row that its version no
// longer takes (the rules' own code has changed) is a draft again.
func (m *Mender) Resume(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		open, err := m.Journal.OpenReplays(ctx, MaxMend)
		if err != nil || len(open) == 0 {
			return err
		}
		type key struct {
			dataset mulu.DatasetCode
			version uint32
		}
		groups := map[key][]ingest.Replay{}
		for _, r := range open {
			k := key{r.Dataset, r.Version}
			groups[k] = append(groups[k], r)
		}
		for k, list := range groups {
			if err := m.resume(ctx, k.dataset, k.version, list); err != nil {
				return fmt.Errorf("resume replays of %s: %w", k.dataset, err)
			}
		}
	}
}

func (m *Mender) resume(ctx context.Context, code mulu.DatasetCode, number uint32, list []ingest.Replay) error {
	version, err := m.Version(code, number)
	if err != nil {
		return err
	}
	at, planned := make([]mulu.RowID, len(list)), make(map[mulu.RowID]*ingest.Replay, len(list))
	for i := range list {
		at[i], planned[list[i].Row] = list[i].Row, &list[i]
	}
	found, err := m.Library.RejectsAt(ctx, code, at)
	if err != nil {
		return err
	}
	if len(found) != len(list) {
		return fmt.Errorf("%d rejects are planned for and %d are there: %w", len(list), len(found), mulu.ErrNotFound)
	}
	items := make([]*item, len(found))
	for i, r := range found {
		p := planned[r.ID()]
		items[i] = &item{reject: r, version: p.Version, edited: p.Edited, value: p.Value, actor: p.Actor, why: p.Why}
	}
	loads, err := m.judge(ctx, version, items)
	if err != nil {
		return err
	}
	defer release(loads)
	if err := m.finish(ctx, loads, items, true); err != nil {
		return err
	}
	if err := m.draft(ctx, items, m.Now()); err != nil {
		return err
	}
	var dropped []mulu.RowID
	for _, it := range items {
		if it.fault != nil {
			dropped = append(dropped, it.reject.ID())
		}
	}
	return m.Journal.DropReplays(ctx, dropped)
}
