package library

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// positionsTable says how the positions of a topic are to be read: a row per batch that
// changed it. scheme is the order they belong to, snapshot the greatest position that
// a snapshot had until then, first the offset from which on that holds.
var positionsTable = houseTable{"positions", []column{{"dataset", lc}, {"_topic_id", "String"}, {"_partition", "UInt32"}, {"first", "UInt64"}, {"scheme", "String"}, {"snapshot", "UInt64"}},
	"ReplacingMergeTree ORDER BY (dataset, _topic_id, _partition, first, scheme)"}

// floorsTable has every truncate and every snapshot that was read to its end: rows of
// the dataset with a lower _version are gone, unless the batch that said so was withdrawn.
var floorsTable = houseTable{"floors", []column{{"dataset", lc}, {"floor", "UInt64"}, {"_topic_id", "String"}, {"_partition", "UInt32"}, {"first", "UInt64"}, {"at", instant}},
	"ReplacingMergeTree(at) ORDER BY (dataset, floor, _topic_id, _partition, first)"}

// sameScheme says whether two schemes are one order. What follows "@" names a server,
// and may be absent.
func sameScheme(a, b string) bool {
	baseA, serverA, _ := strings.Cut(a, "@")
	baseB, serverB, _ := strings.Cut(b, "@")
	return baseA == baseB && (serverA == serverB || serverA == "" || serverB == "")
}

