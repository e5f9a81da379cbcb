package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/app"
	"mulu/internal/config"
)

// demoStep is one verified step of the journey.
type demoStep struct {
	Name    string         `json:"name"`
	OK      bool           `json:"ok"`
	Figures map[string]any `json:"figures"`
	Error   string         `json:"error,omitempty"`
	title   string
}

// demoReport is what `mulu demo --json` prints.
type demoReport struct {
	OK     bool       `json:"ok"`
	Steps  []demoStep `json:"steps"`
	Proofs []string   `json:"proofs"`
}

func newDemo() *cobra.Command {
	var place placeFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "无人值守走完全程，逐步核验 / the whole journey once on fresh data, each step verified",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runDemo(c.Context(), c.OutOrStdout(), place, asJSON)
		},
	}
	place.add(c, "")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func runDemo(ctx context.Context, out io.Writer, place placeFlags, asJSON bool) error {
	kept := place.data != ""
	if !kept {
		dir, err := os.MkdirTemp("", "mulu-demo-")
		if err != nil {
			return fmt.Errorf("make data directory: %w", err)
		}
		place.data = dir
	} else if entries, err := os.ReadDir(place.data); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s 不是空目录：演示要从新数据开始，请换一个 --data / the demo starts on fresh data, name an empty directory", place.data)
	}
	cfg := place.config("small")
	cfg.Ledger.AnchorEvery = time.Second
	j := &journey{ctx: ctx, cfg: cfg, verbose: place.verbose, report: demoReport{OK: true, Proofs: []string{}}}
	j.progress = newProgress(os.Stderr)
	j.run(func(s demoStep) {
		if !asJSON {
			printStep(out, s)
		}
	})
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(j.report); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "\n存证证明 / proofs:\n")
		for _, p := range j.report.Proofs {
			fmt.Fprintf(out, "  %s\n", p)
		}
	}
	if !j.report.OK {
		return fmt.Errorf("演示未全部通过，现场在 %s / not every step held, kept at %s", place.data, place.data)
	}
	return nil
}

func printStep(out io.Writer, s demoStep) {
	mark := "✓"
	if !s.OK {
		mark = "✗"
	}
	b, _ := json.Marshal(s.Figures)
	fmt.Fprintf(out, "%s %s %s\n", mark, s.title, b)
	if s.Error != "" {
		fmt.Fprintf(out, "    %s\n", s.Error)
	}
}

// journey walks a fresh house from the first record to the last proof, as its users
// would: over HTTP, each as who they are.
type journey struct {
	ctx      context.Context
	cfg      config.Config
	verbose  bool
	progress app.Progress
	report   demoReport

	app                               *app.App
	stopLog                           func()
	steward, street, approver, system *client
	grant                             string // the first community's
	receipt                           string
	rows                              int64
	totals                            map[string]int64
}

// run makes the steps in order and stops at the first that fails.
func (j *journey) run(tell func(demoStep)) {
	defer j.stop()
	for _, s := range []struct {
		name, title string
		do          func(figures map[string]any) error
	}{
		{"start", "启动全部组件 / start", j.start},
		{"load", "归集：区划表与演示区 / real input", j.load},
		{"equation", "对账等式 / nothing lost", j.equation},
		{"rejects", "问题数据与标注一致 / rejects equal the labels", j.rejects},
		{"score", "质量评分 / scores", j.scores},
		{"catalog", "目录发布并上链 / entries on the chain", j.entries},
		{"request", "街道提出共享申请 / a street applies", j.request},
		{"decide", "主管部门同意，授权上链 / approved and anchored", j.decide},
		{"pull", "街道系统取数 / the street's system pulls", j.pull},
		{"denied", "越权被拒 / what is not granted is refused", j.denied},
		{"proofs", "存证证明离线核验，改一字节即失败 / proofs", j.proofs},
		{"revoke", "终止授权，下一次即拒 / revocation holds at once", j.revoke},
		{"restart", "重新启动，数据仍在 / a second start finds the data", j.restart},
	} {
		figures := map[string]any{}
		begin := time.Now()
		err := s.do(figures)
		figures["seconds"] = float64(time.Since(begin).Milliseconds()) / 1000
		step := demoStep{Name: s.name, title: s.title, OK: err == nil, Figures: figures}
		if err != nil {
			step.Error = err.Error()
			j.report.OK = false
		}
		j.report.Steps = append(j.report.Steps, step)
		tell(step)
		if err != nil {
			return
		}
	}
}

func (j *journey) start(f map[string]any) error {
	if err := j.open(); err != nil {
		return err
	}
	f["url"] = j.app.URL()
	return nil
}

// open starts the house; the engine can only be started again once it has stopped.
func (j *journey) open() error {
	log, closeLog, err := openLog(j.cfg, j.verbose)
	if err != nil {
		return err
	}
	a, err := app.Start(j.ctx, j.cfg, app.Options{Log: log, Progress: j.progress, Version: version})
	if err != nil {
		closeLog()
		return err
	}
	j.app, j.stopLog = a, closeLog
	return nil
}

func (j *journey) stop() {
	if j.app != nil {
		j.app.Close()
		j.stopLog()
		j.app = nil
	}
}

// signIn opens one client per person of the journey.
func (j *journey) signIn() error {
	f := clientFlags{data: j.cfg.Data}
	var errs []error
	for as, c := range map[string]**client{"steward": &j.steward, "street": &j.street, "approver": &j.approver, "system": &j.system} {
		var err error
		*c, err = f.dial(j.ctx, as)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// until asks again every 100 ms until ok says yes, for at most 30 s.
func (j *journey) until(what string, ok func() (bool, error)) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s：30 秒内没有发生 / did not happen within 30 s", what)
		}
		select {
		case <-j.ctx.Done():
			return j.ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// keep writes one proof below the data directory.
func (j *journey) keep(name string, bundle []byte) (string, error) {
	dir := j.cfg.Path("proofs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make proofs directory: %w", err)
	}
	path := filepath.Join(dir, name+".json")
	if err := os.WriteFile(path, bundle, 0o600); err != nil {
		return "", fmt.Errorf("write proof: %w", err)
	}
	j.report.Proofs = append(j.report.Proofs, path)
	return path, nil
}
