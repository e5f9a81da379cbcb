// Package config is the one description of a running mulu: what is embedded and
// what is reached over the network, where data lies, and how much it may use.
package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mulu"
	"mulu/ledger/contract"
)

// Config is the whole configuration. The zero value of a field means its default.
type Config struct {
	// Data is the directory of everything embedded; made if absent, 0700.
	Data string `yaml:"data"`
	// Listen is the address of the console and the API.
	Listen string `yaml:"listen"`
	// Sample says which demonstration data the first start loads: small, full, none.
	Sample string `yaml:"sample"`
	// Store is the control store: "" is SQLite in Data, or a postgres:// URL.
	Store string `yaml:"store"`

	House  House  `yaml:"house"`
	Broker Broker `yaml:"broker"`
	// Registry is where the schemas of avro, json_schema and protobuf records are.
	Registry Registry `yaml:"registry"`
	Engine   Engine   `yaml:"engine"`
	Ingest   Ingest   `yaml:"ingest"`
	Ledger   Ledger   `yaml:"ledger"`
	// Connections are exchange databases of departments (前置库), by the name that a
	// dataset's way calls them.
	Connections map[string]Connection `yaml:"connections"`
}

// House names the two organisations that a chain is founded by, which can not be
// changed afterwards, and the district.
type House struct {
	// Bureau is the authority (公共数据主管部门): its approvers decide.
	Bureau Founder `yaml:"bureau"`
	// Center is the data centre (大数据中心): its own system anchors and links.
	Center Founder `yaml:"center"`
	// Division is the district's code, six digits; it begins every grant's id.
	Division mulu.Division `yaml:"division"`
}

// Founder is one of the two organisations.
type Founder struct {
	Code  mulu.OrgCode `yaml:"code"`
	Name  string       `yaml:"name"`
	Short string       `yaml:"short"`
}

// Org is the founder as an organisation of a kind ("bureau", "center").
func (h *House) Org(f Founder, kind string) mulu.Org {
	return mulu.Org{Code: f.Code, Name: f.Name, Short: f.Short, Kind: kind, Division: h.Division}
}

// Broker is the source of department data.
type Broker struct {
	// Seeds are host:port of an outside Kafka; empty starts the embedded trial broker.
	Seeds []string `yaml:"seeds"`
	// Listen is the embedded broker's address.
	Listen string `yaml:"listen"`
	// RetainMB bounds what the embedded broker keeps on disk, over all topics: it
	// reads its whole log into memory after a crash.
	RetainMB int64 `yaml:"retain_mb"`
}

// Registry is a schema registry of Confluent's REST interface.
type Registry struct {
	// URLs of one outside registry, as many as it has; empty is the embedded one, which is
	// at /registry of Listen.
	URLs []string `yaml:"urls"`
	// User and Password, or Token, are shown to the outside registry.
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	Token    string `yaml:"token"`
	// CA is a PEM file of the certificates it is known by; empty is the system's.
	CA string `yaml:"ca"`
}

// Engine is the library's ClickHouse.
type Engine struct {
	// URL of an outside ClickHouse over HTTP (http://user:password@host:8123); empty
	// runs the embedded engine.
	URL string `yaml:"url"`
	// Library is the path of libchdb.so; empty looks in the usual places.
	Library string `yaml:"library"`
	// MemoryMB bounds the embedded engine; 0 is half of the machine, at most 4096.
	MemoryMB int64 `yaml:"memory_mb"`
	// Fsync makes every insert survive power loss; without it a crash of the process
	// loses nothing, a crash of the machine may. docs/performance.md has the cost.
	Fsync bool `yaml:"fsync"`
	// HistoryDays is how long the history of a dataset is kept.
	HistoryDays int64 `yaml:"history_days"`
}

