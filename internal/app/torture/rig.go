package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/internal/broker"
	"mulu/internal/store"
	"mulu/library"
)

// rig is the machinery of the scenarios with several owners: a broker, an engine in
// a process of its own, one control store, and lanes that come and go.
type rig struct {
	o        Options
	out      *Outcome
	rng      *rand.Rand
	datasets []*mulu.Dataset
	group    string
	member   string // static id of the only lane there is at a time; "" where there are several
	session  time.Duration
	store    string
	url      string // of the engine

	broker  *broker.Supervisor // nil with an outside Kafka
	admin   *kadm.Client
	db      *store.DB
	journal *ingest.Journal
	engine  *proc
	lib     *library.Library
	sql     driver.Conn
	lanes   []*lane
	started int
	closers []func()
}

// lane is one owner of partitions.
type lane struct {
	*proc
	name   string
	status string
}

// Sizes of a rig: small batches, so that much can go wrong between many of them.
const (
	partitions  = 4
	rigRows     = 500
	rigLinger   = 200 * time.Millisecond
	rigRate     = 3000 // records a second and topic
	rigSession  = 6 * time.Second
	waitReady   = 60 * time.Second
	waitDrained = 3 * time.Minute
)

// newRig starts everything but the lanes. What it opened is closed again if it fails.
func newRig(ctx context.Context, o Options, out *Outcome, datasets int) (r *rig, err error) {
	r = &rig{o: o, out: out, rng: rand.New(rand.NewPCG(o.Seed, 2)), session: rigSession, member: "only", store: o.Store}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	name := fmt.Sprintf("torture-%s-%d-%x", out.Scenario, o.Seed, time.Now().UnixMicro())
	r.group = name
	for i := range datasets {
		r.datasets = append(r.datasets, dataset(fmt.Sprintf("t%d", i), fmt.Sprintf("%s-%d", name, i)))
	}
	if r.store == "" {
		r.store = "sqlite:" + filepath.Join(o.Dir, "control.db")
	}
	if err = r.openBroker(ctx); err != nil {
		return r, err
	}
	if r.db, err = store.Open(ctx, r.store); err != nil {
		return r, err
	}
	r.onClose(func() { r.db.Close() })
	if r.journal, err = ingest.NewJournal(ctx, r.db, time.Now); err != nil {
		return r, err
	}
	port, err := freePort()
	if err != nil {
		return r, err
	}
	r.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	if err = r.startEngine(ctx); err != nil {
		return r, err
	}
	r.onClose(func() { r.engine.stop(15 * time.Second) })
	if _, err = makeReady(ctx, r.lib, r.datasets); err != nil {
		return r, err
	}
	return r, r.makeTopics(ctx, nil)
}

// newFlow is a rig with one lane that reads and a producer that sends. Its lane and
// producer end with the rig.
func newFlow(ctx context.Context, o Options, out *Outcome) (*rig, *feed, error) {
	r, err := newRig(ctx, o, out, 1)
	if err != nil {
		return nil, nil, err
	}
	var f *feed
	if _, err = r.addLane(ctx); err == nil {
		f, err = r.feed(ctx, r.datasets[0].Topic, mixed(20_000))
	}
	if err != nil {
		r.close()
		return nil, nil, err
	}
	return r, f, nil
}

// dataset is what the lanes read: a key, a text that must be there, a number that
// grows with every record of the producer.
func dataset(code, topic string) *mulu.Dataset {
	return &mulu.Dataset{
		Code: mulu.DatasetCode(code), Title: "酷刑 torture", Version: 1, Library: "lib_torture", Topic: topic, Format: mulu.FormatJSON,
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true}, {Name: "name", Type: mulu.String, Required: true}, {Name: "n", Type: mulu.Int}},
		Key:     []string{"id"}, History: true,
		Rules: []mulu.Rule{{ID: "name.filled", Kind: "not_null", Columns: []string{"name"}, Blocking: true, Indicator: "020100"}},
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (r *rig) onClose(f func()) { r.closers = append(r.closers, f) }

// close ends everything in reverse order.
func (r *rig) close() {
	for _, l := range r.lanes {
		l.kill()
	}
	for _, f := range slices.Backward(r.closers) {
		f()
	}
}

