package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mulu"
	"mulu/internal/app"
	"mulu/internal/config"
)

// personRoles are the roles a person may have, as they are typed.
var personRoles = []mulu.Role{mulu.RoleSteward, mulu.RoleOfficer, mulu.RoleApprover, mulu.RoleOperator, mulu.RoleAuditor}

func newAccount() *cobra.Command {
	var data, file string
	c := &cobra.Command{
		Use:   "account",
		Short: "账号与系统密钥 / accounts and system keys",
		Long: `在停止状态的数据目录上建立账号和信息系统；单位须先用 mulu apply 声明。
Makes accounts and systems in a stopped data directory; the organisation must be declared first.`,
	}
	c.PersistentFlags().StringVar(&data, "data", "mulu-data", "数据目录 / data directory")
	c.PersistentFlags().StringVar(&file, "config", "", "配置文件 / configuration file")
	open := func(ctx context.Context) (*app.App, func(), error) {
		cfg := config.Default()
		cfg.Data = data
		if file != "" {
			var err error
			if cfg, err = config.LoadOver(cfg, file); err != nil {
				return nil, nil, err
			}
		}
		log, closeLog, err := openLog(cfg, false)
		if err != nil {
			return nil, nil, err
		}
		a, err := app.OpenAccounts(ctx, cfg, log)
		if err != nil {
			closeLog()
			return nil, nil, err
		}
		return a, func() { a.Close(); closeLog() }, nil
	}
	c.AddCommand(newAccountAdd(open), newAccountSystem(open), newAccountList(open))
	return c
}

type openAccounts = func(context.Context) (*app.App, func(), error)

func newAccountAdd(open openAccounts) *cobra.Command {
	var org, role, title string
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "建立账号 / add an account",
		Long:  "口令取自环境变量 MULU_PASSWORD，没有时在终端输入。\nThe password comes from MULU_PASSWORD, or is asked for on a terminal.",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(personRoles, mulu.Role(role)) {
				return usageError{fmt.Errorf("--role %q 应为 %v 之一 / want one of them", role, personRoles)}
			}
			password, err := askPassword()
			if err != nil {
				return err
			}
			a, done, err := open(c.Context())
			if err != nil {
				return err
			}
			defer done()
			who := mulu.Actor{ID: args[0], Name: title, Org: mulu.Org{Code: mulu.OrgCode(org)}, Role: mulu.Role(role)}
			if who.Name == "" {
				who.Name = who.ID
			}
			if err := a.AddAccount(c.Context(), who, password); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "已建立账号 %s（%s，%s），签名公钥已上链 / account added, its key is on the chain\n", who.ID, role, org)
			return nil
		},
	}
	c.Flags().StringVar(&org, "org", "", "单位的统一社会信用代码 / organisation code")
	c.Flags().StringVar(&role, "role", "", fmt.Sprintf("角色 / role %v", personRoles))
	c.Flags().StringVar(&title, "title", "", "显示名称 / display name")
	_ = c.MarkFlagRequired("org")
	_ = c.MarkFlagRequired("role")
	return c
}

func newAccountSystem(open openAccounts) *cobra.Command {
	var org, title string
	var days int
	c := &cobra.Command{
		Use:   "system ID",
		Short: "登记信息系统并给出密钥（只显示一次）/ add a system and show its key once",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, done, err := open(c.Context())
			if err != nil {
				return err
			}
			defer done()
			key, err := a.AddSystem(c.Context(), mulu.Actor{ID: args[0], Name: title, Org: mulu.Org{Code: mulu.OrgCode(org)}}, time.Now().AddDate(0, 0, days))
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), key)
			return nil
		},
	}
	c.Flags().StringVar(&org, "org", "", "单位的统一社会信用代码 / organisation code")
	c.Flags().StringVar(&title, "title", "", "显示名称 / display name")
	c.Flags().IntVar(&days, "days", 365, "有效天数 / days the key is valid")
	_ = c.MarkFlagRequired("org")
	return c
}

func newAccountList(open openAccounts) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "列出账号与系统 / list everybody", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, done, err := open(c.Context())
			if err != nil {
				return err
			}
			defer done()
			list, err := a.Actors(c.Context())
			if err != nil {
				return err
			}
			t := newTable("账号", "角色", "单位", "名称")
			for _, who := range list {
				t.add(who.ID, string(who.Role), who.Org.Name, who.Name)
			}
			t.write(c.OutOrStdout())
			return nil
		},
	}
}

// askPassword takes the password from the environment, or twice from a terminal.
func askPassword() (string, error) {
	if p := os.Getenv("MULU_PASSWORD"); p != "" {
		return p, nil
	}
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", errors.New("没有终端，请用环境变量 MULU_PASSWORD 给出口令 / no terminal: set MULU_PASSWORD")
	}
	var typed [2]string
	for i, prompt := range []string{"口令 / password: ", "再次输入 / again: "} {
		fmt.Fprint(os.Stderr, prompt)
		b, err := term.ReadPassword(in)
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		typed[i] = strings.TrimRight(string(b), "\r\n")
	}
	if typed[0] != typed[1] {
		return "", errors.New("两次输入不一致 / the two do not match")
	}
	return typed[0], nil
}
