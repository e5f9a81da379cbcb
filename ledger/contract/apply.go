package contract

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"

	"mulu"
)

// Store is the chain's state as Apply sees it. Get returns nil for an absent key.
// Apply never reads a key after it has put it, so a store that shows only
// committed values (Fabric) behaves like one that shows puts at once.
type Store interface {
	Get(key string) ([]byte, error)
	Put(key string, value []byte) error
}

// Tx is what the chain adds to a command. Time is the chain's time in Unix
// microseconds: on Fabric the transaction's, in the embedded log the command's
// own, so that a replay needs nothing but the entries.
type Tx struct {
	Time int64
}

// Prepared is a command whose form has been checked and whose bytes have been
// made: what can be done before the command's turn, and in parallel.
type Prepared struct {
	Command Command
	Raw     []byte // canonical command: the chain's entry
	body    Body
	signing []byte
	good    string // a key the signature was found to be of, "" for none yet
}

// Prepare checks the form of a command. Its errors are *Refusal.
func Prepare(c Command) (*Prepared, error) {
	body, err := c.Check()
	if err != nil {
		return nil, err
	}
	raw, err := c.Canonical()
	if err != nil {
		return nil, refuse(Form, "命令格式不符", "command: %v", err)
	}
	p := &Prepared{Command: c, Raw: raw, body: body}
	// In canonical order only "v" stands behind "sig".
	const tail = `,"v":1}`
	if head, ok := bytes.CutSuffix(raw, []byte(`,"sig":"`+base64.StdEncoding.EncodeToString(c.Sig)+`"`+tail)); ok {
		p.signing = append(bytes.Clone(head), tail...)
	} else if p.signing, err = c.SigningBytes(); err != nil {
		return nil, refuse(Form, "命令格式不符", "command: %v", err)
	}
	return p, nil
}

// Verify checks the signature against a key beforehand; Apply does not repeat the
// work if the key is still the actor's then.
func (p *Prepared) Verify(keyText string) bool {
	if p.good != "" && p.good == keyText {
		return true
	}
	key, err := ParseKey(keyText)
	if err != nil || !ed25519.Verify(key, p.signing, p.Command.Sig) {
		return false
	}
	p.good = keyText
	return true
}

// Apply decides on one command. It puts nothing when it refuses (*Refusal); any
// other error comes from the store. The same command again gives the first
// result and puts nothing; another command under a used id is refused (EXISTS).
func Apply(s Store, tx Tx, c Command) (Result, error) {
	p, err := Prepare(c)
	if err != nil {
		return Result{}, err
	}
	return p.Apply(s, tx)
}

// Apply is the function Apply of the prepared command.
func (p *Prepared) Apply(s Store, tx Tx) (Result, error) {
	c, digest := p.Command, Digest(p.Raw)
	done, err := load[commandValue](s, "cmd", c.ID)
	switch {
	case err != nil:
		return Result{}, err
	case done.V != 0 && done.Digest == digest:
		return done.Result, nil
	case done.V != 0:
		return Result{}, refuse(Exists, "该命令编号已用于另一条命令", "command id %s was used for other bytes", c.ID)
	}
	chain, err := load[ChainValue](s, Chain, chainID)
	if err != nil {
		return Result{}, err
	}
	t := &turn{s: s, tx: tx, c: c, p: p, chain: chain}
	if err := t.authenticate(p.body); err != nil {
		return Result{}, err
	}
	res, err := t.decide(p.body)
	if err != nil {
		return Result{}, err
	}
	if err := put(s, CommandKey(c.ID), commandValue{V: valueVersion, Digest: digest, Result: res}); err != nil {
		return Result{}, err
	}
	return res, nil
}

const chainID = "root"

// turn is one command being decided.
type turn struct {
	s     Store
	tx    Tx
	c     Command
	p     *Prepared
	chain ChainValue
}