// place checks that the batch's positions compare with those its topic has, keeps what
// is new of them, and gives the position below which none of its rows may stand. It
// must be called before the topic's epoch is stored: a topic with an epoch and no
// scheme has offsets. Positions of another scheme are mulu.ErrConflict and stay out:
// stored, the rows would be older or newer than all others by accident.
func (l *Library) place(ctx context.Context, b Batch) (base uint64, err error) {
	schemes := b.Feed.Schemes
	if len(schemes) == 0 {
		if b.Record == nil || b.Record.NumRows() == 0 {
			return 0, nil
		}
		schemes = []string{mulu.SchemeOffset}
	}
	code, topic := b.Plan.Dataset, b.Plan.TopicID
	l.mu.RLock()
	known := l.schemes[code][topic]
	l.mu.RUnlock()
	if known == mulu.SchemeOffset && len(schemes) == 1 && schemes[0] == known {
		return 0, nil // most datasets: nothing to ask
	}
	first, base, err := l.order(ctx, b.Plan)
	if err != nil {
		return 0, err
	}
	if known, err = join(b.Plan, first, schemes); err != nil {
		return 0, err
	}
	snapshot := max(base, b.Feed.Snapshot)
	if b.Feed.Partitions != 1 && (b.Feed.Again || base > 0 && snapshot > base) {
		return 0, fmt.Errorf("主题 %s 已有一次全量快照，又来了一次：两次之间删除的行无从得知；主题只有一个分区时可自动处理，现有 %d 个，请删除并以一个分区重建主题后重新全量同步 (second snapshot): %w", b.Plan.Topic, b.Feed.Partitions, mulu.ErrConflict)
	}
	if known != first && known != mulu.SchemeOffset || snapshot > base {
		since := b.Plan.First
		if snapshot > base {
			since = max(since, b.Feed.SnapshotAt) // a row before it that is mended later is not raised
		}
		err := l.insert(ctx, positionsTable, 1, func(int) []any {
			return []any{string(code), topic.String(), uint32(b.Plan.Partition), uint64(since), known, snapshot}
		})
		if err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	if l.schemes[code] == nil {
		l.schemes[code] = map[mulu.TopicID]string{}
	}
	l.schemes[code][topic] = known
	l.mu.Unlock()
	return base, nil
}

// order gives the scheme that a topic's positions have, "" if it has none yet, and the
// greatest position a snapshot had before the plan.
func (l *Library) order(ctx context.Context, p mulu.Plan) (scheme string, base uint64, err error) {
	scheme, base, err = l.loadPosition(ctx, p)
	if err != nil || scheme != "" {
		return scheme, base, err
	}
	if err := l.loadTopics(ctx); err != nil { // another process may have numbered it
		return "", 0, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if _, numbered := l.topics[p.Dataset][p.TopicID]; numbered {
		scheme = mulu.SchemeOffset
	}
	return scheme, base, nil
}

// join adds schemes to the one that is known and gives the one that says most.
func join(p mulu.Plan, known string, schemes []string) (string, error) {
	for _, s := range schemes {
		if known != "" && !sameScheme(known, s) {
			return "", fmt.Errorf("主题 %s 的位点一直按“%s”排序，本批却是“%s”，两者无法比较：可能源库已切换到另一台服务器，或连接器已更换；请新建主题并重新全量同步 (positions do not compare): %w", p.Topic, known, s, mulu.ErrConflict)
		}
		if len(s) > len(known) {
			known = s
		}
	}
	return known, nil
}

// Comparable says whether positions of the given schemes compare with those that the
// plan's topic has; mulu.ErrConflict says that they do not. It keeps nothing.
func (l *Library) Comparable(ctx context.Context, p mulu.Plan, schemes []string) error {
	if len(schemes) == 0 {
		return nil
	}
	known, _, err := l.order(ctx, p)
	if err == nil {
		_, err = join(p, known, schemes)
	}
	return err
}

// loadPosition reads what the batches before this one said; it asks the table each
// time, since another process may have owned the partition meanwhile.
func (l *Library) loadPosition(ctx context.Context, p mulu.Plan) (scheme string, base uint64, err error) {
	err = l.each(ctx, "positions", `SELECT argMax(scheme, length(scheme)), maxIf(snapshot, _partition = {p:UInt32} AND first < {o:UInt64})
		FROM mulu.positions WHERE dataset = {ds:String} AND _topic_id = {id:String}`,
		[]any{named("p", uint32(p.Partition)), named("o", uint64(p.First)), named("ds", string(p.Dataset)), named("id", p.TopicID.String())},
		func(rows driver.Rows) error { return rows.Scan(&scheme, &base) })
	return scheme, base, err
}

// snapshots are the bases of one partition by the offset from which on each holds.
type snapshots []struct {
	since int64
	at    uint64
}

func (l *Library) snapshotsOf(ctx context.Context, p mulu.Plan) (out snapshots, err error) {
	err = l.each(ctx, "snapshots", `SELECT toInt64(first), max(snapshot) FROM mulu.positions
		WHERE dataset = {ds:String} AND _topic_id = {id:String} AND _partition = {p:UInt32} AND snapshot > 0 GROUP BY first ORDER BY first`,
		[]any{named("p", uint32(p.Partition)), named("ds", string(p.Dataset)), named("id", p.TopicID.String())}, func(rows driver.Rows) error {
			out = append(out, snapshots{{}}...)
			last := &out[len(out)-1]
			return rows.Scan(&last.since, &last.at)
		})
	return out, err
}

// before is the greatest position that a snapshot had before an offset.
func (s snapshots) before(offset int64) (base uint64) {
	for _, b := range s {
		if b.since < offset {
			base = max(base, b.at)
		}
	}
	return base
}

// raiseEach raises the positions of a batch whose rows are of several: each to the base
// that held before the offset at the same place.
func (l *Library) raiseEach(ctx context.Context, b *Batch, offsets []int64) error {
	if b.Versions == nil {
		return nil
	}
	bases, err := l.snapshotsOf(ctx, b.Plan)
	if err != nil || len(bases) == 0 {
		return err
	}
	b.Versions = slices.Clone(b.Versions)
	for i, offset := range offsets {
		b.Versions[i] = max(b.Versions[i], bases.before(offset))
	}
	return nil
}

// raised are the positions, none of them below base.
func raised(positions []uint64, base uint64) []uint64 {
	if base == 0 || positions == nil {
		return positions
	}
	out := make([]uint64, len(positions))
	for i, p := range positions {
		out[i] = max(p, base)
	}
	return out
}

// raiseFloor keeps a truncate or the end of a snapshot. It comes before the batch's rows, so that what it hides is
// never seen beside what follows it. Raising again changes nothing.
func (l *Library) raiseFloor(ctx context.Context, b Batch, epoch uint64) error {
	if b.Feed.Floor == 0 {
		return nil
	}
	if b.Feed.Floor > MaxPosition {
		return fmt.Errorf("floor %d, at most %d can be ordered: %w", b.Feed.Floor, uint64(MaxPosition), mulu.ErrInvalid)
	}
	return l.insert(ctx, floorsTable, 1, func(int) []any {
		return []any{string(b.Plan.Dataset), epoch<<epochShift | b.Feed.Floor, b.Plan.TopicID.String(), uint32(b.Plan.Partition), uint64(b.Plan.First), l.now().UTC()}
	})
}

// sweep removes what lies below the floor from the current table, in the background: no
// reader sees it, and personal data should not lie about. A crash before it leaves the
// rows to the next truncate.
func (l *Library) sweep(ctx context.Context, ds *mulu.Dataset, floor uint64) {
	err := l.db.Exec(ctx, fmt.Sprintf("ALTER TABLE %s.%s DELETE WHERE %s < %d SETTINGS mutations_sync = 0", ident(ds.Library), ident(string(ds.Code)), ident(mulu.ColVersion), floor))
	if err != nil {
		l.log.Warn("rows below a truncate could not be removed; nobody sees them", "dataset", ds.Code, "error", err)
	}
}

// above is the condition that a row was not truncated, "" for datasets that can not
// be. The floor is asked in the statement: another process may have raised it. It may
// stand before FINAL: the newest row of a key is the highest one.
func above(ds *mulu.Dataset, alias string) string {
	if !ds.Changes() {
		return ""
	}
	// A code is lower-case letters, digits and _.
	return alias + ident(mulu.ColVersion) + " >= (SELECT max(floor) FROM mulu.floors WHERE dataset = '" + string(ds.Code) + "' AND " + standing("first") + ")"
}
