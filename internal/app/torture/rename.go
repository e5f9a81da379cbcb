package torture

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// renames is kills by strace: at the rename that makes an inserted part visible. A
// kill by time never hits that moment, and deduplication tokens lost rows exactly
// there. strace counts renames by thread, so it goes on until enough have hit.
func renames(ctx context.Context, o Options, out *Outcome) error {
	if o.Strace == "" {
		path, err := exec.LookPath("strace")
		if err != nil {
			return notRun("本机没有 strace / no strace on this machine")
		}
		o.Strace = path
	}
	if err := exec.CommandContext(ctx, o.Strace, "-o", os.DevNull, "true").Run(); err != nil {
		return notRun("本机不允许 ptrace / ptrace is not permitted here")
	}
	h, err := newHouse(ctx, o, out)
	if err != nil {
		return err
	}
	defer h.close()
	want, most := 2*o.Rounds, 20*o.Rounds
	for i := 0; out.KilledAt[partRename] < want && i < most; i++ {
		if err := h.life(ctx); err != nil {
			return fmt.Errorf("life %d: %w", i+1, err)
		}
		o.Progress("恰在改名时 kill -9 / killing at the rename", int64(out.KilledAt[partRename]), int64(want))
	}
	out.Did = fmt.Sprintf("kill -9 × %d，其中 %d 次恰在数据块改名 / of them %d at a part's rename", out.Kills, out.KilledAt[partRename], out.KilledAt[partRename])
	if out.KilledAt[partRename] == 0 {
		out.fail("%d 次都没有命中数据块改名，什么也没有证明 / no kill hit a part's rename: this proves nothing", out.Kills)
	}
	return h.settle(ctx)
}

func traceLog(o Options) string { return filepath.Join(o.Dir, "strace.log") }

// atRename makes strace kill the worker when one of its threads enters rename(2) for
// the nth time. Only the engine uses that call; Go's os.Rename is renameat(2). With
// -D the worker keeps the PID it was started with.
func atRename(o Options, n int) []string {
	return []string{"-D", "-f", "-qq", "--seccomp-bpf", "-o", traceLog(o), "-e", "trace=rename", "-e", fmt.Sprintf("inject=rename:signal=SIGKILL:when=%d", n)}
}

// partRenamed says whether the last rename that strace saw was of an inserted part.
func partRenamed(o Options) bool {
	b, err := os.ReadFile(traceLog(o))
	if err != nil {
		return false
	}
	i := strings.LastIndex(string(b), "rename(\"")
	return i >= 0 && strings.Contains(strings.SplitN(string(b[i:]), ",", 2)[0], "/tmp_insert_")
}
