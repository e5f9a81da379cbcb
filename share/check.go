package share

import (
	"context"
	"database/sql"
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

// Check is one condition of a read and how it came out.
type Check struct {
	Code   string // "grant", "clock", "org", …: stable
	Title  string // Chinese
	Passed bool
	Detail string // Chinese: what was found
}

// Denial says no to a read and why. It unwraps to mulu.ErrDenied.
type Denial struct {
	Receipt mulu.ReceiptID // the denial's own receipt, "" from Explain
	Checks  []Check
}

func (d *Denial) Error() string { return "read denied: " + d.Reason() }

// Unwrap makes errors.Is(err, mulu.ErrDenied) true.
func (d *Denial) Unwrap() error { return mulu.ErrDenied }

// Reason joins the checks that failed, in Chinese.
func (d *Denial) Reason() string { return failedOf(d.Checks) }

func failedOf(checks []Check) string {
	var why []string
	for _, c := range checks {
		if !c.Passed {
			why = append(why, "未满足「"+c.Title+"」（"+c.Detail+"）")
		}
	}
	return strings.Join(why, "；")
}

// admission is what authorise found: everything the rest of the walk needs.
type admission struct {
	now      time.Time
	grant    Grant
	scenario StoredScenario // the version the grant was made under
	format   string
	left     int64 // rows left of today's quota
	checks   []Check
}

func (a *admission) note(code, title string, passed bool, detail string, args ...any) {
	a.checks = append(a.checks, Check{Code: code, Title: title, Passed: passed, Detail: fmt.Sprintf(detail, args...)})
}

func (a *admission) allowed() bool {
	return !slices.ContainsFunc(a.checks, func(c Check) bool { return !c.Passed })
}

// Explain says for a read that is asked or was denied how each condition stands
// now (为什么被拒). It reads no data and leaves no receipt.
func (s *Service) Explain(ctx context.Context, ask Ask) ([]Check, error) {
	a, err := s.inspect(ctx, s.DB.Read, ask)
	if err != nil {
		return nil, fmt.Errorf("explain read of %s: %w", ask.Grant, err)
	}
	return a.checks, nil
}

// inspect runs every condition; an error means that policy could not be read, and
// then nothing is served.
func (s *Service) inspect(ctx context.Context, q querier, ask Ask) (*admission, error) {
	a := &admission{now: s.Now(), format: ask.Format}
	g, err := grant(ctx, q, ask.Grant)
	if errors.Is(err, mulu.ErrNotFound) {
		a.note("grant", "授权存在", false, "没有编号为 %q 的授权", clip(string(ask.Grant), 64))
		return a, nil
	} else if err != nil {
		return nil, err
	}
	a.grant = g
	a.note("grant", "授权存在", true, "%s", g.ID)
	if err := a.checkClock(ctx, q); err != nil {
		return nil, err
	}
	a.checkActor(ask.Actor)
	a.checkState()
	if err := a.checkItems(ctx, q); err != nil {
		return nil, err
	}
	a.checkAsk(ask)
	return a, a.checkQuota(ctx, q)
}

// checkClock fails closed when time runs backwards: a term that has ended must not
// begin again because a clock was set back.
func (a *admission) checkClock(ctx context.Context, q querier) error {
	var last int64
	err := q.QueryRowContext(ctx, `SELECT at FROM share_clock WHERE id = 1`).Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read clock mark: %w", err)
	}
	back := store.FromMicros(last).Sub(a.now)
	if ok := last == 0 || back <= clockSlack; ok {
		a.note("clock", "系统时钟未倒退", true, "%s", shown(a.now))
	} else {
		a.note("clock", "系统时钟未倒退", false, "当前 %s 早于上次共享的 %s，请校准时钟", shown(a.now), shown(store.FromMicros(last)))
	}
	return nil
}

func (a *admission) checkActor(who mulu.Actor) {
	t := &a.grant.Terms
	a.note("org", "调用方属于获授权单位", who.Org.Code == t.Requester, "调用方单位 %s，获授权单位 %s", who.Org.Code, t.Requester)
	switch {
	case who.Role == mulu.RoleOfficer:
		a.note("actor", "调用方身份", true, "数据专员")
	case who.Role == mulu.RoleSystem && (len(t.Systems) == 0 || slices.Contains(t.Systems, who.ID)):
		a.note("actor", "调用方身份", true, "信息系统 %s", who.ID)
	case who.Role == mulu.RoleSystem:
		a.note("actor", "调用方身份", false, "信息系统 %s 不在授权的系统清单内", who.ID)
	default:
		a.note("actor", "调用方身份", false, "角色 %s 不能取数，须为数据专员或信息系统", who.Role)
	}
}

func (a *admission) checkState() {
	g := &a.grant
	a.note("active", "授权已上链生效", g.State == contract.Active, "链上状态：%s", stateNames[g.State])
	if g.stopped() {
		a.note("stop", "授权未被暂停或终止", false, "%s", g.Status())
	} else {
		a.note("stop", "授权未被暂停或终止", true, "无待上链的暂停或终止")
	}
	from, to := store.FromMicros(g.Terms.From), store.FromMicros(g.Terms.To)
	a.note("term", "在使用时限内", !a.now.Before(from) && a.now.Before(to), "使用时限 %s 至 %s（不含）", shown(from), shown(to))
}

