package share

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/plan"
)

// ModePull is the one delivery mode of this form: the receiver asks (服务接口、文件下载).
const ModePull = "pull"

// Formats a result may have.
var formats = []string{"json", "ndjson", "csv", "arrow"}

// Application is what a data officer asks for (809号令 art 20¶2: 使用依据、使用场景、
// 使用范围、共享方式、使用时限).
type Application struct {
	Scenario   mulu.ScenarioCode `json:"scenario"`
	Items      []string          `json:"items"`
	Receivers  []mulu.Division   `json:"receivers"` // 居村 (12 digits) or a whole street (9); each gets a grant of its own
	Purpose    string            `json:"purpose"`
	LegalBasis []string          `json:"legal_basis"` // empty takes the scenario's
	From       time.Time         `json:"from"`
	To         time.Time         `json:"to"` // exclusive
	Mode       string            `json:"mode"`
	Formats    []string          `json:"formats"`
	RowsPerDay int64             `json:"rows_per_day"` // per receiver; 0 takes the scenario's
	MinScore   float64           `json:"min_score"`    // in [0,1]; below the scenario's the scenario's holds
	Assessment string            `json:"assessment"`   // id of the impact assessment, needed for sensitive items
	Systems    []string          `json:"systems"`      // ids of the systems that may ask; empty: any of the organisation's
}

// Request is an application as it was received, with its clock, its answer and the
// grants it asks for.
type Request struct {
	ID string
	Application
	Org        mulu.OrgCode
	Actor      string
	ReceivedAt time.Time
	Reply      clock.Deadline // when an answer is due, and by which article
	Agreed     bool
	DecidedBy  string // "" before the answer
	DecidedAt  time.Time
	Reason     string
	Basis      string
	Deliver    *clock.Deadline // after an agreeing answer
	Grants     []Grant
}

// Status sums up the grants' states in Chinese, for lists.
func (r *Request) Status() string {
	n := make(map[string]int)
	for i := range r.Grants {
		n[r.Grants[i].Status()]++
	}
	if len(n) == 1 {
		return r.Grants[0].Status()
	}
	var parts []string
	for _, g := range r.Grants {
		if s := g.Status(); n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", s, n[s]))
			delete(n, s)
		}
	}
	return strings.Join(parts, "，")
}

// Submit receives an application: it starts the legal clock and asks the chain for
// one grant per receiver. Only data officers of streets and departments apply;
// items stay inside the scenario and receivers inside the applicant's division.
// Crash: request, grants and commands are one transaction.
func (s *Service) Submit(ctx context.Context, actor mulu.Actor, a Application) (Request, error) {
	r := Request{Application: a, Org: actor.Org.Code, Actor: actor.ID, ReceivedAt: s.Now().UTC().Truncate(time.Microsecond)}
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		sc, err := filed(ctx, tx, a.Scenario)
		if errors.Is(err, mulu.ErrNotFound) {
			return invalid("应用场景 %s 未备案或尚待上链", a.Scenario)
		} else if err != nil {
			return err
		}
		items, err := s.admit(actor, &r, &sc)
		if err != nil {
			return err
		}
		code := "share.reply.conditional"
		if sc.Unconditional {
			code = "share.reply.unconditional"
		}
		if r.Reply, err = s.deadline(code, r.ReceivedAt); err != nil {
			return err
		}
		year := r.ReceivedAt.In(clock.Shanghai).Year()
		n, err := next(ctx, tx, fmt.Sprintf("request-%d", year))
		if err != nil {
			return err
		}
		r.ID = fmt.Sprintf("S%s-%d-%06d", s.Division, year, n)
		if err := insertRequest(ctx, tx, &r); err != nil {
			return err
		}
		for _, to := range r.Receivers {
			g, err := s.propose(ctx, tx, actor, &r, &sc, items, to)
			if err != nil {
				return err
			}
			r.Grants = append(r.Grants, g)
		}
		return nil
	})
	if err != nil {
		return Request{}, fmt.Errorf("submit request under %s: %w", a.Scenario, err)
	}
	return r, nil
}

