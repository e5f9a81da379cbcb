package share

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/store"
)

// Notice (撤回通知) tells the holder of a grant that a batch was taken back after it
// may have read rows of it.
type Notice struct {
	ID         string
	Grant      mulu.GrantID
	Org        mulu.OrgCode // who holds the grant
	Withdrawal string
	Dataset    mulu.DatasetCode
	Batch      string // topic/partition/first-last
	Reason     string // why it was taken back
	Reads      int64  // reads since the batch came
	Rows       int64  // rows of those reads
	Receipts   []mulu.ReceiptID
	FirstRead  time.Time
	LastRead   time.Time
	At         time.Time
	SeenAt     time.Time // zero before
	SeenBy     string
}

// noticeReceipts is how many receipts a notice names; Reads counts all of them.
const noticeReceipts = 100

// Notify makes a notice for every grant that read a view over the dataset, as its
// base or by a lookup, since the batch came. It says how many there are for this
// withdrawal. Repeating it makes no second notice; a crash leaves those made so far.
func (s *Service) Notify(ctx context.Context, w mulu.Withdrawal) (int64, error) {
	readers, err := s.readers(ctx, w.Dataset)
	if err != nil {
		return 0, fmt.Errorf("notify holders of %s: %w", w.Dataset, err)
	}
	var n int64
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		for i := range readers {
			notice, err := concerned(ctx, tx, &readers[i], w)
			if err != nil {
				return err
			}
			if notice.Reads == 0 {
				continue
			}
			if err := s.putNotice(ctx, tx, notice); err != nil {
				return err
			}
		}
		return tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM share_notice WHERE withdrawal = $1`, w.ID).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("notify holders of %s: %w", w.Dataset, err)
	}
	return n, nil
}

// readers are the grants whose view, in the version they were agreed on, uses a
// dataset; those that have ended too.
func (s *Service) readers(ctx context.Context, dataset mulu.DatasetCode) ([]Grant, error) {
	type version struct {
		code mulu.ScenarioCode
		n    int64
	}
	uses := map[version]bool{}
	rows, err := s.DB.Read.QueryContext(ctx, `SELECT body, version, digest, state, pending, refusal FROM share_scenario`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		sc, err := scanScenario(rows)
		if err != nil {
			return nil, err
		}
		uses[version{sc.Code, sc.Version}] = slices.Contains(sc.Datasets(), dataset)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	all, err := grants(ctx, s.DB.Read, `1 = 1 ORDER BY id`)
	return slices.DeleteFunc(all, func(g Grant) bool { return !uses[version{g.Terms.Scenario, g.Terms.ScenarioVersion}] }), err
}

// concerned gathers a grant's reads since the batch came. A read that was admitted
// counts even if it gave no row: a row may have been missing for the batch's sake.
func concerned(ctx context.Context, tx *sql.Tx, g *Grant, w mulu.Withdrawal) (Notice, error) {
	n := Notice{Grant: g.ID, Org: g.Terms.Requester, Withdrawal: w.ID, Dataset: w.Dataset, Batch: w.Batch.String(), Reason: w.Reason}
	rows, err := tx.QueryContext(ctx, `SELECT id, rows_out, opened_at FROM share_receipt WHERE grant_id = $1 AND opened_at >= $2
		AND (outcome IN ('open', 'delivered') OR outcome IN ('aborted', 'interrupted') AND rows_out > 0) ORDER BY id DESC`, g.ID, store.Micros(w.Landed))
	if err != nil {
		return n, err
	}
	defer rows.Close()
	for rows.Next() {
		var id mulu.ReceiptID
		var out, at int64
		if err := rows.Scan(&id, &out, &at); err != nil {
			return n, err
		}
		if n.Reads == 0 {
			n.LastRead = store.FromMicros(at)
		}
		if len(n.Receipts) < noticeReceipts {
			n.Receipts = append(n.Receipts, id)
		}
		n.FirstRead, n.Reads, n.Rows = store.FromMicros(at), n.Reads+1, n.Rows+out
	}
	return n, rows.Err()
}

func (s *Service) putNotice(ctx context.Context, tx *sql.Tx, n Notice) error {
	var known int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM share_notice WHERE withdrawal = $1 AND grant_id = $2`, n.Withdrawal, n.Grant).Scan(&known)
	if !errors.Is(err, sql.ErrNoRows) {
		return err // there already
	}
	receipts, err := json.Marshal(n.Receipts)
	if err != nil {
		return err
	}
	now := s.Now()
	year := now.In(clock.Shanghai).Year()
	no, err := next(ctx, tx, fmt.Sprintf("notice-%d", year))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO share_notice (id, withdrawal, grant_id, org, dataset, batch, reason, reads, rows_out, receipts, first_read_at, last_read_at, made_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		fmt.Sprintf("N%s-%d-%06d", s.Division, year, no), n.Withdrawal, n.Grant, n.Org, n.Dataset, n.Batch, n.Reason, n.Reads, n.Rows, string(receipts),
		store.Micros(n.FirstRead), store.Micros(n.LastRead), store.Micros(now))
	return err
}

