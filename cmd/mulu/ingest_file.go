package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mulu/internal/httpapi/gen/submission"
)

// fileAsk is what mulu ingest file was asked to do.
type fileAsk struct {
	dataset, sheet, encoding, marked string
	header                           int
	maps                             []string
	yes, clean, force, asJSON        bool
}

func newIngestFile(f *clientFlags) *cobra.Command {
	var ask fileAsk
	c := &cobra.Command{
		Use:   "file 文件",
		Short: "报送一个文件（CSV、XLSX、Parquet）：预检、确认、报送、等待入库 / submit a file",
		Long: `先上传并预检：表头对应、每一处问题及其位置；确认后才报送，并等到入库完成。
不合格的行也会报送，成为问题数据；加 --require-clean 则全部合格才报送。
只有入库完成才以退出码 0 结束。
The file is uploaded and judged first; nothing is sent before it is confirmed.
The exit code is 0 only if it has landed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, m := range ask.maps {
				if !strings.Contains(m, "=") {
					return usageError{fmt.Errorf("--map %q 应形如 表头=字段，字段为空即忽略该列 / want heading=column", m)}
				}
			}
			return submitFile(c, f, args[0], &ask)
		},
	}
	c.Flags().StringVar(&ask.dataset, "dataset", "", "数据集代码 / dataset")
	c.Flags().StringVar(&ask.sheet, "sheet", "", "工作表，默认第一个有数据的 / sheet")
	c.Flags().IntVar(&ask.header, "header", 0, "表头所在行，默认自动识别 / row of the headings")
	c.Flags().StringVar(&ask.encoding, "encoding", "", "CSV 的编码，默认自动识别 / encoding of a CSV")
	c.Flags().StringArrayVar(&ask.maps, "map", nil, "表头=字段，可重复；字段为空即忽略该列 / heading=column, repeatable")
	c.Flags().BoolVar(&ask.yes, "yes", false, "不询问，直接报送 / do not ask")
	c.Flags().BoolVar(&ask.clean, "require-clean", false, "全部合格才报送 / only if every row fits")
	c.Flags().BoolVar(&ask.force, "force", false, "同样的内容已报送过也再报送一次 / even if it was submitted before")
	c.Flags().StringVar(&ask.marked, "marked", "", "把标注文件（XLSX）存为 / keep the marked file as")
	c.Flags().BoolVar(&ask.asJSON, "json", false, "在标准输出打印 JSON 回执 / print the receipt as JSON")
	c.MarkFlagRequired("dataset") //nolint:errcheck // it is there
	return c
}

// submitFile walks one file: upload and judge → show → ask → send → wait → receipt.
func submitFile(c *cobra.Command, f *clientFlags, path string, ask *fileAsk) error {
	ctx, out := c.Context(), c.ErrOrStderr()
	if !ask.asJSON {
		out = c.OutOrStdout()
	}
	cl, err := f.dial(ctx, "steward")
	if err != nil {
		return err
	}
	cl.http.Timeout = 0 // as long as it takes; Ctrl-C ends it
	p, err := handIn(ctx, cl, path, ask)
	if err != nil {
		return err
	}
	if p.Earlier != "" {
		return fmt.Errorf("没有再报送：%s / it was submitted before", p.Refusal)
	}
	printPreview(out, p)
	if ask.marked != "" && p.FaultCount > 0 {
		if err := download(ctx, cl, "/v1/submissions/"+url.PathEscape(p.Id)+"/marked", ask.marked); err != nil {
			return err
		}
		fmt.Fprintf(out, "\n标注文件已存为 %s\n", ask.marked)
	}
	switch {
	case !p.Sendable:
		return errors.Join(fmt.Errorf("没有报送任何一行：%s / nothing was sent", p.Refusal), discard(ctx, cl, p.Id))
	case ask.clean && p.Bad > 0:
		return errors.Join(fmt.Errorf("没有报送任何一行：%s 行不合格，而要求全部合格 / nothing was sent", count(p.Bad)), discard(ctx, cl, p.Id))
	case !ask.yes && !confirmed(out, p):
		return errors.Join(errors.New("已放弃，没有报送任何一行 / discarded, nothing was sent"), discard(ctx, cl, p.Id))
	}
	if err := cl.post(ctx, "/v1/submissions/"+url.PathEscape(p.Id)+"/send", submission.FileSending{RequireClean: &ask.clean}, nil); err != nil {
		return err
	}
	s, raw, err := awaitLanding(ctx, cl, p.Id, settled)
	if err != nil {
		return err
	}
	if ask.asJSON {
		if err := printJSON(c.OutOrStdout(), raw); err != nil {
			return err
		}
	} else {
		printFileReceipt(out, s)
	}
	if s.State != submission.SubmissionStateLanded {
		return fmt.Errorf("没有入库：%s / it has not landed", s.Reason)
	}
	return nil
}

// handIn uploads the file and waits until it is judged.
func handIn(ctx context.Context, cl *client, path string, ask *fileAsk) (*submission.FilePreview, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("打不开 %s / open file: %w", path, err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s 不是文件 / not a file", path)
	}
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	q := url.Values{"dataset": {ask.dataset}, "name": {filepath.Base(path)}, "map": ask.maps}
	for name, v := range map[string]string{"sheet": ask.sheet, "encoding": ask.encoding} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if ask.header > 0 {
		q.Set("header", strconv.Itoa(ask.header))
	}
	if ask.force {
		q.Set("force", "true")
	}
	bar := newBar("上传 / uploading", info.Size(), true)
	watch, stop := context.WithCancel(ctx)
	defer stop()
	body := &uploading{File: in, size: info.Size(), bar: bar, done: func() { go watchJudging(watch, cl, ask.dataset, "sha256:"+hex.EncodeToString(h.Sum(nil)), bar) }}
	var p submission.FilePreview
	err = cl.send(ctx, "/v1/submissions/files?"+q.Encode(), body, info.Size(), &p)
	bar.Clear() //nolint:errcheck // an ornament
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// uploading shows how far the upload has come.
type uploading struct {
	*os.File
	size, sent int64
	bar        *progressbar.ProgressBar
	done       func()
}

// Read counts.
func (u *uploading) Read(b []byte) (int, error) {
	n, err := u.File.Read(b)
	u.bar.Add(n) //nolint:errcheck // an ornament
	if u.sent += int64(n); u.sent >= u.size && u.done != nil {
		u.done()
		u.done = nil
	}
	return n, err
}

// watchJudging shows how many rows are judged: whoever has the same content in hand is it.
func watchJudging(ctx context.Context, cl *client, dataset, digest string, bar *progressbar.ProgressBar) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		var list []submission.Submission
		if err := cl.get(ctx, "/v1/submissions", url.Values{"dataset": {dataset}, "way": {"file"}, "state": {"open"}}, &list); err != nil {
			return // the upload itself tells
		}
		for _, s := range list {
			if n, ok := s.Report["checked"].(float64); ok && s.Digest == digest {
				bar.Describe(fmt.Sprintf("预检 / judging: %s 行", count(int64(n))))
			}
		}
	}
}

// send uploads a body of so many bytes and reads the answer.
func (c *client) send(ctx context.Context, path string, body io.Reader, size int64, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := c.ask(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

// newBar draws on standard error, and nothing where that is no terminal.
func newBar(title string, total int64, bytes bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, progressbar.OptionSetDescription(title), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowBytes(bytes), progressbar.OptionShowCount(),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
}

func discard(ctx context.Context, cl *client, id string) error {
	return cl.do(ctx, http.MethodPost, "/v1/submissions/"+url.PathEscape(id)+"/discard", nil, nil)
}

// confirmed asks a person. Without one the answer is no.
func confirmed(out io.Writer, p *submission.FilePreview) bool {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Fprintln(out, "\n没有终端可供确认；请加 --yes / no terminal to confirm on, use --yes")
		return false
	}
	fmt.Fprintf(out, "\n报送这 %s 行（其中 %s 行会成为问题数据）？[y/N] ", count(p.Rows), count(p.Bad))
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return err == nil && strings.EqualFold(strings.TrimSpace(line), "y")
}

// settled says that a file has landed and was held against its preview.
func settled(s *submission.Submission) bool { return s.Report["settled"] == true }

// awaitLanding follows a submission until it was refused, or has landed and all is done.
func awaitLanding(ctx context.Context, cl *client, id string, done func(*submission.Submission) bool) (s *submission.Submission, raw []byte, err error) {
	var bar *progressbar.ProgressBar
	for {
		s = new(submission.Submission)
		if err := cl.get(ctx, "/v1/submissions/"+url.PathEscape(id), nil, &raw); err != nil {
			return nil, nil, err
		}
		if err := json.Unmarshal(raw, s); err != nil {
			return nil, nil, fmt.Errorf("read submission: %w", err)
		}
		if bar == nil {
			bar = newBar("报送 / sending", s.Total, false)
			defer bar.Clear() //nolint:errcheck // an ornament
		}
		bar.Set64(s.Rows) //nolint:errcheck // an ornament
		switch {
		case s.State == submission.SubmissionStateRefused, s.State == submission.SubmissionStateLanded && done(s):
			return s, raw, nil
		case s.State != submission.SubmissionStateOpen:
			bar.Describe("等待入库 / landing")
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("不再等待；报送 %s 会继续，用 mulu ingest submissions 查看 / it goes on: %w", id, ctx.Err())
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// byWords say how a heading found its column.
var byWords = map[string]string{"map": "指定", "name": "字段名", "title": "中文名", "none": "忽略"}

func printPreview(out io.Writer, p *submission.FilePreview) {
	t := newFields()
	t.add("文件 file", p.File)
	t.add("报送 submission", p.Id)
	what := p.Format
	if p.Encoding != "" {
		what += "，" + p.Encoding
	}
	if p.Sheet != "" {
		what += "，工作表 " + p.Sheet
	}
	if p.Header > 0 {
		what += fmt.Sprintf("，表头在第 %d 行", p.Header)
	}
	if what != "" {
		t.add("格式 format", what)
	}
	if p.Sendable {
		t.add("行数 rows", fmt.Sprintf("%s：合格 %s，不合格 %s（%s 处），弱规则提示 %s", count(p.Rows), count(p.Good), count(p.Bad), count(p.FaultCount), count(p.Soft)))
	}
	t.write(out)
	if len(p.Columns) > 0 {
		fmt.Fprintln(out)
		t = newTable("表头", "字段", "依据", "~示例")
		for _, c := range p.Columns {
			t.add(c.Heading, orDash(c.Column), wordFor(string(c.By), byWords), strings.Join(c.Samples, "、"))
		}
		t.write(out)
	}
	if len(p.Missing) > 0 {
		fmt.Fprintf(out, "\n没有对应表头的必填字段：%s（可用 --map 表头=字段 指定）\n", clean(strings.Join(p.Missing, "、")))
	}
	for _, n := range p.Notes {
		fmt.Fprintf(out, "· %s\n", clean(n))
	}
	if len(p.ByClass) > 0 {
		fmt.Fprintln(out)
		t = newTable("问题类别", "~说明", ">处数")
		for _, c := range p.ByClass {
			t.add(c.Class, c.Title, count(c.Count))
		}
		t.write(out)
	}
	if len(p.ByRule) > 0 {
		fmt.Fprintln(out)
		t = newTable("规则", "~名称", "强弱", ">行数")
		for _, r := range p.ByRule {
			strength := "弱，只提示"
			if r.Blocking {
				strength = "强，成为问题数据"
			}
			t.add(r.Rule, r.Title, strength, count(r.Count))
		}
		t.write(out)
	}
	if len(p.Faults) > 0 {
		fmt.Fprintln(out)
		t = newTable("位置", "类别或规则", "|原因")
		for _, x := range p.Faults[:min(len(p.Faults), 20)] {
			t.add(cmp.Or(x.Cell, fmt.Sprintf("第 %d 行", x.Row)), cmp.Or(x.Rule, x.Class), x.Reason)
		}
		t.write(out)
		if p.FaultCount > 20 {
			fmt.Fprintf(out, "共 %s 处，列出前 20 处；全部见 --marked 保存的标注文件\n", count(p.FaultCount))
		}
	}
}

func printFileReceipt(out io.Writer, s *submission.Submission) {
	t := newFields()
	t.add("报送回执 receipt", s.Id)
	t.add("状态 state", wordFor(string(s.State), submissionStates))
	t.add("数据集 dataset", s.Dataset)
	t.add("文件 file", s.Source)
	t.add("摘要 digest", s.Digest)
	t.add("行数 rows", count(s.Rows))
	t.add("入库 good", count(s.Good))
	t.add("问题数据 rejected", count(s.Rejected))
	t.add("报送 opened", moment(s.OpenedAt))
	t.add("入库完成 landed", momentOr(s.LandedAt))
	if s.State == submission.SubmissionStateLanded {
		agrees := s.Report["agrees"] == true
		verdict := mark(agrees) + " 与预检一致"
		if !agrees {
			note, _ := s.Report["note"].(string)
			verdict = mark(false) + " 与预检不一致：" + note
		}
		t.add("核对 check", verdict)
	}
	if s.Reason != "" {
		t.add("原因 reason", s.Reason)
	}
	fmt.Fprintln(out)
	t.write(out)
}

// download keeps an answer as a file that is there whole or not at all.
func download(ctx context.Context, cl *client, path, name string) error {
	resp, err := cl.open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	to, err := newSink(nil, name)
	if err != nil {
		return err
	}
	defer to.drop()
	if _, err := io.Copy(to, resp.Body); err != nil {
		return fmt.Errorf("下载中断 / download: %w", err)
	}
	return to.keep()
}

func newIngestTemplate(f *clientFlags) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "template 数据集",
		Short: "下载数据集的填报模板（XLSX） / the file that a department fills in",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			if file == "" {
				file = args[0] + ".xlsx"
			}
			if err := download(c.Context(), cl, "/v1/datasets/"+url.PathEscape(args[0])+"/template", file); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "填报模板已存为 %s\n", file)
			return nil
		},
	}
	c.Flags().StringVarP(&file, "out", "o", "", "存为，默认 数据集.xlsx / file, default dataset.xlsx")
	return c
}

func newIngestSubmissions(f *clientFlags) *cobra.Command {
	var dataset, way, state string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "submissions",
		Short: "报送记录，最近的在前 / submissions, newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, v := range map[string]string{"dataset": dataset, "way": way, "state": state} {
				if v != "" {
					q.Set(name, v)
				}
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/submissions", q, &raw); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), raw)
			}
			var list []submission.Submission
			if err := json.Unmarshal(raw, &list); err != nil {
				return fmt.Errorf("read submissions: %w", err)
			}
			printSubmissions(c.OutOrStdout(), list)
			return nil
		},
	}
	c.Flags().StringVar(&dataset, "dataset", "", "数据集代码 / dataset")
	c.Flags().StringVar(&way, "way", "", "报送方式 table|file|http|package|nil / way")
	c.Flags().StringVar(&state, "state", "", "状态 open|sent|landed|refused / state")
	c.Flags().IntVar(&limit, "limit", 20, "最多几条，1–500 / at most")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

// wayWords are the ways on paper.
var wayWords = map[string]string{"table": "库表", "file": "文件", "http": "接口", "package": "离线包", "nil": "零报告"}

func printSubmissions(out io.Writer, list []submission.Submission) {
	t := newTable("报送", "时间", "数据集", "方式", "状态", ">行", ">入库", ">问题", "|来源与说明")
	for _, s := range list {
		note := s.Reason
		for _, k := range []string{"problem", "note"} {
			if v, ok := s.Report[k].(string); ok && note == "" {
				note = v
			}
		}
		state := wordFor(string(s.State), submissionStates)
		if sending, ok := s.Report["sending"].(bool); ok && !sending && s.State == submission.SubmissionStateOpen {
			state = "待确认"
		}
		about := slices.DeleteFunc([]string{cmp.Or(s.Source, s.Period), note}, func(s string) bool { return s == "" })
		t.add(s.Id, minute(s.OpenedAt), s.Dataset, wordFor(string(s.Way), wayWords), state, count(s.Rows), count(s.Good), count(s.Rejected), strings.Join(about, "："))
	}
	if t.empty() {
		fmt.Fprintln(out, "没有报送记录 / none")
		return
	}
	t.write(out)
}
