package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
	"mulu/internal/app/filecheck"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/internal/sample"
	"mulu/quality"
	"mulu/quality/codes"
	"mulu/quality/profile"
	"mulu/quality/suggest"
)

// lookFlags say what is to be looked over: a dataset of a running mulu, or a file.
type lookFlags struct {
	*clientFlags
	last, values, asJSON bool
	seed                 uint64
}

func (l *lookFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&l.last, "last", false, "数据集：用上一次探查，不重新进行 / of a dataset: the last profile as it is")
	c.Flags().BoolVar(&l.values, "values", false, "文件：显示未识别为个人信息的取值 / of a file: show values that do not look personal")
	c.Flags().Uint64Var(&l.seed, "seed", 0, "文件：抽样的种子 / of a file: seed of the sample")
	c.Flags().BoolVar(&l.asJSON, "json", false, "打印 JSON / print JSON")
}

func newQualityProfile(f *clientFlags) *cobra.Command {
	l := lookFlags{clientFlags: f}
	var column string
	c := &cobra.Command{
		Use:   "profile 数据集|文件",
		Short: "数据探查：类型、空值、取值、格式、主键、关系 / what rows are made of",
		Long: `数据集在后台探查并保存；文件（.csv、.tsv、.jsonl、.ndjson、.parquet）就地探查，不保存。
L3 及以上、未定级、或内容像个人信息的数据项不显示任何取值。
A dataset is profiled by the running mulu and the profile kept; a file is profiled here. Items that are secret,
not classified or look personal show no values.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, _, err := l.look(c.Context(), args[0], c.ErrOrStderr())
			if err != nil {
				return err
			}
			switch {
			case l.asJSON:
				return printValue(c.OutOrStdout(), p)
			case column != "":
				x := p.Column(column)
				if x == nil {
					return usageError{fmt.Errorf("没有数据项 %q / no such item", column)}
				}
				printColumn(c.OutOrStdout(), x)
			default:
				printProfile(c.OutOrStdout(), p)
			}
			return nil
		},
	}
	l.add(c)
	c.Flags().StringVar(&column, "column", "", "只看一个数据项，细看 / one item in detail")
	return c
}

// look gives the profile of a file or a dataset, and what it suggests.
func (l *lookFlags) look(ctx context.Context, name string, progress io.Writer) (*profile.Profile, []suggest.Suggestion, error) {
	// A dataset's code has no dot and no slash: what has is a file, there or not.
	if _, err := os.Stat(name); err == nil || strings.ContainsAny(name, "./") {
		return l.lookAtFile(ctx, name, progress)
	}
	return l.lookAtDataset(ctx, name, progress)
}

func (l *lookFlags) lookAtFile(ctx context.Context, name string, progress io.Writer) (*profile.Profile, []suggest.Suggestion, error) {
	f, err := filecheck.Open(name, filecheck.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // only read from
	tables, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		return nil, nil, err
	}
	var b *profile.Builder
	begin := func(names []string) {
		fields := make([]profile.Field, len(names))
		for i, n := range names {
			fields[i] = profile.Field{Name: n}
			if l.values {
				fields[i].Level = mulu.L1 // its owner asks to see them; what looks personal stays closed
			}
		}
		b = profile.NewBuilder(fields, profile.Options{Seed: l.seed, AsOf: time.Now(), Tables: tables})
	}
	bar := countingBar(progress, "探查 / profiling")
	if err := f.Records(ctx, begin, func(rec arrow.RecordBatch) error {
		bar.Add64(rec.NumRows()) //nolint:errcheck // it only draws
		return b.Add(rec)
	}); err != nil {
		return nil, nil, err
	}
	bar.Finish() //nolint:errcheck // it only draws
	if _, faults := f.Faults(); faults > 0 {
		fmt.Fprintf(progress, "文件中有 %s 处读不了或不整齐，读不了的未计入 / faults in the file\n", count(int64(faults)))
	}
	p := b.Profile()
	p.At = time.Now()
	return p, suggest.Rules(p, suggest.Options{RowKinds: quality.RuleKinds(), SetKinds: quality.SetKinds(), Values: l.values}), nil
}

func (l *lookFlags) lookAtDataset(ctx context.Context, code string, progress io.Writer) (*profile.Profile, []suggest.Suggestion, error) {
	cl, err := l.dial(ctx, "steward")
	if err != nil {
		return nil, nil, err
	}
	base := "/v1/datasets/" + url.PathEscape(code)
	if !l.last {
		if err := cl.post(ctx, base+"/profile", nil, nil); err != nil {
			return nil, nil, err
		}
	}
	p, err := awaitProfile(ctx, cl, base, progress)
	if err != nil {
		return nil, nil, err
	}
	var list struct{ Items []suggest.Suggestion }
	return p, list.Items, errorOr(cl.get(ctx, base+"/suggestions", nil, &list), func() { p.Dataset = code })
}

// errorOr runs f unless there was an error.
func errorOr(err error, f func()) error {
	if err == nil {
		f()
	}
	return err
}

func countingBar(out io.Writer, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(), progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetVisibility(terminalWidth(out) > 0))
}

// awaitProfile shows the progress until the profile is there.
func awaitProfile(ctx context.Context, cl *client, base string, out io.Writer) (*profile.Profile, error) {
	bar := countingBar(out, "探查 / profiling")
	defer bar.Finish() //nolint:errcheck // it only draws
	for {
		var raw []byte
		var a api.ProfileAnswer
		if err := cl.get(ctx, base+"/profile", nil, &raw); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &a); err != nil {
			return nil, fmt.Errorf("read profile: %w", err)
		}
		switch {
		case a.Run != nil && a.Run.State == "failed":
			return nil, fmt.Errorf("探查没有完成：%s / profile failed", a.Run.Error)
		case a.Run != nil:
			bar.ChangeMax64(max(1, a.Run.Total))
			bar.Set64(a.Run.Done) //nolint:errcheck // it only draws
		case a.Profile == nil:
			return nil, fmt.Errorf("尚未探查过，请去掉 --last / never profiled, leave --last out")
		default:
			var whole struct{ Profile *profile.Profile }
			return whole.Profile, errorOr(json.Unmarshal(raw, &whole), func() {})
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// typeWords are the types as people call them.
var typeWords = map[string]string{"string": "文本", "int": "整数", "decimal": "小数", "date": "日期", "datetime": "日期时间", "bool": "是否"}

func printProfile(out io.Writer, p *profile.Profile) {
	fmt.Fprintf(out, "%s %s 行，%d 个数据项；截至 %s\n", orDash(p.Dataset), count(p.Rows), len(p.Columns), p.AsOf)
	if p.Sampled < p.Rows {
		fmt.Fprintf(out, "分位数、分布和数据项之间的关系取自抽样的 %s 行 / from a sample\n", count(p.Sampled))
	}
	t := newTable("数据项", "~名称", "类型", "已填", ">%", ">空值", ">占位", ">不同取值", "~识别为", "~格式或范围", "分布", "~说明")
	for i := range p.Columns {
		c := &p.Columns[i]
		t.add(c.Name, c.Title, wordFor(string(c.Observed), typeWords), bar(c.Filled()), percent(c.Filled()), count(c.Nulls), count(c.Placeholders),
			about(c.Distinct), known(c), form(c), bars8(c.Histogram), notes(c))
	}
	t.write(out)
	printKeys(out, p)
	printRelations(out, p)
}

// about writes a number of values, with ≈ where it is an estimate.
func about(d profile.Distinct) string {
	if d.Exact {
		return count(d.Count)
	}
	return "≈" + count(d.Count)
}

func known(c *profile.Column) string {
	switch {
	case c.Is != nil && c.Is.By == "name":
		return c.Is.Title + "（按名称）"
	case c.Is != nil:
		return c.Is.Title + " " + percent(c.Is.Share) + "%"
	case len(c.Codes) > 0:
		return "代码表 " + c.Codes[0].Table + " " + percent(c.Codes[0].Share) + "%"
	case c.CodeLike:
		return "像代码列表"
	}
	return ""
}

func form(c *profile.Column) string {
	switch {
	case c.Range != nil && c.Range.Min != "":
		return c.Range.Min + " – " + c.Range.Max
	case c.Range != nil && len(c.Range.Quantiles) > 0:
		q := c.Range.Quantiles
		return "约 " + q[0].Value + " – " + q[len(q)-1].Value
	case len(c.Shapes) > 0:
		s := c.Shapes[0]
		return s.Shape + " " + strconv.FormatFloat(100*s.Share, 'f', 0, 64) + "%"
	case c.Length != nil:
		return fmt.Sprintf("%d–%d 个字", c.Length.Min, c.Length.Max)
	}
	return ""
}

// notes say what is odd about a column.
func notes(c *profile.Column) string {
	var out []string
	for _, n := range []struct {
		n    int64
		what string
	}{{c.Chars.FullWidth, "全角"}, {c.Chars.Edges, "首尾空格"}, {c.Chars.Invisible, "不可见字符"}, {c.Chars.Mojibake, "乱码"}, {c.Chars.Personal, "文中有号码"}} {
		if n.n > 0 {
			out = append(out, n.what+" "+count(n.n))
		}
	}
	if c.Constant {
		out = append(out, "只有一种取值")
	}
	if c.Level > 0 && c.Level < mulu.L3 && c.Is != nil && c.Is.PI != "" {
		out = append(out, "像个人信息，请核对级别")
	}
	return strings.Join(out, "，")
}

// bars8 draws a distribution in one line.
func bars8(bins []profile.Bin) string {
	var most int64
	for _, b := range bins {
		most = max(most, b.Count)
	}
	if most == 0 {
		return ""
	}
	var s strings.Builder
	for _, b := range bins {
		s.WriteRune([]rune("▁▂▃▄▅▆▇█")[b.Count*7/most])
	}
	return s.String()
}

func printKeys(out io.Writer, p *profile.Profile) {
	if len(p.Keys) == 0 {
		fmt.Fprintln(out, "\n没有找到可作主键的数据项或两项组合 / no key found")
	} else {
		fmt.Fprintln(out)
		t := newTable("可作主键", ">重复行", ">空", "准确")
		for _, k := range p.Keys {
			t.add(strings.Join(k.Columns, "+"), count(k.Repeat), count(k.Empty), mark(k.Exact))
		}
		t.write(out)
	}
	for _, d := range p.Duplicates {
		if d.Except != "" && d.Rows > 0 && len(p.Keys) > 0 && slices.Equal(p.Keys[0].Columns, []string{d.Except}) {
			fmt.Fprintf(out, "除 %s 外内容相同的行 %s / equal but for the key\n", d.Except, count(d.Rows))
		}
	}
}

var relationWords = map[profile.RelationKind]string{
	profile.BirthOfID: "%s 等于 %s 中的出生日期", profile.SexOfID: "%s 与 %s 的顺序码相符", profile.Order: "%s 不晚于 %s", profile.Equal: "%s 等于 %s",
	profile.Prefix: "%s 以 %s 开头", profile.Determines: "%s 决定 %s", profile.FilledWhen: "%s 是否填写由 %s 决定",
}

func printRelations(out io.Writer, p *profile.Profile) {
	if len(p.Relations) == 0 {
		return
	}
	fmt.Fprintln(out)
	t := newTable("数据项之间", ">行", ">不符", ">%")
	for _, r := range p.Relations {
		t.add(fmt.Sprintf(relationWords[r.Kind], r.Columns[0], r.Columns[1]), count(r.Judged), count(r.Broken), percent(r.Holds()))
	}
	t.write(out)
}

// printColumn shows one column with its charts.
func printColumn(out io.Writer, c *profile.Column) {
	f := newFields()
	f.add("数据项", strings.TrimSpace(c.Name+" "+c.Title))
	f.add("类型", wordFor(string(c.Observed), typeWords)+" "+c.Layout)
	f.add("行", count(c.Rows))
	f.add("已填", bar(c.Filled())+" "+percent(c.Filled())+"%")
	f.add("不同取值", about(c.Distinct)+"，其中只出现一次的 "+count(c.Distinct.Once))
	f.add("识别为", orDash(known(c)))
	f.add("说明", orDash(notes(c)))
	if c.Closed != "" {
		f.add("不显示取值", c.Closed)
	}
	f.write(out)
	if r := c.Range; r != nil {
		for _, q := range r.Quantiles {
			fmt.Fprintf(out, "  %3.0f%%  %s\n", q.At*100, q.Value)
		}
	}
	var bars []barOf
	for _, b := range c.Histogram {
		bars = append(bars, barOf{b.From, b.Count})
	}
	chart(out, "分布", bars)
	bars = nil
	for _, s := range c.Shapes {
		bars = append(bars, barOf{s.Shape, s.Count})
	}
	chart(out, "格式（9 数字，A a 字母，汉）", bars)
	bars = nil
	for _, v := range c.Top {
		bars = append(bars, barOf{clean(v.Value), v.Count})
	}
	chart(out, "最多的取值", bars)
}

// barOf is one bar of a chart.
type barOf struct {
	name string
	n    int64
}

// chart draws bars beside their names.
func chart(out io.Writer, title string, list []barOf) {
	if len(list) == 0 {
		return
	}
	var most int64
	width := 0
	for _, b := range list {
		most, width = max(most, b.n), max(width, uniseg.StringWidth(b.name))
	}
	fmt.Fprintf(out, "\n%s\n", title)
	for _, b := range list {
		n := 0
		if most > 0 {
			n = int(b.n * 40 / most)
		}
		if n == 0 && b.n > 0 {
			n = 1
		}
		fmt.Fprintf(out, "  %s  %s %s\n", b.name+strings.Repeat(" ", width-uniseg.StringWidth(b.name)), strings.Repeat("█", n), count(b.n))
	}
}
