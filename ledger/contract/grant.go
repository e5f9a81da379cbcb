package contract

import (
	"slices"

	"mulu"
)

// The rules of scenarios and grants.

func (t *turn) file(b ScenarioBody) (Result, error) {
	trusted := t.center(mulu.RoleSteward, mulu.RoleSystem)
	if !trusted && !t.officer(b.Owner) {
		return Result{}, t.denied("场景单位数据专员或数据中心", "the owner's officer or the data centre")
	}
	return write(t, b, func(v *ScenarioValue) error {
		if v.State != None && v.Owner != b.Owner && !trusted {
			return refuse(Denied, "该场景属于其他单位", "scenario %s belongs to %s", b.Scenario, v.Owner)
		}
		v.Owner, v.Digest = b.Owner, b.Digest
		return nil
	})
}

func (t *turn) request(b RequestBody) (Result, error) {
	if !t.officer(b.Requester) {
		return Result{}, t.denied("申请单位数据专员", "an officer of the requester")
	}
	sc, err := load[ScenarioValue](t.s, Scenario, string(b.Scenario))
	if err != nil {
		return Result{}, err
	}
	if sc.State != Filed {
		return Result{}, refuse(NotFound, "应用场景未备案", "scenario %s is not filed", b.Scenario)
	}
	if _, err := t.shareable(b.Datasets); err != nil {
		return Result{}, err
	}
	return write(t, b, func(v *GrantValue) error {
		v.Request, v.MinScore = b, b.MinScore
		return nil
	})
}

// held is an entry that a grant's datasets are linked to.
type held struct {
	code  mulu.CatalogCode
	value EntryValue
}

// shareable returns the entries of the datasets, in code order, or refuses when
// one is not linked, not published, or not to be shared (不予共享).
func (t *turn) shareable(datasets []mulu.DatasetCode) ([]held, error) {
	var entries []held
	for _, d := range datasets {
		link, err := load[DatasetValue](t.s, Dataset, string(d))
		if err != nil {
			return nil, err
		}
		if link.State != Linked {
			return nil, refuse(NotFound, "数据集未挂接目录", "dataset %s is not linked to an entry", d)
		}
		if slices.ContainsFunc(entries, func(h held) bool { return h.code == link.Catalog }) {
			continue
		}
		e, err := load[EntryValue](t.s, Entry, string(link.Catalog))
		switch {
		case err != nil:
			return nil, err
		case e.State != Published && e.State != Changing:
			return nil, refuse(Illegal, "目录未发布或已停用", "entry %s is %q", link.Catalog, e.State)
		case e.Share == ShareNone:
			return nil, refuse(Denied, "该目录不予共享", "entry %s is not to be shared", link.Catalog)
		}
		entries = append(entries, held{link.Catalog, e})
	}
	slices.SortFunc(entries, func(a, b held) int {
		if a.code < b.code {
			return -1
		}
		return 1
	})
	return entries, nil
}

func (t *turn) judge(b DecideBody) (Result, error) {
	if !t.approver() {
		return Result{}, t.denied("主管部门审批人", "an approver of the bureau")
	}
	return write(t, b, func(v *GrantValue) error {
		switch {
		case v.Request.Requester == t.c.Org:
			return refuse(Denied, "申请单位不能审批自己的申请", "the requester's own organisation can not decide")
		case b.MinScore != 0 && b.MinScore < v.Request.MinScore:
			return refuse(Mismatch, "质量门槛只能提高", "min_score %d is below the requested %d", b.MinScore, v.Request.MinScore)
		}
		v.Decider, v.Digest, v.MinScore = t.c.Actor, b.Digest, max(b.MinScore, v.Request.MinScore)
		return nil
	})
}

func (t *turn) activate(b ActivateBody) (Result, error) {
	if !t.approver() && !t.center(mulu.RoleSteward, mulu.RoleOperator, mulu.RoleSystem) {
		return Result{}, t.denied("主管部门审批人或数据中心", "an approver or the data centre")
	}
	var entries []held
	res, err := write(t, b, func(v *GrantValue) error {
		switch {
		case v.Digest != b.Digest:
			return refuse(Mismatch, "授权内容与审批的不一致", "digest differs from the agreed one")
		case t.tx.Time >= v.Request.To:
			return refuse(Clock, "授权期限已过", "the term ended before activation")
		}
		if err := t.scored(v); err != nil {
			return err
		}
		var err error
		if entries, err = t.shareable(v.Request.Datasets); err != nil {
			return err
		}
		for _, e := range entries {
			v.Entries = append(v.Entries, e.code)
		}
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	for _, e := range entries {
		e.value.Grants++
		if err := put(t.s, Key(Entry, string(e.code)), e.value); err != nil {
			return Result{}, err
		}
	}
	return res, nil
}

// scored refuses when a dataset has no anchored score or too low a one.
func (t *turn) scored(v *GrantValue) error {
	if v.MinScore == 0 {
		return nil
	}
	for _, d := range v.Request.Datasets {
		q, err := load[QualityValue](t.s, Quality, string(d))
		switch {
		case err != nil:
			return err
		case q.State == None:
			return refuse(Score, "数据集尚无上链的质量评分", "dataset %s has no anchored score", d)
		case q.Body.Total < v.MinScore:
			return refuse(Score, "数据质量未达到授权要求", "dataset %s has %d of %d basis points", d, q.Body.Total, v.MinScore)
		}
	}
	return nil
}

func (t *turn) suspend(b SuspendBody) (Result, error) {
	if !t.approver() && !t.center(mulu.RoleSteward, mulu.RoleOperator, mulu.RoleSystem) {
		return Result{}, t.denied("主管部门审批人或数据中心", "an approver or the data centre")
	}
	return write(t, b, func(v *GrantValue) error { v.Reason = b.Reason; return nil })
}

func (t *turn) resume(b ResumeBody) (Result, error) {
	if !t.approver() {
		return Result{}, t.denied("主管部门审批人", "an approver of the bureau")
	}
	return write(t, b, func(v *GrantValue) error {
		if t.tx.Time >= v.Request.To {
			return refuse(Clock, "授权期限已过", "the term has ended")
		}
		v.Reason = b.Reason
		return nil
	})
}

func (t *turn) end(b EndBody) (Result, error) {
	var released []mulu.CatalogCode
	res, err := write(t, b, func(v *GrantValue) error {
		if !t.approver() && !t.officer(v.Request.Requester) && !t.center(mulu.RoleSystem, mulu.RoleOperator) {
			return t.denied("主管部门审批人、申请单位或数据中心系统", "an approver, the requester or the data centre's system")
		}
		released, v.Entries, v.Reason = v.Entries, nil, b.Reason
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	for _, code := range released {
		e, err := load[EntryValue](t.s, Entry, string(code))
		if err != nil {
			return Result{}, err
		}
		e.Grants--
		if err := put(t.s, Key(Entry, string(code)), e); err != nil {
			return Result{}, err
		}
	}
	return res, nil
}
