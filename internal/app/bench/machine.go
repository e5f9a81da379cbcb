package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mulu/library/embedded"
)

// Machine says where figures were measured.
type Machine struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu"`
	RAM    int64  `json:"ram_mb"`
	OS     string `json:"os"`
	Go     string `json:"go"`
	Engine string `json:"engine"`
}

func thisMachine() Machine {
	return Machine{
		Cores: runtime.NumCPU(), CPU: procField("/proc/cpuinfo", "model name"), RAM: procKB("/proc/meminfo", "MemTotal") >> 10,
		OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Engine: "libchdb " + embedded.Version,
	}
}

// procField is the first value of a "name: value" file, "" where there is none.
func procField(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(b) {
		k, v, _ := strings.Cut(string(line), ":")
		if strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func procKB(file, name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(procField(file, name), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// cpu is what this process has used so far, engine threads and all.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// clockTick is the unit of times in /proc/PID/stat; it is 100 Hz on every Linux that
// the engine runs on.
const clockTick = 10 * time.Millisecond

// cpuOf is what another process has used so far, 0 where /proc does not say.
func cpuOf(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold blanks: count fields after it.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	sys, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return time.Duration(user+sys) * clockTick
}

// forgetPeak gives back what earlier stages held and starts a new peak of memory.
func forgetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where it can not be done the peak is of the whole run
}

// peakMB is the most memory this process has held since forgetPeak.
func peakMB() float64 { return float64(procKB("/proc/self/status", "VmHWM")) / 1024 }

// stopwatch measures wall and CPU of a stretch of work.
type stopwatch struct {
	at   time.Time
	used time.Duration
}

func startWatch() stopwatch { return stopwatch{time.Now(), cpu()} }

func (w stopwatch) wall() time.Duration { return time.Since(w.at) }
func (w stopwatch) cpu() time.Duration  { return cpu() - w.used }

// perMillion is CPU seconds for a million rows.
func perMillion(d time.Duration, rows int64) float64 { return d.Seconds() / float64(rows) * 1e6 }

func perSecond(rows int64, d time.Duration) float64 { return float64(rows) / d.Seconds() }
