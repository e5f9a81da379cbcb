package share

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"mulu"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/plan"
)

// Scenario is an application scenario (应用场景): the purpose, the legal basis, and
// the most that may be granted under it.
type Scenario struct {
	Code       mulu.ScenarioCode `json:"code"`
	Title      string            `json:"title"`
	Owner      mulu.OrgCode      `json:"owner"`
	Purpose    string            `json:"purpose"`
	LegalBasis []string          `json:"legal_basis"`
	View       plan.View         `json:"view"`
	Items      []Item            `json:"items"`
	Where      plan.Predicate    `json:"where"`    // fixed row scope, e.g. age ≥ 70 and living alone
	Division   string            `json:"division"` // column of the 12-digit residence division, which receivers narrow
	// Unconditional marks 无条件共享: one working day to reply instead of ten.
	Unconditional bool    `json:"unconditional,omitempty"`
	MinScore      float64 `json:"min_score,omitempty"` // in [0,1]: least score of every dataset when a grant is activated
	RowsPerDay    int64   `json:"rows_per_day"`        // most a grant's daily quota may be
	RetainDays    int64   `json:"retain_days,omitempty"`
	// Assessment is the impact assessment of the scenario itself; an application
	// that names none of its own stands on it.
	Assessment string   `json:"assessment,omitempty"`
	Requesters []string `json:"requesters,omitempty"` // kinds of organisation that may ask; empty: street and department
}

// Item is one data item a scenario may share, with its level and how each role
// sees it. Masks[""] is for roles that are not named; without it an item at L3 or
// above, or with personal information, is hidden from them.
type Item struct {
	Name  string                  `json:"name"` // as in plan.Item
	Title string                  `json:"title"`
	Level mulu.Level              `json:"level"`
	PI    string                  `json:"pi,omitempty"`
	Masks map[mulu.Role]plan.Mask `json:"masks,omitempty"`
}

// Sensitive says whether sharing the item needs an impact assessment (个人信息保护影响评估).
func (i Item) Sensitive() bool { return i.Level >= mulu.L3 || i.PI != "" }

// MaskFor resolves the mask for a role.
func (i Item) MaskFor(r mulu.Role) plan.Mask {
	if m, ok := i.Masks[r]; ok {
		return m
	}
	if m, ok := i.Masks[""]; ok {
		return m
	}
	if i.Sensitive() {
		return plan.MaskHide
	}
	return plan.Clear
}