// authenticate checks that the signature is the registered actor's and that the
// actor still is who the command says: same organisation, same role.
func (t *turn) authenticate(body Body) error {
	if init, ok := body.(InitBody); ok && t.chain.State == None {
		if t.c.Actor != RootActor || t.c.Org != init.Bureau {
			return refuse(Denied, "目录链只能由根密钥初始化", "chain.init must come from actor %q of the bureau", RootActor)
		}
		return t.signed(init.Root)
	}
	if t.chain.State == None {
		return refuse(NotFound, "目录链尚未初始化", "the chain has not been initialised")
	}
	if t.c.Actor == RootActor {
		if t.c.Kind != ActorRegister && t.c.Kind != ChainInit {
			return refuse(Denied, "根密钥只能登记人员与系统", "the root key may only register actors")
		}
		if t.c.Org != t.chain.Bureau {
			return refuse(Denied, "根密钥属于主管部门", "the root key belongs to the bureau")
		}
		return t.signed(t.chain.Root)
	}
	actor, err := load[ActorValue](t.s, Actors, t.c.Actor)
	switch {
	case err != nil:
		return err
	case actor.State == None:
		return refuse(Denied, "签名人未在链上登记", "actor %s is not registered", t.c.Actor)
	case actor.State != Active:
		return refuse(Denied, "签名人的密钥已被撤销", "actor %s is revoked", t.c.Actor)
	case actor.Org != t.c.Org || actor.Role != t.c.Role:
		return refuse(Denied, "签名人的单位或角色与链上登记不符", "actor %s is registered as %s of %s", t.c.Actor, actor.Role, actor.Org)
	}
	return t.signed(actor.Key)
}

func (t *turn) signed(keyText string) error {
	if !t.p.Verify(keyText) {
		return refuse(Signature, "签名无效", "the signature is not that of actor %s", t.c.Actor)
	}
	return nil
}

// decide runs the guards of the command's kind and writes its object.
func (t *turn) decide(body Body) (Result, error) {
	switch b := body.(type) {
	case InitBody:
		return write(t, b, func(v *ChainValue) error { v.Root, v.Bureau, v.Center = b.Root, b.Bureau, b.Center; return nil })
	case ActorBody:
		return t.register(b)
	case SystemBody:
		return t.declare(b, b.Org, b.Digest)
	case DutyBody:
		return t.declare(b, b.Org, b.Digest)
	case ProposeBody:
		return t.propose(b)
	case PublishBody:
		return t.publish(b)
	case RetireBody:
		return t.retire(b)
	case LinkBody:
		return t.link(b)
	case BatchBody:
		return anchor(t, b, func(v *BatchValue) { v.Body = b })
	case QualityBody:
		return anchor(t, b, func(v *QualityValue) { v.Body = b })
	case ReceiptBody:
		return anchor(t, b, func(v *ReceiptsValue) { v.Body = b })
	case ScenarioBody:
		return t.file(b)
	case RequestBody:
		return t.request(b)
	case DecideBody:
		return t.judge(b)
	case ActivateBody:
		return t.activate(b)
	case SuspendBody:
		return t.suspend(b)
	case ResumeBody:
		return t.resume(b)
	case EndBody:
		return t.end(b)
	}
	return Result{}, refuse(Form, "未知的命令种类", "no rule for kind %q", t.c.Kind)
}

// write loads the object of body, moves it along the table, lets change run the
// guards and fill the value, and puts it.
func write[T any, P interface {
	*T
	headed
}](t *turn, body Body, change func(v *T) error) (Result, error) {
	o, id := body.On()
	v, err := load[T](t.s, o, id)
	if err != nil {
		return Result{}, err
	}
	h := P(&v).head()
	to, err := Next(o, h.State, body.Step())
	if err != nil {
		if h.State == None {
			return Result{}, refuse(NotFound, "链上没有该对象", "%s is not on the chain", Key(o, id))
		}
		return Result{}, err
	}
	// change sees the state before the step, so a guard may ask for it.
	if err := change(&v); err != nil {
		return Result{}, err
	}
	*h = Head{V: valueVersion, State: to, N: h.N + 1, At: t.tx.Time}
	if err := put(t.s, Key(o, id), v); err != nil {
		return Result{}, err
	}
	return Result{Object: o, ID: id, State: to, Version: h.N}, nil
}

// approver says whether the actor approves for the authority.
func (t *turn) approver() bool {
	return t.c.Role == mulu.RoleApprover && t.c.Org == t.chain.Bureau
}

// officer says whether the actor is a data officer of org.
func (t *turn) officer(org mulu.OrgCode) bool {
	return t.c.Role == mulu.RoleOfficer && t.c.Org == org
}

// center says whether the actor is of the data centre and has one of the roles.
func (t *turn) center(roles ...mulu.Role) bool {
	for _, r := range roles {
		if t.c.Role == r && t.c.Org == t.chain.Center {
			return true
		}
	}
	return false
}

func (t *turn) denied(who, detail string) error {
	return refuse(Denied, "只有"+who+"可以进行该操作", "%s is for %s only", t.c.Kind, detail)
}
