package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// formats of a read.
var formats = []string{"csv", "json", "ndjson"}

func knownFormat(s string) error {
	if slices.Contains(formats, s) {
		return nil
	}
	return usageError{fmt.Errorf("--format %q 应为 %s / want one of these", s, strings.Join(formats, "、"))}
}

func newSharePull(f *clientFlags) *cobra.Command {
	var format, file string
	var where []string
	c := &cobra.Command{
		Use:   "pull 授权编号",
		Short: "按授权取数，并核对内容摘要 / read under a grant and verify the digest",
		Long: `数据写到标准输出或 --out 指定的文件；共享日志编号、条数、摘要写到标准错误。
收到的内容与摘要不符时退出码为 1，--out 的文件不会留下。
Rows go to standard output or --out; the receipt to standard error. A digest that does not match is an error and leaves no file.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := knownFormat(format); err != nil {
				return err
			}
			cl, err := f.dial(c.Context(), "system")
			if err != nil {
				return err
			}
			q := url.Values{"format": {format}}
			for _, w := range where {
				if !strings.Contains(w, "=") {
					return usageError{fmt.Errorf("--where %q 应形如 字段=值 / want field=value", w)}
				}
				q.Add("where", w)
			}
			to, err := newSink(c.OutOrStdout(), file)
			if err != nil {
				return err
			}
			defer to.drop()
			cl.http.Timeout = 0 // as long as it takes; Ctrl-C ends it
			resp, err := cl.open(c.Context(), http.MethodGet, "/v1/share/grants/"+url.PathEscape(args[0])+"/rows?"+q.Encode(), nil)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if err = receive(to, resp); err == nil {
				err = to.keep()
			}
			printReceipt(c.ErrOrStderr(), resp.Header, err)
			return err
		},
	}
	c.Flags().StringVar(&format, "format", "csv", "格式 csv|json|ndjson / format")
	c.Flags().StringVar(&file, "out", "", "写入文件，默认标准输出 / file, default standard output")
	c.Flags().StringArrayVar(&where, "where", nil, "进一步缩小范围 字段=值，可重复 / narrow down, repeatable")
	return c
}

// receive copies the rows and compares their digest with the one in the receipt.
func receive(out io.Writer, resp *http.Response) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, h), resp.Body)
	if err != nil {
		return fmt.Errorf("收到 %s 字节后中断，请重新取数 / receive rows: %w", count(n), err)
	}
	want, got := resp.Header.Get("X-Mulu-Digest"), "sha256:"+hex.EncodeToString(h.Sum(nil))
	if want != got {
		return fmt.Errorf("内容摘要不符：共享日志为 %q，收到的为 %s；请勿使用，重新取数 / the digest does not match", want, got)
	}
	return nil
}

// sink is where rows go: standard output, or a file that gets its name only when the
// digest is right, so that what is under that name is whole.
type sink struct {
	io.Writer
	tmp  *os.File // nil for standard output
	name string
}

// newSink is made before anything is asked for: a read counts against the day's quota
// and leaves a receipt, and a directory that can not be written must not cost one.
func newSink(out io.Writer, file string) (*sink, error) {
	if file == "" {
		return &sink{Writer: out}, nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".mulu-pull-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("无法写入 %s，尚未取数 / can not write there, nothing was read: %w", file, err)
	}
	return &sink{Writer: tmp, tmp: tmp, name: file}, nil
}

// keep gives the file its name.
func (s *sink) keep() error {
	if s.tmp == nil {
		return nil
	}
	if err := s.tmp.Close(); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	if err := os.Rename(s.tmp.Name(), s.name); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}

// drop removes what was not kept.
func (s *sink) drop() {
	if s.tmp != nil {
		s.tmp.Close()
		os.Remove(s.tmp.Name())
	}
}

func printReceipt(out io.Writer, h http.Header, failed error) {
	fmt.Fprintf(out, "共享日志 receipt  %s\n", clean(h.Get("X-Mulu-Receipt")))
	rows, err := strconv.ParseInt(h.Get("X-Mulu-Rows"), 10, 64)
	if err == nil {
		fmt.Fprintf(out, "条数 rows         %s\n", count(rows))
	}
	verdict := "✓ 相符"
	if failed != nil {
		verdict = "✗"
	}
	fmt.Fprintf(out, "摘要 digest       %s %s\n", clean(h.Get("X-Mulu-Digest")), verdict)
	if score, err := strconv.ParseFloat(h.Get("X-Mulu-Score"), 64); err == nil {
		grade, err := url.PathUnescape(h.Get("X-Mulu-Grade"))
		if err != nil {
			grade = ""
		}
		fmt.Fprintf(out, "质量 quality      %s %s\n", percent(score), clean(grade))
	}
	if low := h.Get("X-Mulu-Low"); low != "" {
		fmt.Fprintf(out, "低于约定得分 low  %s\n", clean(low))
	}
}
