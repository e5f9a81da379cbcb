// Command mulu is the whole product: the embedded form in one go (up), its parts
// (serve, broker), and the tools to operate, prove and measure it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

// Exit codes. Anything but 0 comes with one message on standard error.
const (
	exitFailed = 1 // the command ran and did not succeed
	exitUsage  = 2 // the command line is wrong
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		var usage usageError
		if errors.As(err, &usage) {
			fmt.Fprintf(os.Stderr, "mulu: %v\n", err)
			return exitUsage
		}
		fmt.Fprintf(os.Stderr, "mulu: %v\n", err)
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
		return usageError{fmt.Errorf("%w（用法见 mulu %s --help）", err, c.Name())}
	})
	root.AddCommand(
		newUp(), newDemo(), newBroker(), newSample(),
		newIngest(), newQuality(), newCatalog(), newShare(), newLedger(),
		newTorture(), newBench(),
	)
	return root
}
