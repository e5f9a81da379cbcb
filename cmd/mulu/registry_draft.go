package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mulu"
	"mulu/ingest/registry"
	"mulu/ingest/wire"
)

func newRegistryDraft(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use: "draft 模式名", Short: "由模式起草数据集声明 / draft a dataset's manifest from a schema", Args: cobra.ExactArgs(1),
		Long: `打印一份 Dataset 声明的草稿：数据项的名称、类型和路径取自模式，标题、级别、主键等标有“待填”，由人填写。
Prints a draft of a Dataset manifest: names, types and paths come from the schema; what a person has to fill in says 待填.`,
		Example: "  mulu registry draft mulu.resident-value > resident.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			var v registered
			if err := cl.get(c.Context(), subjectPath(args[0])+"/versions/latest", nil, &v); err != nil {
				return err
			}
			s := wire.Schema{Type: typeOf(v.Type), Text: v.Schema}
			if s.Imports, err = importsOf(c.Context(), cl, v.References, 0); err != nil {
				return err
			}
			form, err := wire.Compile(s)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			printDraft(c.OutOrStdout(), strings.TrimSuffix(args[0], "-value"), form)
			return nil
		},
	}
}

// importsOf fetches what a schema refers to, each after what it needs itself.
func importsOf(ctx context.Context, cl *client, refs []registry.Reference, depth int) (list []wire.Import, err error) {
	if depth > 16 {
		return nil, fmt.Errorf("引用嵌套过深 / references are nested too deep")
	}
	for _, r := range refs {
		var v registered
		if err := cl.get(ctx, subjectPath(r.Subject)+"/versions/"+strconv.Itoa(r.Version), nil, &v); err != nil {
			return nil, err
		}
		needs, err := importsOf(ctx, cl, v.References, depth+1)
		if err != nil {
			return nil, err
		}
		list = registry.AddImport(list, r.Name, v.Schema, needs)
	}
	return list, nil
}

func printDraft(out io.Writer, topic string, form *wire.Form) {
	format := map[string]string{wire.Avro: mulu.FormatAvro, wire.JSONSchema: mulu.FormatJSONSchema, wire.Protobuf: mulu.FormatProtobuf}[form.Type]
	code := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(topic[strings.LastIndexByte(topic, '.')+1:])), "_0123456789")
	fmt.Fprintf(out, `kind: Dataset
code: %s
title: 待填
version: 1
catalog: 待填          # 310107/3006/000001
owner: 待填            # 提供单位的统一社会信用代码
system: 待填
library: 待填          # lib_…
topic: %s
format: %s
key: [待填]            # 主键数据项须写 required: true
cycle: 待填            # 每日、每周 …
columns:
`, code, topic, format)
	for _, c := range form.Columns() {
		fmt.Fprintf(out, "  - {name: %s, title: 待填, type: %s", c.Name, c.Type)
		if c.Path != "" {
			fmt.Fprintf(out, ", path: %s", c.Path)
		}
		if c.Scale > 0 {
			fmt.Fprintf(out, ", scale: %d", c.Scale)
		}
		if c.Required {
			fmt.Fprint(out, ", required: true")
		}
		fmt.Fprintln(out, ", level: 待填}")
	}
	fmt.Fprintln(out, "rules: []\nentry:                 # 目录条目，字段见 deploy/sample\n  summary: 待填")
}
