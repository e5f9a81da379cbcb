package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// speak turns cobra's own words on the help pages into Chinese with English beside.
func speak(root *cobra.Command) {
	root.SetUsageTemplate(strings.NewReplacer(
		"Usage:", "用法 / usage:",
		"Aliases:", "别名 / aliases:",
		"Examples:", "示例 / example:",
		"Available Commands:", "命令 / commands:",
		"Additional Commands:", "其他命令 / more commands:",
		"Global Flags:", "公共参数 / common flags:",
		"\n\nFlags:", "\n\n参数 / flags:",
		"[command]", "命令",
		`Use "{{.CommandPath}} [command] --help" for more information about a command.`, `各命令的用法：{{.CommandPath}} 命令 --help`,
	).Replace(root.UsageTemplate()))
	root.SetHelpCommand(&cobra.Command{
		Use: "help [命令]", Short: "查看命令的用法 / how a command is used",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("没有命令 %q / unknown command", rest[0])
			}
			if err != nil {
				return wrongUse(root, err)
			}
			return c.Help()
		},
	})
	root.InitDefaultVersionFlag()
	root.Flags().Lookup("version").Usage = "版本 / version"
	describeHelp(root)
}

func describeHelp(c *cobra.Command) {
	c.InitDefaultHelpFlag()
	c.Flags().Lookup("help").Usage = "用法 / help"
	for _, sub := range c.Commands() {
		describeHelp(sub)
	}
}