// Ingest is the way in.
type Ingest struct {
	// BatchRows cuts batches at multiples of this many offsets.
	BatchRows int64 `yaml:"batch_rows"`
	// Linger is how long a part-filled batch waits for more; where small batches follow
	// each other they wait five times as long.
	Linger time.Duration `yaml:"linger"`
	// MemoryMB bounds what all partitions together hold before it is stored: half of
	// it for records that wait, half for the batches being worked on.
	MemoryMB int64 `yaml:"memory_mb"`
	// HoldShare holds a partition for review when this share of a batch can not be
	// read for one and the same reason; 0 never holds.
	HoldShare float64 `yaml:"hold_share"`
	// HoldLeast is how many records that must be at least.
	HoldLeast int64 `yaml:"hold_least"`
	// ReconcileEvery is how often source and library are compared; each turn reads at
	// most ReconcileMB from the source, and what is left is the next turn's.
	ReconcileEvery time.Duration `yaml:"reconcile_every"`
	ReconcileMB    int64         `yaml:"reconcile_mb"`
	// StatementDays is how long statements are kept.
	StatementDays int64 `yaml:"statement_days"`
	// PostMB is the longest body of a post, unzipped; PostMemoryMB bounds what all that
	// are being taken hold.
	PostMB       int64 `yaml:"post_mb"`
	PostMemoryMB int64 `yaml:"post_memory_mb"`
	// TrustedPackages are the public keys ("ed25519:…") of houses whose offline packages
	// are taken, by name.
	TrustedPackages map[string]string `yaml:"trusted_packages"`

	Files `yaml:",inline"`
}

// Ledger is the directory chain.
type Ledger struct {
	// Origin names the log in its checkpoints; it can not change once there are any.
	Origin string `yaml:"origin"`
	// AnchorEvery is how often batch and receipt roots go on the chain.
	AnchorEvery time.Duration `yaml:"anchor_every"`
}

// Default is everything embedded on this machine.
func Default() Config {
	return Config{
		Data:   "mulu-data",
		Listen: "127.0.0.1:8480",
		Sample: "small",
		// The synthetic codes of the sample district: a real house names its own.
		House: House{
			Bureau:   Founder{Code: "11310107MBQ000024N", Name: "普陀区数据局", Short: "数据局"},
			Center:   Founder{Code: "12310107MBQ000032E", Name: "普陀区大数据中心", Short: "大数据中心"},
			Division: "310107",
		},
		Broker: Broker{Listen: "127.0.0.1:19092", RetainMB: 1024},
		Ingest: Ingest{BatchRows: 100_000, Linger: time.Second, MemoryMB: 288, HoldShare: 0.5, HoldLeast: 20,
			ReconcileEvery: time.Hour, ReconcileMB: 4096, StatementDays: 1095, PostMB: 64, PostMemoryMB: 64, Files: defaultFiles},
		Engine: Engine{HistoryDays: 1095},
		Ledger: Ledger{Origin: "mulu.local/directory", AnchorEvery: 10 * time.Second},
	}
}

// Load reads a YAML file over Default. Unknown fields are errors with their line.
func Load(path string) (Config, error) { return LoadOver(Default(), path) }

// LoadOver reads a YAML file over c: what it does not name stays as in c.
func LoadOver(c Config, path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("读取配置 / read configuration: %w", err)
	}
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) { // an empty file names nothing
		return c, fmt.Errorf("配置 %s 有误（字段见 mulu.example.yaml）/ read configuration: %w", path, err)
	}
	return c, nil
}

