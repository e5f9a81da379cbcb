package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"

	"mulu/internal/app"
	"mulu/internal/config"
	"mulu/library/embedded"
)

// What an embedded mulu needs at least.
const (
	needDisk   = 2 << 30 // bytes free in the data directory
	needMemory = 2 << 30 // bytes available
)

// finding is one line of doctor.
type finding struct {
	Name   string `json:"name"` // stable
	Title  string `json:"title"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Mend   string `json:"mend"` // "" when OK
}

func newDoctor() *cobra.Command {
	var place placeFlags
	var file string
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "检查本机缺什么、怎么补 / what is missing here, and the mend",
		Long: `不需要 mulu 在运行，也不需要 Go 或 Node.js。缺少必需项时退出码为 1。
Needs no running mulu, no Go and no Node.js. Exit code 1 if something needed is missing.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg := place.config("none")
			if file != "" {
				var err error
				if cfg, err = config.Load(file); err != nil {
					return err
				}
			}
			found := diagnose(c.Context(), cfg)
			bad := 0
			for _, f := range found {
				if !f.OK {
					bad++
				}
			}
			if asJSON {
				if err := printValue(c.OutOrStdout(), map[string]any{"ok": bad == 0, "checks": found}); err != nil {
					return err
				}
			} else {
				printFindings(c.OutOrStdout(), found)
			}
			if bad > 0 {
				return fmt.Errorf("%d 项需要处理 / to be mended", bad)
			}
			return nil
		},
	}
	place.add(c, "mulu-data")
	_ = c.Flags().MarkHidden("verbose")
	c.Flags().StringVar(&file, "config", "", "按配置文件检查 / check a configuration file")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printFindings(out io.Writer, found []finding) {
	t := newTable("", "检查", "结果")
	for _, f := range found {
		t.add(mark(f.OK), f.Title, f.Detail)
		if f.Mend != "" {
			t.add("", "", "→ "+f.Mend)
		}
	}
	t.rows = t.rows[1:]
	t.write(out)
}

// diagnose checks what a mulu with this configuration would need, in the order in
// which a start would meet it.
func diagnose(ctx context.Context, cfg config.Config) []finding {
	found := []finding{checkConfig(cfg)}
	held, lock := checkLock(cfg.Data)
	found = append(found, lock, checkWritable(cfg.Data), checkDisk(cfg.Data), checkMemory())
	if cfg.Engine.URL == "" {
		found = append(found, checkProcessor(), checkEngine(ctx, cfg.Engine.Library))
	} else {
		found = append(found, checkReach("clickhouse", "外部 ClickHouse", hostOf(cfg.Engine.URL, "8123")))
	}
	found = append(found, checkPort("listen", "控制台端口", cfg.Listen, "--listen", held))
	if len(cfg.Broker.Seeds) == 0 {
		found = append(found, checkPort("kafka", "试用 Kafka 端口", cfg.Broker.Listen, "--kafka", held))
	}
	for _, s := range cfg.Broker.Seeds {
		found = append(found, checkReach("kafka", "外部 Kafka", s))
	}
	if cfg.Store != "" {
		found = append(found, checkReach("store", "外部 PostgreSQL", hostOf(cfg.Store, "5432")))
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Connections)) {
		found = append(found, checkConnection(name, cfg.Connections[name]))
	}
	return found
}

// checkConnection finds out whether a connection's secret is there. It is not dialled:
// an exchange database may let only the serving machine in.
func checkConnection(name string, c config.Connection) finding {
	if _, err := c.Secret(); err != nil {
		return bad("connection", "前置库 "+name, err.Error(), "请把连接串放到配置所指之处，见 docs/ingest/table.md")
	}
	return good("connection", "前置库 "+name, c.Driver+"，连接串可读")
}

func good(name, title, detail string) finding {
	return finding{Name: name, Title: title, OK: true, Detail: detail}
}

func bad(name, title, detail, mend string) finding {
	return finding{Name: name, Title: title, Detail: detail, Mend: mend}
}

func checkConfig(cfg config.Config) finding {
	if err := cfg.Validate(); err != nil {
		return bad("config", "配置", err.Error(), "请按上述说明改正参数或配置文件")
	}
	return good("config", "配置", "有效")
}

// checkLock also says whether a running mulu holds the directory: then its ports are
// rightly held too.
func checkLock(dir string) (held bool, f finding) {
	pid, err := app.Holder(dir)
	if err != nil {
		return false, bad("lock", "数据目录占用", err.Error(), "请检查目录权限")
	}
	if pid == "" {
		return false, good("lock", "数据目录占用", "空闲")
	}
	if _, err := os.Stat(filepath.Join(dir, app.RunFileName)); err == nil {
		return true, good("lock", "数据目录占用", "mulu 正在运行，进程 "+pid)
	}
	return true, good("lock", "数据目录占用", "mulu 正在启动或停止，进程 "+pid)
}

