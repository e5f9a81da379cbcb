package app

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	declared "mulu/deploy/sample"
	"mulu/internal/sample"
)

// SampleSeed makes every house's sample district the same, row by row.
const SampleSeed = 1

// sampleMark is written when the sample rows have been sent.
const sampleMark = "sample.json"

// people of the sample district. The four sign-ins of the journey come first.
var people = []struct {
	name, title, account string
	org                  mulu.OrgCode
	role                 mulu.Role
}{
	{"steward", "数据治理员 steward", "steward", "12310107MBQ000032E", mulu.RoleSteward},
	{"officer", "部门数据专员 department", "minzheng", "11310107MBQ0000674", mulu.RoleOfficer},
	{"approver", "主管部门审批人 approver", "approver", "11310107MBQ000024N", mulu.RoleApprover},
	{"street", "街道数据专员 street", "caoyang", "11310107MBQ000518E", mulu.RoleOfficer},
	{"system", "街道信息系统 street system", "caoyang-system", "11310107MBQ000518E", mulu.RoleSystem},
	{"operator", "运维 operator", "operator", "12310107MBQ000032E", mulu.RoleOperator},
	{"auditor", "审计员 auditor", "auditor", "11310107MBQ000016U", mulu.RoleAuditor},
	{"source", "部门信息系统 department system", "minzheng-system", "11310107MBQ0000674", mulu.RoleSystem},
}

// LoadSample loads the demonstration data that the configuration asks for, once:
// declarations, accounts, rows, scores, published entries. A crash anywhere leaves
// what is there, and the next start goes on; rows sent twice replace themselves.
func (a *App) LoadSample(ctx context.Context) error {
	if err := readJSON(a.cfg.Path(SignInsFileName), &a.signIns); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if a.cfg.Sample == "none" {
		return nil
	}
	if _, err := os.Stat(a.cfg.Path(sampleMark)); err == nil {
		return nil
	}
	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"装入演示区声明 / declarations", a.declareSample},
		{"建立演示账号 / accounts", a.samplePeople},
		{"发送演示数据 / sending rows", a.sendSample},
		{"", func(ctx context.Context) error { return a.drained(ctx, "演示数据入库 / storing rows") }},
		{"质量评分 / scoring", a.ScoreAll},
		{"目录发布与上链 / publishing entries", a.publishSample},
	} {
		if step.title != "" {
			a.opt.Progress(step.title, 0, 0)
		}
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(step.title), err)
		}
	}
	if err := writeJSON(a.cfg.Path(sampleMark), 0o600, map[string]any{"scale": a.cfg.Sample, "seed": SampleSeed, "loaded": time.Now().UTC()}); err != nil {
		return err
	}
	return a.writeRunFile()
}

func (a *App) declareSample(ctx context.Context) error {
	if _, err := a.Apply(ctx, a.machine, declared.FS); err != nil {
		return err
	}
	return a.relay.Flush(ctx)
}

// samplePeople makes the accounts. The passwords are drawn and kept in the sign-ins
// file before any account exists, so that a crash between leaves no account that
// nobody can open.
func (a *App) samplePeople(ctx context.Context) error {
	if len(a.signIns) < len(people) {
		for _, p := range people[len(a.signIns):] {
			org, err := a.catalog.Org(ctx, p.org)
			if err != nil {
				return err
			}
			in := SignIn{Name: p.name, Title: p.title, Org: org.Name, Account: p.account}
			if p.role != mulu.RoleSystem {
				in.Password = password()
			}
			a.signIns = append(a.signIns, in)
		}
		if err := writeJSON(a.cfg.Path(SignInsFileName), 0o600, a.signIns); err != nil {
			return err
		}
	}
	for i, p := range people {
		org, err := a.catalog.Org(ctx, p.org)
		if err != nil {
			return err
		}
		who := mulu.Actor{ID: p.account, Name: strings.Fields(p.title)[0] + "（演示）", Org: org, Role: p.role}
		if p.role == mulu.RoleSystem {
			err = a.sampleKey(ctx, who, &a.signIns[i])
		} else {
			err = a.auth.CreateAccount(ctx, who, a.signIns[i].Password)
		}
		if err != nil && !errors.Is(err, mulu.ErrConflict) {
			return err
		}
		if err := a.register(ctx, who); err != nil {
			return err
		}
	}
	return nil
}

// sampleKey gives a system a key. If a crash lost the first one before it
// was written down, another is issued.
func (a *App) sampleKey(ctx context.Context, who mulu.Actor, in *SignIn) error {
	if in.Key != "" {
		return nil
	}
	expires := time.Now().AddDate(1, 0, 0)
	key, err := a.auth.CreateKey(ctx, who, expires)
	if errors.Is(err, mulu.ErrConflict) {
		key, err = a.auth.IssueKey(ctx, who.ID, expires)
	}
	if err != nil {
		return err
	}
	in.Key = key
	return writeJSON(a.cfg.Path(SignInsFileName), 0o600, a.signIns)
}

// password has 80 random bits, in groups that can be read out.
func password() string {
	var b [10]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	s := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
}

// sendSample produces the synthetic district to its topics.
func (a *App) sendSample(ctx context.Context) error {
	scale := sample.Small
	if a.cfg.Sample == "full" {
		scale = sample.Full
	}
	topics := map[string]string{}
	datasets, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	for _, ds := range datasets {
		topics[string(ds.Code)] = ds.Topic
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(a.cfg.Seeds()...), kgo.ClientID("mulu-sample"), kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(50_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return fmt.Errorf("open producer: %w", err)
	}
	defer cl.Close()
	var sent atomic.Int64
	var failed atomic.Pointer[error]
	total := int64(41_352 + scale*2_860_000) // about all rows of the district
	_, err = sample.Generate(sample.Options{Seed: SampleSeed, Scale: scale, AsOf: time.Now()}, func(dataset string, key, value []byte) error {
		if err := failed.Load(); err != nil {
			return *err
		}
		cl.Produce(ctx, &kgo.Record{Topic: topics[dataset], Key: append([]byte(nil), key...), Value: append([]byte(nil), value...)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
			if n := sent.Add(1); n%2000 == 0 {
				a.opt.Progress("发送演示数据 / sending rows", n, max(total, n))
			}
		})
		return nil
	})
	if err != nil {
		return err
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("flush producer: %w", err)
	}
	if err := failed.Load(); err != nil {
		return fmt.Errorf("produce sample rows: %w", *err)
	}
	n := sent.Load()
	a.opt.Progress("发送演示数据 / sending rows", n, n)
	return nil
}

// publishSample publishes every proposed entry, as the bureau's approver would.
func (a *App) publishSample(ctx context.Context) error {
	if err := a.relay.Flush(ctx); err != nil {
		return err
	}
	approver, err := a.auth.Actor(ctx, "approver")
	if err != nil {
		return err
	}
	datasets, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	for _, ds := range datasets {
		if err := a.catalog.Publish(ctx, approver, ds.Catalog); err != nil && !errors.Is(err, mulu.ErrConflict) {
			return err
		}
	}
	a.wakeRelay()
	return a.relay.Flush(ctx)
}