// Validate reports every fault at once.
func (c *Config) Validate() error {
	var faults []error
	bad := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if c.Data == "" {
		bad("data: 缺少数据目录 / a data directory is needed")
	}
	for name, addr := range map[string]string{"listen": c.Listen, "broker.listen": c.Broker.Listen} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			bad("%s: %q 不是 host:port / is not host:port", name, addr)
		} else if ip := net.ParseIP(host); name == "broker.listen" && (ip == nil || !ip.IsLoopback()) && host != "localhost" {
			bad("%s: 内嵌试用 Kafka 只能监听本机回环地址，%q 不是；外部访问请配置 broker.seeds 指向真正的 Kafka / the embedded trial broker listens on loopback only", name, host)
		}
	}
	if !slices.Contains([]string{"small", "full", "none"}, c.Sample) {
		bad("sample: %q 应为 small、full 或 none / want small, full or none", c.Sample)
	}
	if c.Store != "" && !strings.HasPrefix(c.Store, "postgres://") && !strings.HasPrefix(c.Store, "postgresql://") {
		bad("store: %q 应为空（SQLite）或 postgres:// / want empty (SQLite) or a postgres:// URL", c.Store)
	}
	if c.Engine.URL != "" {
		if u, err := url.Parse(c.Engine.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			bad("engine.url: %q 应为 http(s)://host:port / want http(s)://host:port", c.Engine.URL)
		}
	}
	for _, s := range c.Registry.URLs {
		if u, err := url.Parse(s); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			bad("registry.urls: %q 应为 http(s)://host:port / want http(s)://host:port", s)
		}
	}
	if c.Registry.Token != "" && c.Registry.User != "" {
		bad("registry: user 与 token 只能填一种 / either user or token")
	}
	if c.Ingest.BatchRows < 1 || c.Ingest.BatchRows > 1_000_000 {
		bad("ingest.batch_rows: %d 应在 1 到 1000000 之间：一批必须是引擎的一个数据块 / want 1 to 1000000, a batch must be one block", c.Ingest.BatchRows)
	}
	if c.Ingest.Linger <= 0 || c.Ingest.MemoryMB < 16 {
		bad("ingest: linger 须大于 0，memory_mb 至少 16 / linger must be positive and memory_mb at least 16")
	}
	if c.Ingest.HoldShare < 0 || c.Ingest.HoldShare > 1 || c.Ingest.HoldLeast < 1 {
		bad("ingest: hold_share 应在 0 到 1 之间，hold_least 至少 1 / want hold_share from 0 to 1 and hold_least at least 1")
	}
	if c.Engine.HistoryDays < 1 {
		bad("engine.history_days: 至少 1 天 / at least one day")
	}
	if c.Ingest.ReconcileEvery < time.Minute || c.Ingest.ReconcileMB < 64 || c.Ingest.StatementDays < 366 {
		bad("ingest: reconcile_every 至少 1m，reconcile_mb 至少 64，statement_days 至少 366（对账单至少保存一年）/ at least 1m, 64 and 366")
	}
	if c.Ingest.PostMB < 1 || c.Ingest.PostMB > 1024 || c.Ingest.PostMemoryMB < 16 {
		bad("ingest: post_mb 应在 1 到 1024 之间，post_memory_mb 至少 16 / want post_mb from 1 to 1024 and post_memory_mb at least 16")
	}
	for name, key := range c.Ingest.TrustedPackages {
		if _, err := contract.ParseKey(key); err != nil {
			bad("ingest.trusted_packages: %s 的公钥应为 ed25519: 加 64 位小写十六进制 / want ed25519: and 64 lower-case hex digits", name)
		}
	}
	c.Ingest.Files.validate(bad)
	for name, f := range map[string]Founder{"house.bureau": c.House.Bureau, "house.center": c.House.Center} {
		if len(f.Code) != 18 || f.Name == "" {
			bad("%s: 需要 18 位统一社会信用代码和名称 / a social credit code of 18 characters and a name are needed", name)
		}
	}
	if len(c.House.Division) != 6 {
		bad("house.division: %q 应为 6 位区划代码 / want six digits", c.House.Division)
	}
	if c.Ledger.Origin == "" || c.Ledger.AnchorEvery <= 0 {
		bad("ledger: origin 不能为空，anchor_every 须大于 0 / origin and a positive anchor_every are needed")
	}
	if c.Broker.RetainMB < 64 {
		bad("broker.retain_mb: 至少 64 / at least 64")
	}
	faults = append(faults, c.connectionFaults()...)
	return errors.Join(faults...)
}

// StoreDSN is the control store's address.
func (c *Config) StoreDSN() string {
	if c.Store != "" {
		return c.Store
	}
	return "sqlite:" + c.Path("control.db")
}

// Path names a file or directory below Data.
func (c *Config) Path(elem ...string) string {
	return filepath.Join(append([]string{c.Data}, elem...)...)
}

// Seeds are the brokers that clients dial.
func (c *Config) Seeds() []string {
	if len(c.Broker.Seeds) > 0 {
		return c.Broker.Seeds
	}
	return []string{c.Broker.Listen}
}

// EngineMemory is the embedded engine's limit in bytes.
func (c *Config) EngineMemory() int64 {
	if c.Engine.MemoryMB > 0 {
		return c.Engine.MemoryMB << 20
	}
	return min(machineMemory()/2, 4<<30)
}

// machineMemory is the machine's RAM in bytes, or 4 GiB where it can not be read.
func machineMemory() int64 {
	if runtime.GOOS == "linux" {
		if b, err := os.ReadFile("/proc/meminfo"); err == nil {
			var kb int64
			if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kb); err == nil {
				return kb << 10
			}
		}
	}
	return 4 << 30
}