// checkWritable tries to write where the data will be, or where it would be made.
func checkWritable(dir string) finding {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	at := existing(abs)
	f, err := os.CreateTemp(at, ".mulu-doctor-*")
	if err != nil {
		return bad("data", "数据目录", fmt.Sprintf("%s 不可写：%v", at, err), "请改正权限，或用 --data 指定另一个目录")
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return bad("data", "数据目录", err.Error(), "请改正权限，或用 --data 指定另一个目录")
	}
	if at != abs {
		return good("data", "数据目录", abs+"（首次启动时创建）")
	}
	return good("data", "数据目录", abs)
}

// existing is the nearest directory above path that is there.
func existing(path string) string {
	for {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			return path
		}
		up := filepath.Dir(path)
		if up == path {
			return path
		}
		path = up
	}
}

func checkDisk(dir string) finding {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	var st unix.Statfs_t
	if err := unix.Statfs(existing(abs), &st); err != nil {
		return bad("disk", "磁盘", err.Error(), "请检查数据目录所在的磁盘")
	}
	free := int64(st.Bavail) * int64(st.Bsize) //nolint:gosec,unconvert // sizes differ between platforms and fit
	detail := fmt.Sprintf("可用 %s", size(free))
	if free < needDisk {
		return bad("disk", "磁盘", detail, "至少需要 "+size(needDisk)+"；请清理，或用 --data 指定另一块磁盘")
	}
	return good("disk", "磁盘", detail)
}

func checkMemory() finding {
	free, err := availableMemory()
	if err != nil {
		return good("memory", "内存", "无法读取（"+err.Error()+"），未检查")
	}
	detail := "可用 " + size(free)
	if free < needMemory {
		return bad("memory", "内存", detail, "至少需要 "+size(needMemory)+"；请关闭其他程序，或在配置中调小 engine.memory_mb 与 ingest.memory_mb")
	}
	return good("memory", "内存", detail)
}

// availableMemory is what the kernel would give without swapping, in bytes.
func availableMemory() (int64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kb int64
		if n, err := fmt.Sscanf(s.Text(), "MemAvailable: %d kB", &kb); err == nil && n == 1 {
			return kb << 10, nil
		}
	}
	return 0, errors.New("no MemAvailable in /proc/meminfo")
}

func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MB", n>>20)
}

func checkProcessor() finding {
	const mend = "内嵌引擎无法在本机运行；请换用支持的机器，或用 --engine 指定外部 ClickHouse"
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return bad("processor", "处理器", runtime.GOOS+"/"+runtime.GOARCH+"，需要 linux/amd64", mend)
	}
	var missing []string
	for _, need := range []struct {
		name string
		has  bool
	}{{"AVX2", cpu.X86.HasAVX2}, {"BMI1", cpu.X86.HasBMI1}, {"BMI2", cpu.X86.HasBMI2}} {
		if !need.has {
			missing = append(missing, need.name)
		}
	}
	if len(missing) > 0 {
		return bad("processor", "处理器", "缺少指令集 "+strings.Join(missing, "、"), mend)
	}
	return good("processor", "处理器", fmt.Sprintf("%d 核，AVX2、BMI1、BMI2 具备", runtime.NumCPU()))
}

func checkEngine(ctx context.Context, explicit string) finding {
	const mend = "请运行 make engine，或设置环境变量 " + embedded.EnvLib + " 为 libchdb.so 的路径，或用 --engine 指定外部 ClickHouse"
	lib, err := embedded.Locate(explicit)
	if err == nil {
		err = embedded.Verify(ctx, lib)
	}
	if err != nil {
		what, _, _ := strings.Cut(err.Error(), "。") // the rest is the mend
		return bad("engine", "内嵌引擎", what, mend)
	}
	return good("engine", "内嵌引擎", "版本 "+embedded.Version+"，大小与摘要相符："+lib)
}

// checkPort tries to listen. A port that the running mulu of this directory holds is
// in order.
func checkPort(name, title, addr, flag string, held bool) finding {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		l.Close()
		return good(name, title, addr+" 空闲")
	}
	if held && errors.Is(err, unix.EADDRINUSE) {
		return good(name, title, addr+" 由运行中的 mulu 使用")
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return bad(name, title, addr+" 已被占用", "请停止占用它的程序，或用 "+flag+" 换一个")
	}
	return bad(name, title, addr+" 无法监听："+err.Error(), "请用 "+flag+" 换一个本机地址")
}

func checkReach(name, title, addr string) finding {
	c, err := net.DialTimeout("tcp", addr, 3*time.Second)
	if err != nil {
		return bad(name, title, addr+" 连不上："+err.Error(), "请检查地址、网络与该服务是否在运行")
	}
	c.Close()
	return good(name, title, addr+" 可以连接")
}

// hostOf takes host:port out of a URL. Its password is never printed.
func hostOf(raw, port string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return "?"
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}