// admit checks an application, fills in what it leaves to the scenario, and
// returns the items asked for.
func (s *Service) admit(actor mulu.Actor, r *Request, sc *StoredScenario) ([]Item, error) {
	switch {
	case actor.Role != mulu.RoleOfficer:
		return nil, denied("只有数据专员可以提出共享申请")
	case actor.Org.Kind != "street" && actor.Org.Kind != "department":
		return nil, denied("只有街镇和委办局可以申请，居村为接收方")
	case len(sc.Requesters) > 0 && !slices.Contains(sc.Requesters, actor.Org.Kind):
		return nil, denied("应用场景 %s 不面向该类单位", sc.Code)
	case strings.TrimSpace(r.Purpose) == "":
		return nil, invalid("须说明使用场景和用途")
	case len(r.Items) == 0:
		return nil, invalid("须选择数据项")
	case !r.To.After(r.From):
		return nil, invalid("使用时限的止期须晚于起期")
	case !r.To.After(r.ReceivedAt):
		return nil, invalid("使用时限已过")
	case r.MinScore < 0 || r.MinScore > 1:
		return nil, invalid("最低质量得分须在 0 与 1 之间")
	case r.RowsPerDay < 0 || r.RowsPerDay > sc.RowsPerDay:
		return nil, invalid("每日行数上限须在 1 与 %d 之间", sc.RowsPerDay)
	}
	if r.Mode == "" {
		r.Mode = ModePull
	}
	if r.Mode != ModePull {
		return nil, invalid("共享方式 %q 不支持", r.Mode)
	}
	if len(r.Formats) == 0 {
		r.Formats = []string{"json", "csv"}
	}
	for _, f := range r.Formats {
		if !slices.Contains(formats, f) {
			return nil, invalid("数据格式 %q 不支持", f)
		}
	}
	if len(r.LegalBasis) == 0 {
		r.LegalBasis = sc.LegalBasis
	}
	if r.RowsPerDay == 0 {
		r.RowsPerDay = sc.RowsPerDay
	}
	if r.Assessment = strings.TrimSpace(r.Assessment); r.Assessment == "" {
		r.Assessment = sc.Assessment
	}
	r.MinScore = max(r.MinScore, sc.MinScore)
	if err := receivers(r.Receivers, actor.Org.Division); err != nil {
		return nil, err
	}
	return pick(sc, r.Items, r.Assessment)
}

// pick returns the scenario's items of these names.
func pick(sc *StoredScenario, names []string, assessment string) ([]Item, error) {
	var items []Item
	for i, name := range names {
		it, ok := sc.item(name)
		switch {
		case !ok:
			return nil, invalid("数据项 %s 不在应用场景 %s 内", name, sc.Code)
		case slices.Index(names, name) != i:
			return nil, invalid("数据项 %s 重复", name)
		case it.Level < mulu.L1 || it.Level > mulu.L4:
			return nil, invalid("数据项 %s 未定级，不得共享", name)
		case it.Sensitive() && assessment == "":
			return nil, invalid("数据项 %s 为 %s 级或含个人信息，须填写个人信息保护影响评估编号", name, it.Level)
		}
		items = append(items, it)
	}
	return items, nil
}

// receivers checks that each lies inside own and none inside another, so that no
// row is handed out twice.
func receivers(to []mulu.Division, own mulu.Division) error {
	if len(to) == 0 || len(to) > 200 {
		return invalid("接收方须为 1 至 200 个")
	}
	if !division(own) {
		return invalid("申请单位没有区划代码")
	}
	for i, d := range to {
		switch {
		case !division(d):
			return invalid("接收方 %q 不是 6、9 或 12 位区划代码", d)
		case !strings.HasPrefix(string(d), string(own)):
			return denied("接收方 %s 不在申请单位的辖区 %s 内", d, own)
		}
		for j, o := range to {
			if i != j && strings.HasPrefix(string(d), string(o)) {
				return invalid("接收方 %s 与 %s 重叠", d, o)
			}
		}
	}
	return nil
}

func division(d mulu.Division) bool {
	if n := len(d); n != 6 && n != 9 && n != 12 {
		return false
	}
	return !strings.ContainsFunc(string(d), func(r rune) bool { return r < '0' || r > '9' })
}

func (s *Service) deadline(code string, from time.Time) (clock.Deadline, error) {
	p, err := clock.PolicyOf(code)
	if err != nil {
		return clock.Deadline{}, err
	}
	return s.Calendar.Start(p, from, 0)
}

