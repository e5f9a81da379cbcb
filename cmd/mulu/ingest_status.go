package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/ingest"
)

func newIngestStatus(f *clientFlags) *cobra.Command {
	var asJSON, watch, partitions bool
	c := &cobra.Command{
		Use:   "status",
		Short: "各数据集的状态、积压、速率、时延与平衡式 / state, lag, rate, latency and balance",
		Long: `时延：一条记录自产生（来源写入消息系统的时间）至可查询，最近 10 分钟的中位数与 99 分位。
平衡式：已处理的位置数 = 入库 + 问题数据 + 控制记录。✗ 表示有数据未交代清楚。
终端较窄时，次要的列不显示；--json 总是全部。
Latency: from the producer's timestamp until a record can be queried, median and 99th percentile of ten minutes.
The balance: offsets passed = stored + rejected + control records. A narrow terminal shows fewer columns.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := flowView{partitions: partitions, width: terminalWidth(c.OutOrStdout())}
			switch {
			case watch && asJSON:
				return usageError{fmt.Errorf("--watch 与 --json 不能同时使用 / use one of them")}
			case watch && v.width == 0:
				return usageError{fmt.Errorf("--watch 需要终端；输出到文件或管道时请去掉它 / --watch needs a terminal")}
			case watch:
				return watchFlow(c.Context(), f, v)
			}
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/flow", nil, &raw); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), raw)
			}
			var flow ingest.Flow
			if err := json.Unmarshal(raw, &flow); err != nil {
				return fmt.Errorf("read flow: %w", err)
			}
			v.colours = v.width > 0 && colourful()
			v.print(c.OutOrStdout(), flow)
			return nil
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "每秒刷新，按 q 退出 / refresh every second, q leaves")
	c.Flags().BoolVarP(&partitions, "partitions", "p", false, "列出全部分区；否则只列出有异常的 / list every partition, not only those in trouble")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

// colourful says whether a terminal may be written to in colours (no-color.org).
func colourful() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// flowView is how the way in is shown.
type flowView struct {
	width      int // of the terminal in cells, 0 without one
	partitions bool
	colours    bool
}

// Colours of states; bold beside them, since not everybody tells them apart.
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	green  = "\x1b[32m"
	grey   = "\x1b[2m"
)

// states are the words of a state and its colour.
var states = map[ingest.FlowState]struct{ word, tint string }{
	ingest.FlowStateRunning: {"运行", green}, ingest.FlowStatePaused: {"暂停", yellow}, ingest.FlowStateHeld: {"待审", yellow},
	ingest.FlowStateStopped: {"停止", red}, ingest.FlowStateIdle: {"空闲", grey},
}

func stateWord(s ingest.FlowState) string {
	if w := states[s].word; w != "" {
		return w
	}
	return string(s)
}

// flowColumn is one column over datasets. Where a terminal is too narrow, those of
// the highest rank go first; rank 0 stays.
type flowColumn struct {
	head string
	rank int
	cell func(*ingest.FlowDataset) string
	tint func(*ingest.FlowDataset) string // nil for none
}

var flowColumns = []flowColumn{
	{"数据集", 7, func(d *ingest.FlowDataset) string { return d.Code }, nil},
	{"~名称", 0, func(d *ingest.FlowDataset) string { return d.Title }, nil},
	{"状态", 0, func(d *ingest.FlowDataset) string { return stateWord(d.State) }, func(d *ingest.FlowDataset) string { return states[d.State].tint }},
	{">积压", 0, func(d *ingest.FlowDataset) string { return count(d.Lag) }, nil},
	{">条/秒", 0, func(d *ingest.FlowDataset) string { return rate(d.Rate) }, nil},
	{"近 5 分钟", 4, func(d *ingest.FlowDataset) string { return spark(d.Series, 10) }, nil},
	{">时延 p50", 3, func(d *ingest.FlowDataset) string { return wait(d.P50Ms) }, nil},
	{">p99", 0, func(d *ingest.FlowDataset) string { return wait(d.P99Ms) }, nil},
	{">批行数", 5, func(d *ingest.FlowDataset) string { return count(d.BatchRowsP50) }, nil},
	{">已处理", 9, func(d *ingest.FlowDataset) string { return count(d.Offsets) }, nil},
	{">入库", 8, func(d *ingest.FlowDataset) string { return count(d.Good) }, nil},
	{">问题数据", 1, func(d *ingest.FlowDataset) string { return count(d.Rejected) }, nil},
	{">控制记录", 11, func(d *ingest.FlowDataset) string { return count(d.Control) }, nil},
	{"平衡", 0, func(d *ingest.FlowDataset) string { return mark(d.Balanced) }, func(d *ingest.FlowDataset) string {
		if d.Balanced {
			return green
		}
		return red
	}},
	{"问题类别", 6, func(d *ingest.FlowDataset) string { return classes(d.Rejects) }, nil},
	{"最近一批", 10, func(d *ingest.FlowDataset) string { return momentOr(d.LastAt) }, nil},
}

// print prints a line over all, a table over datasets and one over partitions.
func (v flowView) print(out io.Writer, flow ingest.Flow) {
	fmt.Fprintln(out, v.cut(headline(flow))+"\n")
	if len(flow.Datasets) == 0 {
		fmt.Fprintln(out, "没有数据集；请用 mulu apply -f 目录 装入声明 / no datasets yet")
		return
	}
	v.datasets(flow).writeWithin(out, v.width)
	if parts := v.parts(flow); !parts.empty() {
		fmt.Fprintln(out)
		parts.writeWithin(out, v.width)
	}
}

func (v flowView) cut(line string) string {
	if v.width == 0 {
		return line
	}
	return cut(line, v.width)
}

// headline sums over datasets.
func headline(flow ingest.Flow) string {
	var lag int64
	var perSecond float64
	for i := range flow.Datasets {
		lag, perSecond = lag+flow.Datasets[i].Lag, perSecond+flow.Datasets[i].Rate
	}
	s := fmt.Sprintf("数据集 %d · %s 条/秒 · 积压 %s", len(flow.Datasets), rate(perSecond), count(lag))
	if flow.BudgetBytes > 0 {
		s += fmt.Sprintf(" · 内存 %d/%d MB", flow.HeldBytes>>20, flow.BudgetBytes>>20)
	}
	return s + " · " + moment(flow.At)
}

// datasets makes the table with as many columns as fit.
func (v flowView) datasets(flow ingest.Flow) *table {
	columns := slices.Clone(flowColumns)
	for {
		t := v.tableOf(columns, flow)
		worst := 0
		for i, c := range columns {
			if c.rank > columns[worst].rank {
				worst = i
			}
		}
		if v.width == 0 || columns[worst].rank == 0 || t.narrowest() <= v.width {
			return t
		}
		columns = slices.Delete(columns, worst, worst+1)
	}
}

func (v flowView) tableOf(columns []flowColumn, flow ingest.Flow) *table {
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = c.head
	}
	t := newTable(heads...)
	for k := range flow.Datasets {
		d := &flow.Datasets[k]
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = c.cell(d)
		}
		t.add(cells...)
		for i, c := range columns {
			if v.colours && c.tint != nil {
				t.tint(i, c.tint(d))
			}
		}
	}
	return t
}

// parts is the table of partitions: all of them, or those in trouble.
func (v flowView) parts(flow ingest.Flow) *table {
	t := newTable("数据集", ">分区", "状态", ">位置", ">末端", ">积压", ">条/秒", "~原因")
	for _, d := range flow.Datasets {
		for _, p := range d.Partitions {
			if !v.partitions && p.Error == "" && !p.Stopped {
				continue
			}
			t.add(d.Code, strconv.Itoa(int(p.Partition)), stateWord(p.State), count(p.Position), count(p.HighWatermark), count(p.Lag), rate(p.Rate), orDash(p.Error))
			if v.colours {
				t.tint(2, states[p.State].tint)
			}
		}
	}
	return t
}

func rate(x float64) string { return count(int64(x + 0.5)) }

// wait prints milliseconds in two or three digits and a unit, "—" for none.
func wait(ms *float64) string {
	if ms == nil {
		return "—"
	}
	d := time.Duration(*ms * float64(time.Millisecond))
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < 2*time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + "s"
	case d < 2*time.Hour:
		return strconv.FormatFloat(d.Minutes(), 'f', 0, 64) + "m"
	case d < 48*time.Hour:
		return strconv.FormatFloat(d.Hours(), 'f', 0, 64) + "h"
	}
	return strconv.FormatFloat(d.Hours()/24, 'f', 0, 64) + "d"
}

// spark draws values as bars against the largest, the newest n at most; what is
// nothing is a blank, so that a little is told from none.
func spark(values []float64, n int) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	if len(values) > n {
		values = means(values, n)
	}
	top := slices.Max(append([]float64{0}, values...))
	var b strings.Builder
	for _, v := range values {
		if v <= 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(bars[min(int(v/top*float64(len(bars))), len(bars)-1)])
	}
	return b.String()
}

// means gives n means of equal runs of values.
func means(values []float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		from, to := i*len(values)/n, (i+1)*len(values)/n
		for _, v := range values[from:to] {
			out[i] += v / float64(to-from)
		}
	}
	return out
}

// classes names the two classes with most rejects.
func classes(list []ingest.FlowRejects) string {
	var out []string
	for i, r := range list {
		if i == 2 {
			out = append(out, fmt.Sprintf("+%d", len(list)-i))
			break
		}
		out = append(out, r.Class+" "+count(r.Rows))
	}
	return orDash(strings.Join(out, " · "))
}
