package ingest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
)

// Statements keeps reconciliation statements in the control store, beside up to where
// each partition was compared and which ranges did not agree.
type Statements struct {
	db *store.DB
}

// Statements gives the statements of the journal's control store.
func (j *Journal) Statements() *Statements { return &Statements{db: j.db} }

// NewStatement begins a statement; its id sorts by time.
func NewStatement(actor string, scope Scope, now time.Time) *Statement {
	now = now.UTC().Truncate(time.Microsecond)
	if scope.Datasets == nil {
		scope.Datasets = []mulu.DatasetCode{}
	}
	return &Statement{ID: "DZ" + now.Format("20060102T150405") + fmt.Sprintf("-%06d", now.Nanosecond()/1000), Actor: actor, Scope: scope, Started: now, Lines: []Line{}}
}

// Save keeps a closed statement, moves on how far each partition was compared, and
// takes note of the ranges that differ, in one transaction: a crash before it leaves
// nothing, and the next run compares the same windows. It gives the ranges that did
// not agree before and do now.
func (s *Statements) Save(ctx context.Context, st *Statement) (mended []OpenDifference, err error) {
	head := *st
	head.Lines = []Line{}
	body, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("save statement %s: %w", st.ID, err)
	}
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ingest_statement (id, actor, started_at, finished_at, verdict, body, digest) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			st.ID, st.Actor, store.Micros(st.Started), store.Micros(st.Finished), string(st.Verdict), string(body), st.Digest)
		if err != nil {
			return err
		}
		for i := range st.Lines {
			l := &st.Lines[i]
			body, err := json.Marshal(l)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO ingest_statement_line (statement, line, dataset, owner, verdict, body) VALUES ($1, $2, $3, $4, $5, $6)`,
				st.ID, i, string(l.Dataset), string(l.Owner), string(l.Verdict), string(body)); err != nil {
				return err
			}
			gone, err := settle(ctx, tx, st, l)
			if err != nil {
				return err
			}
			mended = append(mended, gone...)
		}
		return nil
	})
	if store.IsUnique(err) {
		err = fmt.Errorf("another one began at the same moment: %w", mulu.ErrConflict)
	}
	if err != nil {
		return nil, fmt.Errorf("save statement %s: %w", st.ID, err)
	}
	return mended, nil
}

// settle takes over what one line found.
func settle(ctx context.Context, tx *sql.Tx, st *Statement, l *Line) (mended []OpenDifference, err error) {
	if l.To < l.From { // nothing could be compared
		return nil, nil
	}
	old, err := differences(ctx, tx, ` WHERE topic_id = $1 AND part = $2 AND first_offset <= $3 AND last_offset >= $4`, l.TopicID, l.Partition, l.To, l.From)
	if err != nil {
		return nil, err
	}
	since, first := map[int64]time.Time{}, map[int64]string{}
	for _, o := range old {
		since[o.First], first[o.First] = o.Since, o.Statement
		if o.First < l.From || o.Last > l.To {
			continue // the line saw a part of it only
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM ingest_difference WHERE topic_id = $1 AND part = $2 AND first_offset = $3`, l.TopicID, l.Partition, o.First); err != nil {
			return nil, err
		}
		if !overlaps(l.Uneven, o.First, o.Last) {
			mended = append(mended, o)
		}
	}
	for _, r := range l.Uneven {
		at, by := since[r.First], first[r.First]
		if at.IsZero() {
			at, by = st.Finished, st.ID
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO ingest_difference (topic_id, part, first_offset, last_offset, dataset, owner, statement, since)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (topic_id, part, first_offset) DO NOTHING`,
			l.TopicID, l.Partition, r.First, r.Last, string(l.Dataset), string(l.Owner), by, store.Micros(at))
		if err != nil {
			return nil, err
		}
	}
	// A line that begins after what was compared leaves a gap, and does not move it on.
	_, err = tx.ExecContext(ctx, `INSERT INTO ingest_reconciled (topic_id, part, next_offset) VALUES ($1, $2, $3)
		ON CONFLICT (topic_id, part) DO UPDATE SET next_offset = excluded.next_offset
		WHERE ingest_reconciled.next_offset >= $4 AND ingest_reconciled.next_offset < excluded.next_offset`, l.TopicID, l.Partition, l.To+1, l.From)
	return mended, err
}

func overlaps(ranges []Range, first, last int64) bool {
	for _, r := range ranges {
		if r.First <= last && r.Last >= first {
			return true
		}
	}
	return false
}

// OpenDifference is a range that did not agree when it was last compared.
type OpenDifference struct {
	TopicID   string // hex
	Partition int32
	First     int64
	Last      int64
	Dataset   mulu.DatasetCode
	Owner     mulu.OrgCode
	Statement string // that found it first
	Since     time.Time
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func differences(ctx context.Context, db querier, where string, args ...any) ([]OpenDifference, error) {
	rows, err := db.QueryContext(ctx, `SELECT topic_id, part, first_offset, last_offset, dataset, owner, statement, since FROM ingest_difference`+where+` ORDER BY since, topic_id, part, first_offset`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []OpenDifference
	for rows.Next() {
		var d OpenDifference
		var since int64
		if err := rows.Scan(&d.TopicID, &d.Partition, &d.First, &d.Last, (*string)(&d.Dataset), (*string)(&d.Owner), &d.Statement, &since); err != nil {
			return nil, err
		}
		d.Since = store.FromMicros(since)
		out = append(out, d)
	}
	return out, rows.Err()
}

// Open lists what does not agree now, oldest first; an empty owner is everybody's.
func (s *Statements) Open(ctx context.Context, owner mulu.OrgCode) ([]OpenDifference, error) {
	out, err := differences(ctx, s.db.Read, ` WHERE $1 = '' OR owner = $1`, string(owner))
	if err != nil {
		return nil, fmt.Errorf("list differences: %w", err)
	}
	return out, nil
}

// Compared gives the first offset of a partition that was not compared yet; ok is
// false if none was.
func (s *Statements) Compared(ctx context.Context, topic mulu.TopicID, partition int32) (next int64, ok bool, err error) {
	err = s.db.Read.QueryRowContext(ctx, `SELECT next_offset FROM ingest_reconciled WHERE topic_id = $1 AND part = $2`, topic.String(), partition).Scan(&next)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read how far %s/%d was compared: %w", topic, partition, err)
	}
	return next, true, nil
}

// Get gives one statement, or mulu.ErrNotFound. With an owner, its lines and sums
// alone, and not found if there is none; the digest stays the whole statement's.
func (s *Statements) Get(ctx context.Context, id string, owner mulu.OrgCode) (*Statement, error) {
	st, err := s.head(ctx, id)
	if err != nil {
		return nil, err
	}
	if st.Lines, err = s.lines(ctx, id, owner); err != nil {
		return nil, fmt.Errorf("read statement %s: %w", id, err)
	}
	if owner == "" {
		return st, nil
	}
	if len(st.Lines) == 0 {
		return nil, fmt.Errorf("没有对账单 %s: %w", id, mulu.ErrNotFound)
	}
	digest := st.Digest
	if err := st.Close(st.Finished); err != nil {
		return nil, err
	}
	st.Digest = digest
	return st, nil
}

// head is a statement without its lines.
func (s *Statements) head(ctx context.Context, id string) (*Statement, error) {
	var body string
	err := s.db.Read.QueryRowContext(ctx, `SELECT body FROM ingest_statement WHERE id = $1`, id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("没有对账单 %s: %w", id, mulu.ErrNotFound)
	}
	var st Statement
	if err == nil {
		err = json.Unmarshal([]byte(body), &st)
	}
	if err != nil {
		return nil, fmt.Errorf("read statement %s: %w", id, err)
	}
	return &st, nil
}

func (s *Statements) lines(ctx context.Context, id string, owner mulu.OrgCode) ([]Line, error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT body FROM ingest_statement_line WHERE statement = $1 AND ($2 = '' OR owner = $2) ORDER BY line`, id, string(owner))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Line{}
	for rows.Next() {
		var body string
		var l Line
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(body), &l); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// StatementFilter narrows List; an empty field does not.
type StatementFilter struct {
	Dataset mulu.DatasetCode
	Owner   mulu.OrgCode
	Verdict Verdict
	Before  string // a statement's id: those older than it
	Limit   int    // 0 is 50
}

// List gives statements, newest first. With an owner or a dataset they are what Get
// gives of that owner; their lines are left out.
func (s *Statements) List(ctx context.Context, f StatementFilter) ([]Statement, error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT id FROM ingest_statement WHERE ($1 = '' OR id < $1) AND ($2 = '' OR $4 <> '' OR verdict = $2)
		AND (($3 = '' AND $4 = '') OR EXISTS (SELECT 1 FROM ingest_statement_line l WHERE l.statement = ingest_statement.id
			AND ($3 = '' OR l.dataset = $3) AND ($4 = '' OR l.owner = $4 AND ($2 = '' OR l.verdict = $2))))
		ORDER BY id DESC LIMIT $5`, f.Before, string(f.Verdict), string(f.Dataset), string(f.Owner), cmpOr(f.Limit, 50))
	if err != nil {
		return nil, fmt.Errorf("list statements: %w", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list statements: %w", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list statements: %w", err)
	}
	out := []Statement{}
	for _, id := range ids {
		get := s.head
		if f.Owner != "" {
			get = func(ctx context.Context, id string) (*Statement, error) { return s.Get(ctx, id, f.Owner) }
		}
		st, err := get(ctx, id)
		if errors.Is(err, mulu.ErrNotFound) {
			continue // pruned meanwhile
		}
		if err != nil {
			return nil, err
		}
		st.Lines = []Line{}
		out = append(out, *st)
	}
	return out, nil
}

// Prune drops statements that finished before a moment; a statement that found a
// difference which is still open stays.
func (s *Statements) Prune(ctx context.Context, before time.Time) error {
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		const old = `finished_at < $1 AND id NOT IN (SELECT statement FROM ingest_difference)`
		if _, err := tx.ExecContext(ctx, `DELETE FROM ingest_statement_line WHERE statement IN (SELECT id FROM ingest_statement WHERE `+old+`)`, store.Micros(before)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM ingest_statement WHERE `+old, store.Micros(before))
		return err
	})
	if err != nil {
		return fmt.Errorf("prune statements: %w", err)
	}
	return nil
}