func (r *rig) openBroker(ctx context.Context) error {
	var err error
	if r.broker, err = superviseBroker(ctx, r.o, r.onClose); err != nil {
		return err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.o.seeds()...), kgo.ClientID("torture-admin"),
		kgo.MetadataMinAge(50*time.Millisecond)) // a topic that was made again is seen at once
	if err != nil {
		return fmt.Errorf("open Kafka admin: %w", err)
	}
	r.onClose(cl.Close)
	r.admin = kadm.NewClient(cl)
	return nil
}

// retainMB is more than the longest run sends: what was retained away before it was
// read would be lost by the broker's rules, not by ours.
const retainMB = "16384"

// superviseBroker starts the embedded broker; nil where an outside one is used.
func superviseBroker(ctx context.Context, o Options, onClose func(func())) (*broker.Supervisor, error) {
	if len(o.Brokers) > 0 {
		reach, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		return nil, broker.Reach(reach, o.Brokers)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s, err := broker.Supervise(ctx, broker.Child{Exe: o.Exe, Args: []string{
		"broker", "--data", filepath.Join(o.Dir, "broker"), "--listen", o.Kafka, "--retain-mb", retainMB}, Addr: o.Kafka, Log: o.Log})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	onClose(func() { cancel(); s.Wait() })
	return s, nil
}

func (r *rig) makeTopics(ctx context.Context, configs map[string]string) error {
	specs := make([]broker.TopicSpec, len(r.datasets))
	for i, ds := range r.datasets {
		specs[i] = broker.TopicSpec{Name: ds.Topic, Partitions: partitions, Configs: configs}
	}
	return broker.EnsureTopics(ctx, r.o.seeds(), specs)
}

// startEngine starts the engine on the rig's address, or starts it again.
func (r *rig) startEngine(ctx context.Context) (err error) {
	r.engine, err = startEngine(r.o, filepath.Join(r.o.Dir, "engine"), r.url)
	if err != nil {
		return err
	}
	r.lib, r.sql, err = openEngine(ctx, r.engine, r.url)
	return err
}

func startEngine(o Options, dir, url string) (*proc, error) {
	return start(filepath.Join(o.Dir, "engine.log"), nil, o.Exe, "torture", "engine", "--dir", dir, "--listen", url[len("http://"):], "--lib", o.Lib)
}

// openEngine connects to an engine that is starting.
func openEngine(ctx context.Context, engine *proc, url string) (*library.Library, driver.Conn, error) {
	end := time.Now().Add(waitReady)
	for {
		lib, err := library.Open(ctx, library.Options{URL: url})
		if err == nil {
			opt, err := clickhouse.ParseDSN(url)
			if err != nil {
				return nil, nil, fmt.Errorf("parse engine address: %w", err)
			}
			opt.Protocol, opt.ReadTimeout = clickhouse.HTTP, 10*time.Minute
			conn, err := clickhouse.Open(opt)
			return lib, conn, err
		}
		if !engine.alive() {
			return nil, nil, fmt.Errorf("start engine: %w", engine.ended())
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return nil, nil, fmt.Errorf("engine did not answer: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// laneOption changes how a lane is started.
type laneOption func(spec *LaneSpec, env *[]string)

func crash(stage string, times int) laneOption {
	return func(_ *LaneSpec, env *[]string) { *env = append(*env, fmt.Sprintf("%s=%s:%d", EnvCrash, stage, times)) }
}

func without(guard string) laneOption {
	return func(s *LaneSpec, _ *[]string) { s.Guard = guard }
}

func through(engine string) laneOption {
	return func(s *LaneSpec, _ *[]string) { s.Engine = engine }
}

// startLane adds one owner. It does not wait until it is ready.
func (r *rig) startLane(opts ...laneOption) (*lane, error) {
	r.started++
	l := &lane{name: fmt.Sprintf("lane-%d", r.started)}
	l.status = filepath.Join(r.o.Dir, l.name+".json")
	spec := LaneSpec{
		Seeds: r.o.seeds(), Group: r.group, Instance: r.member, Store: r.store, Engine: r.url, Datasets: r.datasets,
		Rows: rigRows, Linger: rigLinger, Session: r.session, Status: l.status,
	}
	var env []string
	for _, opt := range opts {
		opt(&spec, &env)
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("encode lane: %w", err)
	}
	path := filepath.Join(r.o.Dir, l.name+".spec")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("write lane: %w", err)
	}
	if l.proc, err = start(filepath.Join(r.o.Dir, l.name+".log"), env, r.o.Exe, "torture", "lane", "--spec", path); err != nil {
		return nil, err
	}
	r.lanes = append(r.lanes, l)
	return l, nil
}

// ready waits until a lane reads, and notes how long it took. It returns false if the
// lane was killed before, which is what some are started for.
func (r *rig) ready(ctx context.Context, l *lane) (bool, error) {
	for end := l.began.Add(waitReady); ; {
		if st, ok := l.stands(); ok && st.PID == l.pid() {
			r.out.ready = append(r.out.ready, time.Since(l.began).Seconds())
			return true, nil
		}
		if !l.alive() {
			return false, wasKilledOr(l.proc)
		}
		if time.Now().After(end) {
			return false, fmt.Errorf("%s was not ready within %s: %s", l.name, waitReady, lastLine(l.log))
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return false, err
		}
	}
}

func wasKilledOr(p *proc) error {
	if err := wasKilled(p.err); err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(p.log))
	}
	return nil
}

// addLane starts a lane and waits until it reads.
func (r *rig) addLane(ctx context.Context, opts ...laneOption) (*lane, error) {
	l, err := r.startLane(opts...)
	if err != nil {
		return nil, err
	}
	_, err = r.ready(ctx, l)
	return l, err
}

// drop forgets a lane that has ended.
func (r *rig) drop(l *lane) {
	r.lanes = slices.DeleteFunc(r.lanes, func(o *lane) bool { return o == l })
}

// killed counts a kill -9 of a lane and forgets it.
func (r *rig) killed(l *lane, at string) {
	l.kill()
	r.drop(l)
	r.out.Kills++
	r.out.KilledAt[at]++
}

// stands reads the lane's status file.
func (l *lane) stands() (st LaneStatus, ok bool) {
	b, err := os.ReadFile(l.status)
	return st, err == nil && json.Unmarshal(b, &st) == nil
}

// owns counts the partitions that a lane reads.
func (l *lane) owns() int {
	st, _ := l.stands()
	n := 0
	for _, p := range st.Partitions {
		if p.Position >= 0 && !p.Stopped {
			n++
		}
	}
	return n
}

// next is how far a topic is stored, by partition.
func (r *rig) next(ctx context.Context, id mulu.TopicID) (map[int32]int64, error) {
	list, err := r.journal.Positions(ctx)
	if err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	for _, p := range list {
		if p.TopicID == id {
			out[p.Partition] = p.Next
		}
	}
	return out, nil
}

// drained waits until everything a topic holds now is stored.
func (r *rig) drained(ctx context.Context, topic string) error {
	ends, err := r.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("ask the broker for end offsets: %w", err)
	}
	if err := ends.Error(); err != nil {
		return fmt.Errorf("ask the broker for end offsets: %w", err)
	}
	id, err := r.topicID(ctx, topic)
	if err != nil {
		return err
	}
	for limit := time.Now().Add(waitDrained); ; {
		next, err := r.next(ctx, id)
		if err != nil {
			return err
		}
		var done, total int64
		ends.Each(func(e kadm.ListedOffset) {
			total += e.Offset
			done += max(0, min(next[e.Partition], e.Offset))
		})
		r.o.Progress("等待入库 / storing what was sent", done, total)
		if done >= total {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%d of %d offsets of %s were stored within %s; %s", done, total, topic, waitDrained, r.complaints())
		}
		for _, l := range r.lanes {
			if !l.alive() {
				return fmt.Errorf("%s: %w", l.name, l.ended())
			}
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// complaints are what the lanes say is wrong.
func (r *rig) complaints() string {
	var all []error
	for _, l := range r.lanes {
		st, _ := l.stands()
		for _, p := range st.Partitions {
			if p.Error != "" {
				all = append(all, fmt.Errorf("%s: %s/%d: %s", l.name, p.Topic, p.Partition, p.Error))
			}
		}
	}
	if len(all) == 0 {
		return "no lane complains"
	}
	return errors.Join(all...).Error()
}

func (r *rig) topicID(ctx context.Context, topic string) (mulu.TopicID, error) {
	details, err := r.admin.ListTopics(ctx, topic)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return mulu.TopicID{}, fmt.Errorf("ask the broker for topic %s: %w", topic, err)
	}
	return mulu.TopicID(details[topic].ID), nil
}

// until polls cond until it holds or the time is up.
func until(ctx context.Context, within time.Duration, what string, cond func() (bool, error)) error {
	for end := time.Now().Add(within); ; {
		ok, err := cond()
		if err != nil || ok {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %s in vain: %s", within, what)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
