// Command mulu is the whole product: the embedded form in one go (up), its parts
// (serve, broker), and the tools to operate, prove and measure it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mulu"
)

// version is set by the linker.
var version = "dev"

// Exit codes. Anything but 0 comes with one message on standard error.
const (
	exitFailed = 1 // the command ran and did not succeed
	exitUsage  = 2 // the command line is wrong
)

func main() { os.Exit(run(os.Args[1:])) }

// said is an error without the class of it that ends its text: that is for errors.Is.
func said(err error) string {
	text := err.Error()
	for _, class := range []error{mulu.ErrInvalid, mulu.ErrConflict, mulu.ErrNotFound, mulu.ErrDenied, mulu.ErrBusy} {
		if errors.Is(err, class) {
			text = strings.TrimSuffix(text, ": "+class.Error())
		}
	}
	return text
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		var usage usageError
		if errors.Is(err, errNotHeld) {
			return exitFailed
		}
		fmt.Fprintf(os.Stderr, "mulu: %s\n", said(err))
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitFailed
	}
	return 0
}

// usageError marks a wrong command line.
type usageError struct{ error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "mulu",
		Short:         "目录：公共数据治理与共享 / public-data governance and sharing",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return wrongUse(c, err)
	})
	root.AddCommand(
		newUp(), newDemo(), newServe(), newBroker(), newDoctor(), newApply(), newAccount(), newSample(),
		newIngest(), newPackage(), newRegistry(), newQuality(), newCatalog(), newShare(), newLedger(),
		newTorture(), newBench(),
	)
	strict(root)
	speak(root)
	return root
}

// wrongUse is a usage error that says where the usage is described.
func wrongUse(c *cobra.Command, err error) error {
	return usageError{fmt.Errorf("%w（用法见 %s --help）", err, c.CommandPath())}
}

// strict makes every wrong command line a usage error: cobra itself shows the help
// of a group for a sub-command it does not know, and calls that a success.
func strict(c *cobra.Command) {
	for _, sub := range c.Commands() {
		strict(sub)
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			c.SuggestionsMinimumDistance = 2
			hint := ""
			if like := c.SuggestionsFor(args[0]); len(like) > 0 {
				hint = "，是否想用 " + strings.Join(like, "、")
			}
			return wrongUse(c, fmt.Errorf("没有命令 %q%s / unknown command", args[0], hint))
		}
		return
	}
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if check != nil {
			if err := check(c, args); err != nil {
				return wrongUse(c, fmt.Errorf("参数不对 / %w", err))
			}
		}
		if err := c.ValidateRequiredFlags(); err != nil {
			return wrongUse(c, fmt.Errorf("缺少必需的参数 / %w", err))
		}
		return nil
	}
}
