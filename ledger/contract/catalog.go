package contract

import "mulu"

// The rules of actors, systems, duties, entries, links and anchors.

func (t *turn) register(b ActorBody) (Result, error) {
	if t.c.Actor != RootActor && !t.approver() {
		return Result{}, t.denied("根密钥或主管部门审批人", "the root key or an approver of the bureau")
	}
	if t.c.Actor == b.Actor {
		return Result{}, refuse(Denied, "不能登记自己", "an actor can not register itself")
	}
	if b.Role == mulu.RoleApprover && b.Org != t.chain.Bureau {
		return Result{}, refuse(Denied, "审批人只能属于主管部门", "an approver must belong to the bureau")
	}
	return write(t, b, func(v *ActorValue) error {
		v.Org, v.Role, v.Key, v.Registered = b.Org, b.Role, b.Key, t.c.ID
		return nil
	})
}

func (t *turn) declare(b Body, org mulu.OrgCode, digest string) (Result, error) {
	trusted := t.approver() || t.center(mulu.RoleSteward, mulu.RoleSystem)
	if !trusted && !t.officer(org) {
		return Result{}, t.denied("本单位数据专员、数据中心或主管部门", "the organisation's officer, the data centre or the bureau")
	}
	return write(t, b, func(v *SystemValue) error {
		if v.State != None && v.Org != org && !trusted {
			return refuse(Denied, "该对象属于其他单位", "it belongs to %s", v.Org)
		}
		v.Org, v.Digest = org, digest
		return nil
	})
}

func (t *turn) propose(b ProposeBody) (Result, error) {
	trusted := t.center(mulu.RoleSteward, mulu.RoleSystem)
	if !trusted && !t.officer(b.Provider) {
		return Result{}, t.denied("提供单位数据专员或数据中心", "the provider's officer or the data centre")
	}
	return write(t, b, func(v *EntryValue) error {
		if v.State != None && v.Provider != b.Provider && !trusted {
			return refuse(Denied, "该目录属于其他单位", "entry %s belongs to %s", b.Catalog, v.Provider)
		}
		if b.Version != v.Version+1 {
			return refuse(Mismatch, "版本号应为已发布版本加一", "version %d proposed, want %d", b.Version, v.Version+1)
		}
		if v.Version == 0 {
			v.Provider = b.Provider
		}
		v.Waiting = &WaitingValue{Proposer: t.c.Actor, Body: b}
		return nil
	})
}

func (t *turn) publish(b PublishBody) (Result, error) {
	if !t.approver() {
		return Result{}, t.denied("主管部门审批人", "an approver of the bureau")
	}
	return write(t, b, func(v *EntryValue) error {
		w := v.Waiting
		if w == nil {
			return refuse(Illegal, "没有待发布的版本", "no version of %s waits", b.Catalog)
		}
		p := w.Body
		switch {
		case w.Proposer == t.c.Actor:
			return refuse(Denied, "提交人不能发布自己提交的目录", "the proposer can not publish")
		case p.Version != b.Version || p.Digest != b.Digest:
			return refuse(Mismatch, "版本或摘要与提交的不一致", "version or digest differs from the proposed one")
		case p.Share == ShareNone && v.Grants > 0:
			return refuse(Illegal, "仍有生效授权,不能改为不予共享", "%d grants in force use %s", v.Grants, b.Catalog)
		}
		if err := t.alive(Duty, p.Duty, p.Provider, "职责"); err != nil {
			return err
		}
		if err := t.alive(System, p.System, "", "来源信息系统"); err != nil {
			return err
		}
		v.Version, v.Provider, v.Duty, v.System = p.Version, p.Provider, p.Duty, p.System
		v.Share, v.Level, v.Digest, v.Publisher, v.Waiting = p.Share, p.Level, p.Digest, t.c.Actor, nil
		return nil
	})
}

// alive checks that a system or duty is active and, unless owner is empty, the owner's.
func (t *turn) alive(o Object, id string, owner mulu.OrgCode, name string) error {
	v, err := load[SystemValue](t.s, o, id)
	switch {
	case err != nil:
		return err
	case v.State == None:
		return refuse(NotFound, name+"未上链", "%s is not on the chain", Key(o, id))
	case v.State != Active:
		return refuse(Illegal, name+"已停用", "%s is %s", Key(o, id), v.State)
	case owner != "" && v.Org != owner:
		return refuse(Mismatch, name+"不属于提供单位", "%s belongs to %s", Key(o, id), v.Org)
	}
	return nil
}

func (t *turn) retire(b RetireBody) (Result, error) {
	if !t.approver() {
		return Result{}, t.denied("主管部门审批人", "an approver of the bureau")
	}
	return write(t, b, func(v *EntryValue) error {
		if v.Grants > 0 {
			return refuse(Illegal, "仍有生效授权使用该目录,不能停用", "%d grants in force use %s", v.Grants, b.Catalog)
		}
		return nil
	})
}

func (t *turn) link(b LinkBody) (Result, error) {
	e, err := load[EntryValue](t.s, Entry, string(b.Catalog))
	if err != nil {
		return Result{}, err
	}
	switch {
	case e.State == None:
		return Result{}, refuse(NotFound, "目录未上链", "entry %s is not on the chain", b.Catalog)
	case !t.center(mulu.RoleSteward, mulu.RoleSystem, mulu.RoleOperator) && !t.officer(e.Provider):
		return Result{}, t.denied("提供单位数据专员或数据中心", "the provider's officer or the data centre")
	case e.State != Published && e.State != Changing:
		return Result{}, refuse(Illegal, "目录尚未发布", "entry %s is %s", b.Catalog, e.State)
	}
	return write(t, b, func(v *DatasetValue) error {
		if b.Version <= v.Version {
			return refuse(Mismatch, "数据集版本必须递增", "version %d, chain has %d", b.Version, v.Version)
		}
		v.Version, v.Catalog, v.Schema = b.Version, b.Catalog, b.Schema
		return nil
	})
}

// anchor writes a digest that only the house's own machines may write.
func anchor[T any, P interface {
	*T
	headed
}](t *turn, b Body, fill func(*T)) (Result, error) {
	if !t.center(mulu.RoleSystem, mulu.RoleOperator) {
		return Result{}, t.denied("数据中心系统", "the data centre's system")
	}
	return write[T, P](t, b, func(v *T) error { fill(v); return nil })
}
