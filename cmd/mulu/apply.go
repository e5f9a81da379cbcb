package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"

	"github.com/spf13/cobra"

	"mulu/catalog"
	"mulu/internal/app"
	"mulu/internal/config"
	"mulu/internal/declare"
)

func newApply() *cobra.Command {
	var place placeFlags
	var client clientFlags
	var dir, file string
	var dryRun, asJSON bool
	c := &cobra.Command{
		Use:   "apply",
		Short: "装入声明 / apply declarations",
		Long: `先在本地检查目录中的全部 .yaml 声明，逐条列出错误及其文件与行号；无误后装入，并列出变动：
  + 新增   ~ 修改   / 关联目录   = 未变
mulu 正在运行时经接口装入（运维账号），数据集的新版本从各分区当时的末端起生效；否则直接装入数据目录。
--dry-run 只列出变动，不改任何东西。
Checks all declarations, then applies them, to the running mulu or to a stopped data directory.`,
		Example: "  mulu apply -f deploy/sample --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg := place.config("none")
			if file != "" {
				var err error
				if cfg, err = config.LoadOver(cfg, file); err != nil {
					return err
				}
				cfg.Sample = "none" // apply brings declarations and nothing else
			}
			diff, err := apply(c.Context(), cfg, &client, dir, dryRun, place.verbose)
			if err != nil {
				return faultsIn(dir, err)
			}
			if asJSON {
				return printChangesJSON(c.OutOrStdout(), diff, dryRun)
			}
			printChanges(c.OutOrStdout(), diff, dryRun)
			return nil
		},
	}
	place.add(c, "mulu-data")
	c.Flags().StringVar(&client.user, "user", "", "装入运行中的 mulu 所用的运维账号，口令取自环境变量 MULU_PASSWORD / operator's account")
	c.Flags().StringVarP(&dir, "file", "f", "", "声明所在目录 / directory of declarations")
	c.Flags().StringVar(&file, "config", "", "数据目录的配置文件 / configuration file of the house")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "只列出变动 / only list what would change")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	_ = c.MarkFlagRequired("file")
	return c
}

// apply checks first and touches the data directory only when nothing is wrong with
// the files. Faults that the files alone show may be references to what the house
// knows already, so an existing house has the last word on them.
func apply(ctx context.Context, cfg config.Config, f *clientFlags, dir string, dryRun, verbose bool) (catalog.Diff, error) {
	if st, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("打开声明目录 / open declarations: %w", err)
	} else if !st.IsDir() {
		return nil, fmt.Errorf("-f %s 不是目录；请指定声明所在的目录 / not a directory", dir)
	}
	files := os.DirFS(dir)
	alone := app.CheckFiles(files)
	var faults declare.Faults
	if alone != nil && !errors.As(alone, &faults) {
		return nil, alone
	}
	pid, err := app.Holder(cfg.Data)
	if err != nil {
		return nil, err
	}
	if alone != nil && pid == "" && fresh(cfg) {
		return nil, alone
	}
	if pid != "" {
		f.data = cfg.Data
		diff, err := applyRunning(ctx, f, files, dryRun)
		if err != nil {
			return nil, fmt.Errorf("数据目录 %s 由进程 %s 使用，经接口装入 / apply to the running mulu: %w", cfg.Data, pid, err)
		}
		return diff, nil
	}
	// The preview is the check against the house; it needs neither engine nor broker.
	diff, err := app.Preview(ctx, cfg, slog.New(slog.DiscardHandler), files)
	if err != nil || dryRun {
		return diff, err
	}
	return applyStopped(ctx, cfg, files, verbose)
}

// applyRunning sends the declarations to the mulu that runs there.
func applyRunning(ctx context.Context, f *clientFlags, files fs.FS, dryRun bool) (catalog.Diff, error) {
	type file struct {
		Name    string `json:"name"`
		Content string `json:"content"`
	}
	in := struct {
		DryRun bool   `json:"dry_run"`
		Files  []file `json:"files"`
	}{DryRun: dryRun}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if ext := path.Ext(name); err != nil || d.IsDir() || ext != ".yaml" && ext != ".yml" {
			return err
		}
		b, err := fs.ReadFile(files, name)
		in.Files = append(in.Files, file{name, string(b)})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read declarations: %w", err)
	}
	cl, err := f.dial(ctx, "operator")
	if err != nil {
		return nil, err
	}
	var changes []change
	if err := cl.post(ctx, "/v1/declarations", in, &changes); err != nil {
		return nil, err
	}
	diff := make(catalog.Diff, len(changes))
	for i, ch := range changes {
		diff[i] = catalog.Change{Action: ch.Action, Kind: ch.Kind, ID: ch.ID, Name: ch.Name, Note: ch.Note}
	}
	return diff, nil
}

// fresh says that there is no house yet whose objects declarations could name.
func fresh(cfg config.Config) bool {
	_, err := os.Stat(cfg.Path("control.db"))
	return cfg.Store == "" && errors.Is(err, fs.ErrNotExist)
}

// applyStopped opens the whole house for as long as it takes: tables and topics are
// made with the catalogue's entries.
func applyStopped(ctx context.Context, cfg config.Config, files fs.FS, verbose bool) (catalog.Diff, error) {
	log, closeLog, err := openLog(cfg, verbose)
	if err != nil {
		return nil, err
	}
	defer closeLog()
	cfg.Listen = "127.0.0.1:0" // nobody is meant to find this one
	a, err := app.Start(ctx, cfg, app.Options{Log: log, Version: version})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return a.ApplyOwn(ctx, files)
}

// faultsIn names the directory that the file names in a fault are relative to.
func faultsIn(dir string, err error) error {
	var faults declare.Faults
	if errors.As(err, &faults) {
		return fmt.Errorf("%s 中的%w", dir, faults)
	}
	return err
}

// signs of the actions of a diff.
var signs = map[catalog.Action]string{catalog.Add: "+", catalog.Amend: "~", catalog.Linked: "/", catalog.Same: "="}

func printChanges(out io.Writer, diff catalog.Diff, dryRun bool) {
	t := newTable("", "种类", "编号", "名称", "说明")
	for _, ch := range diff {
		t.add(signs[ch.Action], ch.Kind, ch.ID, ch.Name, ch.Note)
	}
	t.rows = t.rows[1:]
	t.write(out)
	n := diff.Changed()
	switch {
	case n == 0:
		fmt.Fprintf(out, "\n没有变动（共 %d 项）/ nothing changes\n", len(diff))
	case dryRun:
		fmt.Fprintf(out, "\n将变动 %d 项（共 %d 项），未作任何改动 / dry run, nothing was changed\n", n, len(diff))
	default:
		fmt.Fprintf(out, "\n已装入，变动 %d 项（共 %d 项）/ applied\n", n, len(diff))
	}
}

// change is one change as JSON.
type change struct {
	Action catalog.Action `json:"action"`
	Kind   string         `json:"kind"`
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	Note   string         `json:"note"`
}

func printChangesJSON(out io.Writer, diff catalog.Diff, dryRun bool) error {
	changes := make([]change, len(diff))
	for i, ch := range diff {
		changes[i] = change{ch.Action, ch.Kind, ch.ID, ch.Name, ch.Note}
	}
	return printValue(out, map[string]any{"dry_run": dryRun, "changed": diff.Changed(), "changes": changes})
}
