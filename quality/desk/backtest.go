package desk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
	"mulu/quality"
)

// Backtest is a draft tried over stored rows (历史试跑).
type Backtest struct {
	ID      string
	Draft   string
	Digest  string // of the draft as it was tried
	State   BacktestState
	AskedBy string
	Began   time.Time
	Ended   time.Time
	Share   float64 // of the rows, 0 is all of them
	Seed    uint64
	Result  *Tried // of one that is done
	Error   string // of one that failed, Chinese
}

// BacktestState says how far a backtest is.
type BacktestState string

// The states of a backtest. One whose process ended is failed.
const (
	BacktestRunning BacktestState = "running"
	BacktestDone    BacktestState = "done"
	BacktestFailed  BacktestState = "failed"
)

// Tried is what a backtest found.
type Tried struct {
	Dataset mulu.DatasetCode `json:"dataset"`
	Base    uint32           `json:"base"` // version in force it is compared with
	AsOf    string           `json:"as_of"`
	Data    string           `json:"data"`  // state of the rows; empty if they changed meanwhile
	Rows    int64            `json:"rows"`  // looked at
	Rules   []TriedRule      `json:"rules"` // row rules of the draft in order, then those it drops
	Sets    []mulu.RuleID    `json:"sets"`  // set rules of the draft
	Days    []TriedDay       `json:"days"`
	// Rows that some blocking rule of the draft would have refused, and those of them that
	// none of the version in force would have.
	Rejected    int64 `json:"rejected"`
	NewRejected int64 `json:"new_rejected"`
	// Set rules of the draft in order, then those it drops. They see every row, also if the
	// row rules see a sample. Null in what was kept before backtests ran them.
	SetRules []TriedSet `json:"set_rules"`
	Digest   string     `json:"digest"` // of all above: the same draft, rows, day, share and seed give the same
	// Score is not in the digest: it follows from what else the house knows at the moment,
	// too. Nil if it could not be worked out.
	Score *TriedScore `json:"score"`
}

// TriedSet is one set rule, held against the rule of the same id in force.
type TriedSet struct {
	Rule     mulu.RuleID     `json:"rule"`
	Title    string          `json:"title"`
	Kind     string          `json:"kind"`
	Blocking bool            `json:"blocking"`
	Change   string          `json:"change"` // added, changed, same or dropped
	Same     bool            `json:"same"`   // both came out alike
	Now      *quality.Result `json:"now"`    // nil for an added rule
	Draft    *quality.Result `json:"draft"`  // nil for a dropped rule
}

// TriedScore is the score under the rules in force beside that under the draft, both as if
// history had been judged by them on the day of the backtest.
type TriedScore struct {
	Now        TriedTotal       `json:"now"`
	Draft      TriedTotal       `json:"draft"`
	Dimensions []TriedDimension `json:"dimensions"`
	Unforeseen []string         `json:"unforeseen"` // Chinese: what it does not know
}

// TriedTotal is a total and its grade.
type TriedTotal struct {
	Total float64  `json:"total"` // in [0,1]
	Grade string   `json:"grade"`
	Caps  []string `json:"caps"` // Chinese: why the grade is lower than its total
}

// TriedDimension is one of the six; nil is not applicable.
type TriedDimension struct {
	Code  string   `json:"code"`
	Title string   `json:"title"`
	Now   *float64 `json:"now"`
	Draft *float64 `json:"draft"`
}

// TriedRule is one row rule, held against the rule of the same id in force.
type TriedRule struct {
	Rule      mulu.RuleID `json:"rule"`
	Title     string      `json:"title"`
	Kind      string      `json:"kind"`
	Blocking  bool        `json:"blocking"`
	Change    string      `json:"change"` // added, changed, same or dropped
	Evaluated int64       `json:"evaluated"`
	Failed    int64       `json:"failed"`
	// Under the version in force; 0 for an added rule.
	EvaluatedNow int64 `json:"evaluated_now"`
	FailedNow    int64 `json:"failed_now"`
	New          int64 `json:"new"`      // rows that break it and did not
	Mended       int64 `json:"mended"`   // rows that broke it and do not
	Same         int64 `json:"same"`     // rows that break both
	Rejected     int64 `json:"rejected"` // rows it would have refused as the first blocking rule
}

