package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mulu/internal/app"
	"mulu/internal/config"
)

// placeFlags say where an embedded mulu lives and listens.
type placeFlags struct {
	data, listen, kafka, engine, lib, store string
	brokers                                 []string
	verbose                                 bool
}

// add takes the default data directory; without one the command runs on fresh data,
// and so as not to meet a mulu that runs already, on free ports.
func (f *placeFlags) add(c *cobra.Command, data string) {
	listen, kafka := "127.0.0.1:8480", "127.0.0.1:19092"
	if data == "" {
		listen, kafka = "127.0.0.1:0", "127.0.0.1:0"
	}
	c.Flags().StringVar(&f.data, "data", data, "数据目录 / data directory")
	c.Flags().StringVar(&f.listen, "listen", listen, "控制台与接口地址，端口 0 取空闲端口 / address of console and API")
	c.Flags().StringVar(&f.kafka, "kafka", kafka, "内嵌试用 Kafka 的地址，端口 0 取空闲端口 / address of the embedded trial broker")
	c.Flags().StringSliceVar(&f.brokers, "brokers", nil, "改用外部 Kafka / an outside Kafka instead (host:port,…)")
	c.Flags().StringVar(&f.engine, "engine", "", "改用外部 ClickHouse（http://…）/ an outside ClickHouse instead")
	c.Flags().StringVar(&f.store, "store", "", "改用 PostgreSQL 控制库（postgres://…）/ a PostgreSQL control store instead")
	c.Flags().StringVar(&f.lib, "lib", "", "libchdb.so 的路径 / path of libchdb.so")
	c.Flags().BoolVar(&f.verbose, "verbose", false, "打印运行日志 / print the running log")
}

func (f *placeFlags) config(sample string) config.Config {
	c := config.Default()
	c.Data, c.Listen, c.Sample = f.data, f.listen, sample
	c.Broker.Listen, c.Broker.Seeds = f.kafka, f.brokers
	c.Engine.URL, c.Engine.Library = f.engine, f.lib
	c.Store = f.store
	return c
}

func newUp() *cobra.Command {
	var place placeFlags
	var sample string
	c := &cobra.Command{
		Use:   "up",
		Short: "一次启动全部组件（内嵌形式）/ start everything embedded",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return up(c.Context(), c.OutOrStdout(), place.config(sample), place.verbose)
		},
	}
	place.add(c, "mulu-data")
	c.Flags().StringVar(&sample, "sample", "small", "首次启动装入的演示数据 small|full|none / demonstration data of the first start")
	return c
}

func up(ctx context.Context, out io.Writer, cfg config.Config, verbose bool) error {
	log, closeLog, err := openLog(cfg, verbose)
	if err != nil {
		return err
	}
	defer closeLog()
	begin := time.Now()
	a, err := app.Start(ctx, cfg, app.Options{Log: log, Progress: newProgress(os.Stderr), Version: version})
	if err != nil {
		return stopped(ctx, err)
	}
	defer a.Close()
	fmt.Fprintf(out, "就绪，用时 %.1f 秒 / ready in %.1f s\n", time.Since(begin).Seconds(), time.Since(begin).Seconds())
	if err := a.LoadSample(ctx); err != nil {
		return stopped(ctx, err)
	}
	printWelcome(out, cfg, a)
	err = a.Wait(ctx)
	fmt.Fprintln(out, "\n正在停止 / stopping …")
	return err
}

// stopped turns an error that only says "you pressed Ctrl-C" into none.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func printWelcome(out io.Writer, cfg config.Config, a *app.App) {
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		data = cfg.Data
	}
	place := newFields()
	place.add("  控制台 console", a.URL())
	place.add("  Kafka", strings.Join(a.Seeds(), ","))
	place.add("  数据目录 data", data)
	place.add("  核验公钥 log key", filepath.Join(data, "chain", "log.key.pub"))
	fmt.Fprintln(out)
	place.write(out)
	if ins := a.SignIns(); len(ins) > 0 {
		fmt.Fprintf(out, "\n  演示数据：以下账号与数据均为虚构 / demonstration data, all of it invented\n\n")
		t := newTable("", "", "", "", "")
		t.rows = t.rows[1:]
		for _, s := range ins {
			if s.Key != "" {
				t.add("  "+s.Title, s.Org, "密钥 key", s.Key)
				continue
			}
			t.add("  "+s.Title, s.Org, "账号 "+s.Account, "口令 "+s.Password)
		}
		t.write(out)
	}
	fmt.Fprintf(out, "\n  按 Ctrl-C 停止 / Ctrl-C stops\n")
}

// openLog writes the running log below the data directory, and on standard error
// too when asked.
func openLog(cfg config.Config, verbose bool) (*slog.Logger, func(), error) {
	if err := cfg.Validate(); err != nil { // before anything is made
		return nil, nil, fmt.Errorf("配置有误 / configuration:\n%w", err)
	}
	if err := os.MkdirAll(cfg.Path("log"), 0o700); err != nil {
		return nil, nil, fmt.Errorf("数据目录 %s 无法写入（请检查路径和权限，或用 --data 指定另一个目录）/ data directory can not be written: %w", cfg.Data, err)
	}
	f, err := os.OpenFile(cfg.Path("log", "mulu.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("数据目录 %s 无法写入（请检查权限，或用 --data 指定另一个目录）/ data directory can not be written: %w", cfg.Data, err)
	}
	var w io.Writer = f
	if verbose {
		w = io.MultiWriter(f, os.Stderr)
	}
	return slog.New(slog.NewTextHandler(w, nil)), func() { f.Close() }, nil
}

// newProgress draws one bar per stage on a terminal, and one line per stage elsewhere.
func newProgress(w *os.File) app.Progress {
	var mu sync.Mutex
	var stage string
	var bar *progressbar.ProgressBar
	tty := term.IsTerminal(int(w.Fd()))
	return func(name string, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if name != stage {
			if bar != nil {
				_ = bar.Finish()
				fmt.Fprintln(w)
			}
			stage, bar = name, nil
			if tty && total > 0 {
				bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(name),
					progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond))
			} else {
				fmt.Fprintf(w, "· %s\n", name)
			}
		}
		if bar != nil {
			_ = bar.Set64(min(done, total))
			if done >= total {
				_ = bar.Finish()
				fmt.Fprintln(w)
				bar = nil
			}
		}
	}
}
