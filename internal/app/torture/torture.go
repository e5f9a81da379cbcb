// Package torture does to mulu what a bad year would do to it (kills, frozen
// owners, broken brokers, full disks, poison) while a producer keeps sending, and in
// the end counts from the rows themselves: every acknowledged record is in the
// library or among the problem rows, once, and nowhere twice.
//
// Two kinds of victim. Scenarios about a whole house (kills, rename, disk-full) run
// `mulu torture worker`, a mulu without sample rows. Scenarios about several owners
// of one library run `mulu torture lane`, the way in alone, many of them over one
// control store and one engine served by `mulu torture engine`.
package torture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	declared "mulu/deploy/sample"
	"mulu/internal/app"
)

// Declarations are the sample district's, so that the rows under torture have real
// rules to pass. Residents may come as files, too.
func Declarations() fs.FS { return withFolder{declared.FS} }

// Options of a run.
type Options struct {
	Scenarios []string // names, see Names; empty is "kills"
	Dir       string   // empty working directory
	Exe       string   // the mulu binary
	Kills     int      // of the scenario "kills"
	Rounds    int      // how often the other scenarios do what they do; 0 is 2
	Seed      uint64
	Listen    string // address of the console of the mulu under torture
	Kafka     string // address of the embedded broker, if Brokers is empty
	Lib       string // libchdb.so, "" looks in the usual places
	// Brokers are the addresses of an outside Kafka. BrokerKill and BrokerStart are
	// shell commands that kill one of its nodes with SIGKILL and start it again.
	Brokers                 []string
	BrokerKill, BrokerStart string
	Store                   string // control store that the lanes share, "" is a SQLite file
	// Strace is the program that kills at the engine's renames, "" for none: between
	// writing a part and naming it there is a tenth of a millisecond that kills by
	// time do not hit.
	Strace   string
	Log      *slog.Logger
	Progress app.Progress
}

// seeds are the brokers that clients dial.
func (o Options) seeds() []string {
	if len(o.Brokers) > 0 {
		return o.Brokers
	}
	return []string{o.Kafka}
}

// Scenario is one way to be cruel.
type Scenario struct {
	Name  string
	Title string // what is done, Chinese and English
	run   func(ctx context.Context, o Options, out *Outcome) error
	// expected says that the counts show what the scenario broke on purpose: they are
	// kept out of the totals.
	expected bool
}

// Scenarios are all there are, in the order "all" runs them.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "kills", Title: "整机反复 kill -9（随机时刻与各阶段之后） / kill -9 of a whole mulu, at random and after each stage", run: kills},
		{Name: "rename", Title: "恰在引擎为数据块改名时 kill -9 / kill -9 at the engine's rename of a part", run: renames},
		{Name: "freeze", Title: "冻结持有者直至他人接管，再解冻 / owner frozen past its session, taken over, thawed", run: freeze},
		{Name: "rebalance", Title: "成员不断加入、退出、被杀 / members join, leave and are killed all the time", run: rebalance},
		{Name: "broker", Title: "kill -9 并重启 Kafka 节点 / kill -9 and restart of a broker", run: brokerKills},
		{Name: "aborted", Title: "事务提交与中止交错，读取者被杀 / transactions committed and aborted, readers killed", run: aborted},
		{Name: "recreated", Title: "主题被删除重建，经人确认后继续 / topic deleted and made again, resumed after a person's word", run: recreated},
		{Name: "engine-full", Title: "引擎拒绝写入，随后被杀并恢复 / engine refuses inserts, is then killed, and comes back", run: engineFull},
		{Name: "disk-full", Title: "数据盘写满，释放后继续 / data disk full, then freed", run: diskFull},
		{Name: "poison", Title: "毒记录逐条归类，其余照常 / poison records, each a problem row of its class", run: poison},
		{Name: "updates", Title: "同一批键反复更新，其间被杀 / the same keys over and over across batches and kills", run: updates},
		{Name: "files", Title: "文件投递与发送途中 kill -9 / kill -9 while dropped files are taken and sent", run: files},
		{Name: "control", Title: "关掉一道防线，检查必须报错 / with a guard off the count must find it", run: control, expected: true},
	}
}

// Names of the scenarios, for messages.
func Names() []string {
	var names []string
	for _, s := range Scenarios() {
		names = append(names, s.Name)
	}
	return names
}

// Choose turns "all", a name or names with commas between into scenarios.
func Choose(list string) ([]string, error) {
	if list == "all" {
		return Names(), nil
	}
	names := strings.Split(list, ",")
	for _, n := range names {
		if !slices.Contains(Names(), n) {
			return nil, fmt.Errorf("没有情景 %q，可选 all 或 %s / no such scenario", n, strings.Join(Names(), "、"))
		}
	}
	return names, nil
}

// notRun says why a scenario can not be run here.
type notRun string

func (n notRun) Error() string { return string(n) }

// Run runs the chosen scenarios one after the other. An error is one of the
// machinery; a broken promise is in the result.
func Run(ctx context.Context, o Options) (*Result, error) {
	if len(o.Scenarios) == 0 {
		o.Scenarios = []string{"kills"}
	}
	if o.Rounds == 0 {
		o.Rounds = 2
	}
	res := &Result{Seed: o.Seed, KilledAt: map[string]int{}}
	var ready []float64
	for _, s := range Scenarios() {
		if !slices.Contains(o.Scenarios, s.Name) {
			continue
		}
		out, err := runOne(ctx, o, s)
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
		}
		ready = append(ready, out.ready...)
		res.add(out, s.expected)
	}
	slices.Sort(ready)
	res.ReadyP50, res.ReadyP99 = quantile(ready, 0.5), quantile(ready, 0.99)
	return res, nil
}

func runOne(ctx context.Context, o Options, s Scenario) (*Outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &Outcome{Scenario: s.Name, Title: s.Title, Verdict: Passed, Figures: map[string]int64{}, KilledAt: map[string]int{}}
	o.Dir = filepath.Join(o.Dir, s.Name)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make working directory: %w", err)
	}
	tell := o.Progress
	o.Progress = func(stage string, done, total int64) { tell(s.Name+"："+stage, done, total) }
	begin := time.Now()
	err := s.run(ctx, o, out)
	out.Seconds = time.Since(begin).Seconds()
	var why notRun
	switch {
	case errors.As(err, &why):
		out.Verdict, out.Why = NotRun, string(why)
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		out.fail("%v", err)
	}
	if out.Verdict != Failed { // a failure is kept for inspection
		if err := os.RemoveAll(o.Dir); err != nil {
			return nil, fmt.Errorf("remove working directory: %w", err)
		}
	}
	slices.Sort(out.ready)
	out.ReadyP50, out.ReadyP99 = quantile(out.ready, 0.5), quantile(out.ready, 0.99)
	return out, nil
}

// quantile of sorted values; 0 without any.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return v[min(len(v)-1, int(float64(len(v))*q))]
}