// NoticeFilter narrows Notices; zero fields do not.
type NoticeFilter struct {
	Org    mulu.OrgCode
	Grant  mulu.GrantID
	Unseen bool
	Limit  int // 0 is 100
}

// Notices lists notices, newest first.
func (s *Service) Notices(ctx context.Context, f NoticeFilter) ([]Notice, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	unseen := 0
	if f.Unseen {
		unseen = 1
	}
	all, err := s.notices(ctx, `($1 = '' OR org = $1) AND ($2 = '' OR grant_id = $2) AND ($3 = 0 OR seen_at = 0) ORDER BY made_at DESC, id DESC LIMIT $4`,
		string(f.Org), string(f.Grant), unseen, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	return all, nil
}

// See notes that the holder knows of a notice; the first to do so stays noted.
// Somebody of another organisation is mulu.ErrDenied.
func (s *Service) See(ctx context.Context, actor mulu.Actor, id string) (Notice, error) {
	n, err := s.notice(ctx, id)
	if err != nil {
		return n, fmt.Errorf("see notice: %w", err)
	}
	if n.Org != actor.Org.Code {
		return Notice{}, fmt.Errorf("see notice: %w", denied("通知 %s 不属于本单位", id))
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE share_notice SET seen_at = $1, seen_by = $2 WHERE id = $3 AND seen_at = 0`, store.Micros(s.Now()), actor.ID, id)
		return err
	})
	if err != nil {
		return n, fmt.Errorf("see notice %s: %w", id, err)
	}
	return s.notice(ctx, id)
}

func (s *Service) notice(ctx context.Context, id string) (Notice, error) {
	all, err := s.notices(ctx, `id = $1`, id)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("没有通知 %s: %w", clip(id, 64), mulu.ErrNotFound)
	}
	if err != nil {
		return Notice{}, err
	}
	return all[0], nil
}

// notices reads notices; cond is one of this package's own constants.
func (s *Service) notices(ctx context.Context, cond string, args ...any) ([]Notice, error) {
	rows, err := s.DB.Read.QueryContext(ctx, `SELECT id, withdrawal, grant_id, org, dataset, batch, reason, reads, rows_out, receipts, first_read_at, last_read_at, made_at, seen_at, seen_by
		FROM share_notice WHERE `+cond, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Notice
	for rows.Next() {
		var n Notice
		var receipts string
		var first, last, made, seen int64
		if err := rows.Scan(&n.ID, &n.Withdrawal, &n.Grant, &n.Org, &n.Dataset, &n.Batch, &n.Reason, &n.Reads, &n.Rows, &receipts, &first, &last, &made, &seen, &n.SeenBy); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(receipts), &n.Receipts); err != nil {
			return nil, fmt.Errorf("decode receipts of notice %s: %w", n.ID, err)
		}
		n.FirstRead, n.LastRead, n.At, n.SeenAt = store.FromMicros(first), store.FromMicros(last), store.FromMicros(made), store.FromMicros(seen)
		all = append(all, n)
	}
	return all, rows.Err()
}

// maxNoticed is how many notices a delivery names.
const maxNoticed = 10

// noticed names the notices of a grant that nobody has seen. What can not be had does
// not cut a share: the holder finds it in the list.
func (s *Service) noticed(ctx context.Context, id mulu.GrantID) []string {
	list, err := s.notices(ctx, `grant_id = $1 AND seen_at = 0 ORDER BY made_at DESC, id DESC LIMIT $2`, string(id), maxNoticed)
	if err != nil {
		s.Log.WarnContext(ctx, "notices of a grant are unknown", "grant", id, "err", err)
		return nil
	}
	var ids []string
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids
}