// propose makes the grant for one receiver and asks the chain for it.
func (s *Service) propose(ctx context.Context, tx *sql.Tx, actor mulu.Actor, r *Request, sc *StoredScenario, items []Item, to mulu.Division) (Grant, error) {
	year := r.ReceivedAt.In(clock.Shanghai).Year()
	n, err := next(ctx, tx, fmt.Sprintf("grant-%d", year))
	if err != nil {
		return Grant{}, err
	}
	g := Grant{
		ID: mulu.GrantID(fmt.Sprintf("G%s-%d-%06d", s.Division, year, n)), Request: r.ID, CreatedAt: r.ReceivedAt,
		Terms: Terms{
			Version: 1, Scenario: sc.Code, ScenarioVersion: sc.Version, ScenarioDigest: sc.Digest,
			Requester: r.Org, Receiver: to, Items: items, Where: plan.Predicate{All: scope(sc, to)},
			Purpose: r.Purpose, LegalBasis: r.LegalBasis, Assessment: r.Assessment, Mode: r.Mode, Formats: r.Formats,
			RowsPerDay: r.RowsPerDay, MinScore: r.MinScore, RetainDays: sc.RetainDays, Systems: r.Systems,
			From: store.Micros(r.From), To: store.Micros(r.To),
		},
	}
	if g.Digest, err = contract.DigestJSON(g.Terms); err != nil {
		return Grant{}, err
	}
	if err := insertGrant(ctx, tx, &g); err != nil {
		return Grant{}, err
	}
	err = s.move(ctx, tx, &g, actor, r.Purpose, contract.RequestBody{
		Grant: g.ID, Scenario: sc.Code, Requester: r.Org, Datasets: sc.Datasets(),
		From: g.Terms.From, To: g.Terms.To, MinScore: basisPoints(r.MinScore), Digest: g.Digest,
	})
	return g, err
}

// scope is the typed row predicate of one receiver: the scenario's own and the division.
func scope(sc *StoredScenario, to mulu.Division) []plan.Predicate {
	own := plan.Predicate{Field: sc.Division, Op: plan.Prefix, Value: string(to)}
	if len(to) == 12 {
		own.Op = plan.Eq
	}
	if sc.Where.Empty() {
		return []plan.Predicate{own}
	}
	return []plan.Predicate{own, sc.Where}
}

func basisPoints(score float64) int64 { return int64(score*10_000 + 0.5) }

func insertRequest(ctx context.Context, tx *sql.Tx, r *Request) error {
	body, err := json.Marshal(r.Application)
	if err != nil {
		return err
	}
	reply, err := json.Marshal(r.Reply)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO share_request (id, scenario, org, actor, body, received_at, reply, reply_due)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.ID, r.Scenario, r.Org, r.Actor, string(body), store.Micros(r.ReceivedAt), string(reply), store.Micros(r.Reply.Due))
	return err
}

// RequestFilter narrows Requests; zero fields do not.
type RequestFilter struct {
	Org       mulu.OrgCode
	Undecided bool
	Limit     int // 0 is 200
}

// Requests lists requests with their grants, newest first.
func (s *Service) Requests(ctx context.Context, f RequestFilter) ([]Request, error) {
	if f.Limit <= 0 {
		f.Limit = 200
	}
	all, err := requests(ctx, s.DB.Read, `($1 = '' OR org = $1) AND ($2 = 0 OR decided_by = '') ORDER BY received_at DESC, id DESC LIMIT $3`, string(f.Org), toInt(f.Undecided), f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	return all, nil
}

// Request returns one request with its grants.
func (s *Service) Request(ctx context.Context, id string) (Request, error) {
	return request(ctx, s.DB.Read, id)
}

func request(ctx context.Context, q querier, id string) (Request, error) {
	all, err := requests(ctx, q, `id = $1`, id)
	if err == nil && len(all) == 0 {
		err = mulu.ErrNotFound
	}
	if err != nil {
		return Request{}, fmt.Errorf("read request %s: %w", id, err)
	}
	return all[0], nil
}

// requests reads requests; cond is one of this package's own constants.
func requests(ctx context.Context, q querier, cond string, args ...any) ([]Request, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, org, actor, body, received_at, reply, agreed, decided_by, decided_at, reason, basis, deliver
		FROM share_request WHERE `+cond, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Request
	for rows.Next() {
		var r Request
		var body, reply, deliver string
		var received, decided int64
		if err := rows.Scan(&r.ID, &r.Org, &r.Actor, &body, &received, &reply, &r.Agreed, &r.DecidedBy, &decided, &r.Reason, &r.Basis, &deliver); err != nil {
			return nil, err
		}
		if err := errors.Join(json.Unmarshal([]byte(body), &r.Application), json.Unmarshal([]byte(reply), &r.Reply)); err != nil {
			return nil, err
		}
		if deliver != "" {
			if err := json.Unmarshal([]byte(deliver), &r.Deliver); err != nil {
				return nil, err
			}
		}
		r.ReceivedAt, r.DecidedAt = store.FromMicros(received), store.FromMicros(decided)
		all = append(all, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Grants, err = grants(ctx, q, `request = $1 ORDER BY id`, all[i].ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