// Datasets names every dataset the scenario reads, sorted.
func (s *Scenario) Datasets() []mulu.DatasetCode {
	all := []mulu.DatasetCode{s.View.Base}
	for _, l := range s.View.Lookups {
		all = append(all, l.Dataset)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (s *Scenario) item(name string) (Item, bool) {
	i := slices.IndexFunc(s.Items, func(i Item) bool { return i.Name == name })
	if i < 0 {
		return Item{}, false
	}
	return s.Items[i], true
}

// StoredScenario is a scenario version with what the chain says of it.
type StoredScenario struct {
	Scenario
	Version int64
	Digest  string
	State   contract.State // confirmed: None or Filed
	Pending string         // id of the command on its way, "" for none
	Refusal string         // why the chain refused this version
}

var masks = []plan.Mask{plan.Clear, plan.MaskName, plan.MaskID, plan.MaskPhone, plan.MaskAddr, plan.MaskYear, plan.MaskBand, plan.MaskYesNo, plan.MaskHide, plan.MaskToken}

func (s *Scenario) validate() error {
	switch {
	case s.Code == "" || s.Title == "" || s.Owner == "" || s.Purpose == "":
		return invalid("应用场景 %q 缺少编码、名称、所属单位或用途", s.Code)
	case len(s.LegalBasis) == 0:
		return invalid("应用场景 %s 缺少法律依据", s.Code)
	case s.View.Base == "" || s.Division == "":
		return invalid("应用场景 %s 缺少基础数据集或区划字段", s.Code)
	case len(s.Items) == 0:
		return invalid("应用场景 %s 没有数据项", s.Code)
	case s.MinScore < 0 || s.MinScore > 1:
		return invalid("应用场景 %s 的最低质量得分须在 0 与 1 之间", s.Code)
	case s.RowsPerDay <= 0:
		return invalid("应用场景 %s 缺少每日行数上限", s.Code)
	}
	for i, it := range s.Items {
		if it.Name == "" || slices.IndexFunc(s.Items, func(o Item) bool { return o.Name == it.Name }) != i {
			return invalid("应用场景 %s 的数据项 %q 为空或重复", s.Code, it.Name)
		}
		for role, m := range it.Masks {
			if !slices.Contains(masks, m) {
				return invalid("应用场景 %s 的数据项 %s 对角色 %q 的脱敏方式 %q 未定义", s.Code, it.Name, role, m)
			}
		}
	}
	return nil
}

// PutScenario files a scenario or its next version, signed by actor. A version that
// equals the newest one changes nothing. Crash: row and command are one transaction.
func (s *Service) PutScenario(ctx context.Context, actor mulu.Actor, sc Scenario) error {
	if err := sc.validate(); err != nil {
		return fmt.Errorf("put scenario %s: %w", sc.Code, err)
	}
	digest, err := contract.DigestJSON(sc)
	if err != nil {
		return fmt.Errorf("put scenario %s: %w", sc.Code, err)
	}
	body, err := json.Marshal(sc)
	if err != nil {
		return fmt.Errorf("put scenario %s: %w", sc.Code, err)
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		last, err := scenario(ctx, tx, `code = $1 ORDER BY version DESC LIMIT 1`, sc.Code)
		if err != nil && !errors.Is(err, mulu.ErrNotFound) {
			return err
		}
		if last.Digest == digest && last.Refusal == "" {
			return nil
		}
		if last.Pending != "" {
			return busy("上一版本尚待上链")
		}
		v := last.Version + 1
		id := contract.CommandID(contract.ScenarioFile, string(sc.Code), strconv.FormatInt(v, 10))
		if _, err := tx.ExecContext(ctx, `INSERT INTO share_scenario (code, version, body, digest, put_by, put_at, state, pending)
			VALUES ($1, $2, $3, $4, $5, $6, '', $7)`, sc.Code, v, string(body), digest, actor.ID, store.Micros(s.Now()), id); err != nil {
			return err
		}
		return s.send(ctx, tx, id, actor, contract.ScenarioBody{Scenario: sc.Code, Owner: sc.Owner, Digest: digest})
	})
	if err != nil {
		return fmt.Errorf("put scenario %s: %w", sc.Code, err)
	}
	return nil
}

// Scenario returns the newest version that the chain has confirmed.
func (s *Service) Scenario(ctx context.Context, code mulu.ScenarioCode) (StoredScenario, error) {
	return filed(ctx, s.DB.Read, code)
}

// Scenarios returns the newest version of every scenario, confirmed or not, by code.
func (s *Service) Scenarios(ctx context.Context) ([]StoredScenario, error) {
	rows, err := s.DB.Read.QueryContext(ctx, `SELECT body, version, digest, state, pending, refusal FROM share_scenario a
		WHERE version = (SELECT MAX(version) FROM share_scenario b WHERE b.code = a.code) ORDER BY code`)
	if err != nil {
		return nil, fmt.Errorf("list scenarios: %w", err)
	}
	defer rows.Close()
	var all []StoredScenario
	for rows.Next() {
		sc, err := scanScenario(rows)
		if err != nil {
			return nil, fmt.Errorf("list scenarios: %w", err)
		}
		all = append(all, sc)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list scenarios: %w", err)
	}
	return all, nil
}

func filed(ctx context.Context, q querier, code mulu.ScenarioCode) (StoredScenario, error) {
	return scenario(ctx, q, `code = $1 AND state = 'filed' ORDER BY version DESC LIMIT 1`, code)
}

// scenario reads one version; cond is one of this package's own constants.
func scenario(ctx context.Context, q querier, cond string, args ...any) (StoredScenario, error) {
	sc, err := scanScenario(q.QueryRowContext(ctx, `SELECT body, version, digest, state, pending, refusal FROM share_scenario WHERE `+cond, args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = mulu.ErrNotFound
	}
	if err != nil {
		return StoredScenario{}, fmt.Errorf("read scenario %v: %w", args[0], err)
	}
	return sc, nil
}

func scanScenario(row interface{ Scan(...any) error }) (sc StoredScenario, err error) {
	var body string
	if err := row.Scan(&body, &sc.Version, &sc.Digest, &sc.State, &sc.Pending, &sc.Refusal); err != nil {
		return sc, err
	}
	if err := json.Unmarshal([]byte(body), &sc.Scenario); err != nil {
		return sc, fmt.Errorf("decode scenario: %w", err)
	}
	return sc, nil
}
