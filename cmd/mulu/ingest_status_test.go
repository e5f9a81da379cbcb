package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"mulu/internal/httpapi/gen/ingest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shownFlow has a dataset in each state, one of them with a long reason.
func shownFlow() ingest.Flow {
	at := time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC)
	ms := func(x float64) *float64 { return &x }
	ramp := make([]float64, 30)
	for i := range ramp {
		ramp[i] = float64(i * 40)
	}
	return ingest.Flow{At: at, HeldBytes: 12 << 20, BudgetBytes: 256 << 20, Datasets: []ingest.FlowDataset{
		{Code: "resident", Title: "常住人口基本信息", State: ingest.FlowStateRunning, Lag: 1320, Rate: 1159.6, Series: ramp, P50Ms: ms(612.4), P99Ms: ms(1834), BatchRowsP50: 1160,
			Offsets: 892_345, Good: 892_114, Rejected: 230, Control: 1, Balanced: true, LastAt: &at,
			Rejects:    []ingest.FlowRejects{{Class: "rule", Rows: 201}, {Class: "decode", Rows: 20}, {Class: "type", Rows: 9}},
			Partitions: []ingest.FlowPartition{{Partition: 0, Position: 446_172, HighWatermark: 447_492, Lag: 1320, Rate: 1159.6, State: ingest.FlowStateRunning}}},
		{Code: "visit", Title: "独居老人走访记录与关爱服务情况登记", State: ingest.FlowStateStopped, Series: make([]float64, 30), P50Ms: ms(75_000), P99Ms: ms(7_300_000),
			Offsets: 18_230, Good: 18_229, Balanced: false, LastAt: &at,
			Partitions: []ingest.FlowPartition{{Partition: 0, Position: 18_230, HighWatermark: 18_230, State: ingest.FlowStateStopped, Stopped: true, Error: "主题 mulu.visit 已被重建(原标识 01，现为 02)，已停止读取以免混淆 / topic was created again"}}},
		{Code: "address", Title: "地址", State: ingest.FlowStatePaused, Series: make([]float64, 30), Balanced: true},
		{Code: "permit", Title: "许可", State: ingest.FlowStateHeld, Series: make([]float64, 30), Balanced: true},
		{Code: "division", Title: "行政区划", State: ingest.FlowStateIdle, Series: make([]float64, 30), Balanced: true,
			Partitions: []ingest.FlowPartition{{Partition: 0, State: ingest.FlowStateIdle}}},
	}}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (go test -update writes it anew); got\n%s\nwant\n%s", name, got, want)
	}
}

func TestFlowIsShown(t *testing.T) {
	for _, v := range []flowView{{}, {width: 80}, {width: 120}, {width: 160, partitions: true}} {
		t.Run(fmt.Sprint(v.width), func(t *testing.T) {
			var b bytes.Buffer
			v.print(&b, shownFlow())
			golden(t, fmt.Sprintf("flow-%d.txt", v.width), b.String())
			for line := range strings.Lines(b.String()) {
				if n := uniseg.StringWidth(strings.TrimSuffix(line, "\n")); v.width > 0 && n > v.width {
					t.Errorf("%d cells on a terminal of %d: %s", n, v.width, line)
				}
			}
		})
	}
	t.Run("nothing yet", func(t *testing.T) {
		var b bytes.Buffer
		flowView{width: 80}.print(&b, ingest.Flow{})
		if !strings.Contains(b.String(), "mulu apply") {
			t.Errorf("does not say what to do: %s", b.String())
		}
	})
}

func TestColoursAddNothingElse(t *testing.T) {
	var with, without bytes.Buffer
	flowView{width: 160, colours: true}.print(&with, shownFlow())
	flowView{width: 160}.print(&without, shownFlow())
	stripped := strings.NewReplacer(red, "", yellow, "", green, "", grey, "", plain, "").Replace(with.String())
	if stripped != without.String() {
		t.Errorf("colours move the table:\n%s\n%s", stripped, without.String())
	}
	if !strings.Contains(with.String(), red+"停止") || !strings.Contains(with.String(), red+"✗") || strings.Contains(without.String(), "\x1b") {
		t.Errorf("wrong colours:\n%q", with.String())
	}
}

func TestLiveScreenFits(t *testing.T) {
	flow := shownFlow()
	l := &liveFlow{flow: &flow, err: errors.New("连不上 http://127.0.0.1:1\x1b[2J，mulu 可能已停止")}
	for _, height := range []int{6, 10, 40} {
		got := l.screen(flowView{width: 80}, height)
		lines := strings.Split(got, "\r\n")
		if len(lines) > height {
			t.Errorf("%d lines on a terminal of %d", len(lines), height)
		}
		if strings.Contains(strings.ReplaceAll(got, "\r\n", ""), "\n") {
			t.Error("a raw terminal needs a carriage return before every line feed")
		}
		if !strings.Contains(got, "连不上") || strings.Contains(got, "\x1b[2J") || !strings.HasPrefix(got, goHome) {
			t.Errorf("screen %q", got)
		}
		if cut := strings.Contains(got, "另有"); cut != (height < 40) {
			t.Errorf("%d lines: hidden lines are named: %v", height, cut)
		}
	}
}

func TestWait(t *testing.T) {
	f := func(ms float64, want string) {
		t.Helper()
		if got := wait(&ms); got != want {
			t.Errorf("wait(%v) = %q, want %q", ms, got, want)
		}
	}
	f(0, "0ms")
	f(999.4, "999ms")
	f(1000, "1.0s")
	f(12_400, "12s")
	f(90_000, "90s")
	f(7_300_000, "2h")
	f(200*3_600_000, "8d")
	if wait(nil) != "—" {
		t.Error("nothing is not 0")
	}
}

func TestSpark(t *testing.T) {
	f := func(values []float64, n int, want string) {
		t.Helper()
		if got := spark(values, n); got != want {
			t.Errorf("spark(%v, %d) = %q, want %q", values, n, got, want)
		}
	}
	f(nil, 5, "")
	f([]float64{0, 0}, 5, "  ")
	f([]float64{0, 1, 8}, 5, " ▂█")
	f([]float64{0, 0, 4, 4, 8, 8}, 3, " ▅█")
	f([]float64{.001, 1000}, 5, "▁█")
}