// checkItems compares the granted items with the scenario's newest filed version:
// what was taken out, or graded higher since, is no longer served.
func (a *admission) checkItems(ctx context.Context, q querier) error {
	t := &a.grant.Terms
	current, err := filed(ctx, q, t.Scenario)
	if errors.Is(err, mulu.ErrNotFound) {
		a.note("scenario", "应用场景有效", false, "应用场景 %s 没有已备案的版本", t.Scenario)
		return nil
	} else if err != nil {
		return err
	}
	if a.scenario = current; current.Version != t.ScenarioVersion {
		if a.scenario, err = scenario(ctx, q, `code = $1 AND version = $2`, t.Scenario, t.ScenarioVersion); err != nil {
			return err
		}
	}
	if a.scenario.Digest != t.ScenarioDigest {
		a.note("scenario", "应用场景与授权时一致", false, "应用场景 %s 第 %d 版的摘要与授权不符", t.Scenario, t.ScenarioVersion)
		return nil
	}
	for _, it := range t.Items {
		now, ok := current.item(it.Name)
		switch {
		case !ok:
			a.note("items", "数据项在应用场景内", false, "数据项 %s 已不在应用场景 %s 内", it.Name, t.Scenario)
			return nil
		case it.Level < mulu.L1 || it.Level > mulu.L4 || now.Level < mulu.L1 || now.Level > mulu.L4:
			a.note("items", "数据项均已定级", false, "数据项 %s 未定级", it.Name)
			return nil
		case now.Level > it.Level:
			a.note("items", "数据项级别未升高", false, "数据项 %s 已由 %s 调为 %s，须重新申请", it.Name, it.Level, now.Level)
			return nil
		}
	}
	a.note("items", "数据项在应用场景内且已定级", true, "%d 项", len(t.Items))
	return nil
}

func (a *admission) checkAsk(ask Ask) {
	t := &a.grant.Terms
	if a.format == "" && len(t.Formats) > 0 {
		a.format = t.Formats[0]
	}
	a.note("format", "数据格式在授权内", slices.Contains(t.Formats, a.format), "请求 %q，授权 %s", clip(a.format, 20), strings.Join(t.Formats, "、"))
	for field, v := range ask.Where {
		if why := a.checkValue(field, v, ask.Actor.Role); why != "" {
			a.note("where", "附加条件在授权范围内", false, "%s", why)
			return
		}
	}
	a.note("where", "附加条件在授权范围内", true, "%d 个", len(ask.Where))
}

// checkValue says what is wrong with one value a request carries. A request may
// narrow the division, and select on items that it sees clear and that are not
// sensitive: selecting on a masked item would tell what the mask hides.
func (a *admission) checkValue(field string, v any, role mulu.Role) string {
	if field == a.scenario.Division {
		d, ok := v.(string)
		switch own := string(a.grant.Terms.Receiver); {
		case !ok || !division(mulu.Division(d)):
			return "区划代码须为 6、9 或 12 位数字"
		case !strings.HasPrefix(d, own):
			return fmt.Sprintf("区划 %s 不在接收方 %s 内", d, own)
		}
		return ""
	}
	i := slices.IndexFunc(a.grant.Terms.Items, func(it Item) bool { return it.Name == field })
	if i < 0 {
		return fmt.Sprintf("数据项 %q 不在授权内", clip(field, 64))
	}
	if it := a.grant.Terms.Items[i]; it.Sensitive() || it.MaskFor(role) != plan.Clear {
		return fmt.Sprintf("数据项 %s 为敏感或脱敏项，不能作为条件", field)
	}
	switch v.(type) {
	case string, bool, int, int64, float64:
		return ""
	}
	return fmt.Sprintf("数据项 %s 的条件值类型不支持", field)
}

func (a *admission) checkQuota(ctx context.Context, q querier) error {
	used, err := usedQuota(ctx, q, a.grant.ID, a.now)
	if err != nil {
		return err
	}
	a.left = a.grant.Terms.RowsPerDay - used
	a.note("quota", "今日额度未用完", a.left > 0, "今日已取 %d 行，额度 %d 行", used, a.grant.Terms.RowsPerDay)
	return nil
}

func today(now time.Time) string { return now.In(clock.Shanghai).Format(time.DateOnly) }

func usedQuota(ctx context.Context, q querier, id mulu.GrantID, now time.Time) (used int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT rows_out FROM share_quota WHERE grant_id = $1 AND day = $2`, id, today(now)).Scan(&used)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read quota of %s: %w", id, err)
	}
	return used, nil
}

func shown(t time.Time) string { return t.In(clock.Shanghai).Format("2006-01-02 15:04") }

// clip bounds what a caller wrote before it is stored or shown.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// AcceptClock tells the desk that an earlier time is the right one, after a clock
// that ran ahead was mended. Only an operator may, and must say why.
func (s *Service) AcceptClock(ctx context.Context, actor mulu.Actor, reason string) error {
	if actor.Role != mulu.RoleOperator {
		return fmt.Errorf("accept clock: %w", denied("只有运维可以确认时钟"))
	}
	if strings.TrimSpace(reason) == "" {
		return fmt.Errorf("accept clock: %w", invalid("须说明原因"))
	}
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO share_clock (id, at, set_by, reason) VALUES (1, $1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET at = excluded.at, set_by = excluded.set_by, reason = excluded.reason`, store.Micros(s.Now()), actor.ID, reason)
		return err
	})
	if err != nil {
		return fmt.Errorf("accept clock: %w", err)
	}
	s.Log.WarnContext(ctx, "clock mark was set back by an operator", "actor", actor.ID, "reason", reason)
	return nil
}
