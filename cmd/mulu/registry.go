package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mulu/ingest/registry"
)

// registered is a schema as the registry tells it.
type registered struct {
	Subject    string               `json:"subject,omitempty"`
	Version    int                  `json:"version,omitempty"`
	ID         int64                `json:"id,omitempty"`
	Type       string               `json:"schemaType,omitempty"`
	References []registry.Reference `json:"references,omitempty"`
	Schema     string               `json:"schema"`
}

func newRegistry() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: "registry", Short: "内嵌模式登记处：Avro、JSON Schema、Protobuf / the embedded schema registry"}
	f.add(c)
	c.AddCommand(newRegistryList(&f), newRegistryShow(&f), newRegistryPut(&f), newRegistryCheck(&f), newRegistryDraft(&f))
	return c
}

func subjectPath(subject string) string { return "/registry/subjects/" + url.PathEscape(subject) }

func newRegistryList(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "已登记的模式 / what is registered", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			var subjects []string
			if err := cl.get(c.Context(), "/registry/subjects", nil, &subjects); err != nil {
				return err
			}
			t := newTable("模式名", ">版本", ">编号", "类型", "兼容性")
			for _, s := range subjects {
				var v registered
				if err := cl.get(c.Context(), subjectPath(s)+"/versions/latest", nil, &v); err != nil {
					return err
				}
				var level struct{ CompatibilityLevel string }
				if err := cl.get(c.Context(), "/registry/config/"+url.PathEscape(s), url.Values{"defaultToGlobal": {"true"}}, &level); err != nil {
					return err
				}
				t.add(s, strconv.Itoa(v.Version), strconv.FormatInt(v.ID, 10), typeOf(v.Type), level.CompatibilityLevel)
			}
			if t.empty() {
				fmt.Fprintln(c.OutOrStdout(), "没有登记模式；登记用 mulu registry put / none")
				return nil
			}
			t.write(c.OutOrStdout())
			return nil
		},
	}
}

func typeOf(s string) string {
	if s == "" {
		return "AVRO"
	}
	return s
}

func newRegistryShow(f *clientFlags) *cobra.Command {
	version := "latest"
	c := &cobra.Command{
		Use: "show 模式名", Short: "打印一个模式 / print a schema", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			var v registered
			if err := cl.get(c.Context(), subjectPath(args[0])+"/versions/"+url.PathEscape(version), nil, &v); err != nil {
				return err
			}
			text := v.Schema
			var pretty bytes.Buffer
			if json.Indent(&pretty, []byte(text), "", "  ") == nil {
				text = pretty.String()
			}
			fmt.Fprintf(c.ErrOrStderr(), "%s 第 %d 版，编号 %d，%s\n", v.Subject, v.Version, v.ID, typeOf(v.Type))
			fmt.Fprintln(c.OutOrStdout(), strings.TrimRight(text, "\n"))
			return nil
		},
	}
	c.Flags().StringVar(&version, "version", version, "版本号或 latest / version")
	return c
}

// schemaFlags are what is said of a schema beside its file.
type schemaFlags struct {
	kind string
	refs []string
}

func (s *schemaFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&s.kind, "type", "", "AVRO、JSON、PROTOBUF，缺省按扩展名 .avsc、.json、.proto / type")
	c.Flags().StringArrayVar(&s.refs, "ref", nil, "引用，写作 名称=模式名:版本，可多次 / a reference, name=subject:version")
}

// read makes the request of a file.
func (s *schemaFlags) read(file string) (registered, error) {
	var out registered
	b, err := os.ReadFile(file)
	if err != nil {
		return out, fmt.Errorf("读取模式 / read schema: %w", err)
	}
	out.Schema, out.Type = string(b), strings.ToUpper(s.kind)
	if out.Type == "" {
		out.Type = map[string]string{".avsc": "AVRO", ".json": "JSON", ".proto": "PROTOBUF"}[filepath.Ext(file)]
	}
	if out.Type == "" {
		return out, usageError{fmt.Errorf("不知道 %s 是什么模式，请写 --type / say the type", file)}
	}
	for _, r := range s.refs {
		name, rest, ok := strings.Cut(r, "=")
		at := strings.LastIndexByte(rest, ':')
		n := 0
		if ok && at > 0 {
			n, err = strconv.Atoi(rest[at+1:])
		}
		if err != nil || n < 1 {
			return out, usageError{fmt.Errorf("--ref %q 应写作 名称=模式名:版本 / want name=subject:version", r)}
		}
		out.References = append(out.References, registry.Reference{Name: name, Subject: rest[:at], Version: n})
	}
	return out, nil
}

func newRegistryPut(f *clientFlags) *cobra.Command {
	var s schemaFlags
	c := &cobra.Command{
		Use: "put 模式名 文件", Short: "登记一个模式 / register a schema", Args: cobra.ExactArgs(2),
		Example: "  mulu registry put mulu.resident-value resident.avsc",
		RunE: func(c *cobra.Command, args []string) error {
			in, err := s.read(args[1])
			if err != nil {
				return err
			}
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			var out struct{ ID int64 }
			if err := cl.post(c.Context(), subjectPath(args[0])+"/versions", in, &out); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s 已登记，编号 %d\n", args[0], out.ID)
			return nil
		},
	}
	s.add(c)
	return c
}

func newRegistryCheck(f *clientFlags) *cobra.Command {
	var s schemaFlags
	c := &cobra.Command{
		Use: "check 模式名 文件", Short: "与已登记的版本是否兼容 / is a schema compatible with what is registered", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			in, err := s.read(args[1])
			if err != nil {
				return err
			}
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			var out struct {
				Is       bool `json:"is_compatible"`
				Messages []string
			}
			if err := cl.post(c.Context(), "/registry/compatibility/subjects/"+url.PathEscape(args[0])+"/versions?verbose=true", in, &out); err != nil {
				return err
			}
			if out.Is {
				fmt.Fprintln(c.OutOrStdout(), "兼容")
				return nil
			}
			return fmt.Errorf("不兼容 / not compatible:\n  %s", strings.Join(out.Messages, "\n  "))
		},
	}
	s.add(c)
	return c
}