// TriedDay is what would have been found among the rows that were stored on one day.
type TriedDay struct {
	Day       string                `json:"day"` // YYYY-MM-DD
	Rows      int64                 `json:"rows"`
	Failed    map[mulu.RuleID]int64 `json:"failed"`
	FailedNow map[mulu.RuleID]int64 `json:"failed_now"`
	Rejected  int64                 `json:"rejected"`
}

const backtestColumns = `id, draft, digest, state, asked_by, began, ended, share, seed, result, error`

func scanBacktest(row store.Row) (b Backtest, err error) {
	var began, ended, seed int64
	var result string
	if err := row.Scan(&b.ID, &b.Draft, &b.Digest, &b.State, &b.AskedBy, &began, &ended, &b.Share, &seed, &result, &b.Error); err != nil {
		return b, err
	}
	b.Began, b.Ended, b.Seed = store.FromMicros(began), store.FromMicros(ended), uint64(seed)
	if result != "" {
		b.Result = new(Tried)
		err = json.Unmarshal([]byte(result), b.Result)
	}
	return b, err
}

// BeginBacktest keeps that a backtest is under way and names it. A draft has one at a
// time: another is mulu.ErrBusy.
func (d *Desk) BeginBacktest(ctx context.Context, b Backtest) (Backtest, error) {
	b.ID, b.State = newID("BT", b.Began), BacktestRunning
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM quality_backtest WHERE draft = $1 AND state = 'running'`, b.Draft).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("规则草稿 %s 正在历史试跑，请等它结束 / a backtest is under way: %w", b.Draft, mulu.ErrBusy)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO quality_backtest (id, draft, digest, state, asked_by, began, share, seed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			b.ID, b.Draft, b.Digest, string(b.State), b.AskedBy, store.Micros(b.Began), b.Share, int64(b.Seed))
		return err
	})
	if err != nil {
		return b, fmt.Errorf("begin backtest of %s: %w", b.Draft, err)
	}
	return b, nil
}

// EndBacktest keeps what a backtest found, or with fault why it found nothing.
func (d *Desk) EndBacktest(ctx context.Context, id string, found *Tried, fault string, at time.Time) error {
	state, body := BacktestFailed, []byte{}
	var err error
	if found != nil {
		state = BacktestDone
		if body, err = json.Marshal(found); err != nil {
			return fmt.Errorf("end backtest %s: %w", id, err)
		}
	}
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE quality_backtest SET state = $1, ended = $2, result = $3, error = $4 WHERE id = $5 AND state = 'running'`, string(state), store.Micros(at), string(body), fault, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("end backtest %s: %w", id, err)
	}
	return nil
}

// BreakBacktests ends those that a process which is gone left running.
func (d *Desk) BreakBacktests(ctx context.Context, at time.Time) error {
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE quality_backtest SET state = 'failed', ended = $1, error = 'mulu 重新启动过，试跑中断；请重新试跑' WHERE state = 'running'`, store.Micros(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("end interrupted backtests: %w", err)
	}
	return nil
}

// Backtests are a draft's, newest first, at most limit.
func (d *Desk) Backtests(ctx context.Context, draft string, limit int) ([]Backtest, error) {
	list, err := store.All(ctx, d.db.Read, scanBacktest, `SELECT `+backtestColumns+` FROM quality_backtest WHERE draft = $1 ORDER BY began DESC, id DESC LIMIT $2`, draft, limit)
	if err != nil {
		return nil, fmt.Errorf("list backtests of %s: %w", draft, err)
	}
	return list, nil
}

// BacktestOf is the newest backtest of a draft's exact content that is done, nil if there
// is none.
func (d *Desk) BacktestOf(ctx context.Context, draft, digest string) (*Backtest, error) {
	b, err := scanBacktest(d.db.Read.QueryRowContext(ctx, `SELECT `+backtestColumns+` FROM quality_backtest WHERE draft = $1 AND digest = $2 AND state = 'done' ORDER BY began DESC LIMIT 1`, draft, digest))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find backtest of %s: %w", draft, err)
	}
	return &b, nil
}
