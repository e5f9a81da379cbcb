package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/app"
	"mulu/internal/config"
)

// roles a process can have. In this version one process has all of them.
var roles = []string{"api", "ingest", "worker"}

func newServe() *cobra.Command {
	var file string
	var role []string
	c := &cobra.Command{
		Use:   "serve",
		Short: "按配置文件运行 / run after a configuration file",
		Long: `按配置文件运行，日志写到标准错误。支持的形式：全部内嵌；或内嵌并改用外部 Kafka（broker.seeds）、
ClickHouse（engine.url）、PostgreSQL（store）。演示数据只在配置写明 sample 时装入。
本版本每个进程承担全部角色（api、ingest、worker）；把角色分到多个进程属于分布式形式，尚未提供，
因此 --role 只接受 all 或三者齐全。
Runs after a configuration file. Each process has all roles for now: --role takes "all" only.`,
		Example: "  mulu serve --config mulu.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkRoles(role); err != nil {
				return usageError{err}
			}
			base := config.Default()
			base.Sample = "none" // nobody gets invented people for want of a line
			cfg, err := config.LoadOver(base, file)
			if err != nil {
				return err
			}
			if err := cfg.Validate(); err != nil {
				return fmt.Errorf("配置 %s 有误 / configuration:\n%w", file, err)
			}
			return serve(c.Context(), c.OutOrStdout(), cfg)
		},
	}
	c.Flags().StringVar(&file, "config", "", "配置文件（YAML）/ configuration file")
	c.Flags().StringSliceVar(&role, "role", []string{"all"}, "角色；本版本只支持 all / roles; only all in this version")
	_ = c.MarkFlagRequired("config")
	return c
}

// checkRoles accepts "all", or every role by name.
func checkRoles(role []string) error {
	for _, r := range role {
		if r != "all" && !slices.Contains(roles, r) {
			return fmt.Errorf("--role %q 不认识；角色有 all、%s / unknown role", r, strings.Join(roles, "、"))
		}
	}
	if slices.Contains(role, "all") {
		return nil
	}
	for _, r := range roles {
		if !slices.Contains(role, r) {
			return fmt.Errorf("本版本每个进程承担全部角色，不能只运行 %s；请去掉 --role / roles over several processes are not in this version", strings.Join(role, ","))
		}
	}
	return nil
}

func serve(ctx context.Context, out io.Writer, cfg config.Config) error {
	log, closeLog, err := openLog(cfg, true)
	if err != nil {
		return err
	}
	defer closeLog()
	a, err := app.Start(ctx, cfg, app.Options{Log: log, Progress: newProgress(os.Stderr), Version: version})
	if err != nil {
		return stopped(ctx, err)
	}
	defer a.Close()
	if err := a.LoadSample(ctx); err != nil {
		return stopped(ctx, err)
	}
	fmt.Fprintf(out, "就绪 %s，Kafka %v / ready\n", a.URL(), a.Seeds())
	return a.Wait(ctx)
}
