package table

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	mssql "github.com/microsoft/go-mssqldb"
	_ "github.com/sijms/go-ora/v2" // the driver "oracle"

	"mulu"
)

// Dialect is what differs between databases. Another one is added with Register.
type Dialect struct {
	Name string // what a connection calls it: driver
	// Open makes the pool; nothing is reached yet. nil opens the database/sql driver of
	// Name, which is linked in by whoever registers it.
	Open func(dsn string) (*sql.DB, error)
	// Quote makes one part of a name an identifier.
	Quote func(part string) string
	// Fold gives a part of a table's name, as written in a manifest, the case that the
	// database keeps it in; nil leaves it. Columns are named as the database names them.
	Fold func(part string) string
	// Placeholder names the n-th argument, from 1.
	Placeholder func(n int) string
	// Limit makes a query that gives the first n rows in order.
	Limit func(columns, rest, order string, n int) string
	// ReadOnly says that the driver can begin a read-only transaction.
	ReadOnly bool
	// Padded are types whose values are filled up with blanks that mean nothing.
	Padded []string
	// DateHasTime says that the type DATE has hours, too.
	DateHasTime bool
	// Bind makes a placeholder an expression of the field's type; nil leaves it.
	Bind func(f Field, v Value, placeholder string) string
	// Arg is what is given to the driver for a value; nil is Value.arg.
	Arg func(f Field, v Value) any
}

var (
	registerMu sync.Mutex
	dialects   = map[string]*Dialect{}
)

// Register adds a dialect, or replaces the one of its name, before anything is opened.
func Register(d Dialect) {
	registerMu.Lock()
	defer registerMu.Unlock()
	dialects[d.Name] = &d
}

// Drivers names the dialects there are.
func Drivers() []string {
	registerMu.Lock()
	defer registerMu.Unlock()
	return slices.Sorted(maps.Keys(dialects))
}

func dialectOf(name string) (*Dialect, error) {
	registerMu.Lock()
	d := dialects[name]
	registerMu.Unlock()
	if d == nil {
		return nil, fmt.Errorf("没有数据库驱动 %q；可用：%s / no such driver: %w", name, strings.Join(Drivers(), "、"), mulu.ErrInvalid)
	}
	if d.Open == nil && !slices.Contains(sql.Drivers(), d.Name) {
		return nil, fmt.Errorf("驱动 %q 没有编入本程序，做法见 docs/ingest/table.md / the driver is not linked in: %w", name, mulu.ErrInvalid)
	}
	return d, nil
}

func init() {
	postgres := Dialect{
		Name: "postgres", Open: openPostgres, Quote: quoteWith(`"`, `"`), Placeholder: numbered("$"), Limit: limitAtEnd, ReadOnly: true, Padded: []string{"BPCHAR"},
	}
	kingbase := postgres // KingbaseES speaks PostgreSQL's protocol
	kingbase.Name = "kingbase"
	my := Dialect{
		Name: "mysql", Open: openMySQL, Quote: quoteWith("`", "`"), Placeholder: func(int) string { return "?" }, Limit: limitAtEnd, ReadOnly: true,
		Bind: func(_ Field, v Value, p string) string {
			if v.Kind == Dec { // a text beside a decimal would be compared as a float
				return "CAST(" + p + " AS DECIMAL(65,30))"
			}
			return p
		},
	}
	maria := my
	maria.Name = "mariadb"
	server := Dialect{
		Name: "sqlserver", Quote: quoteWith("[", "]"), Placeholder: numbered("@p"), Padded: []string{"CHAR", "NCHAR"},
		Limit: func(columns, rest, order string, n int) string {
			return fmt.Sprintf("SELECT TOP (%d) %s%s ORDER BY %s", n, columns, rest, order)
		},
		Arg: argSQLServer,
	}
	oracle := Dialect{
		Name: "oracle", Quote: quoteWith(`"`, `"`), Fold: upper, Placeholder: numbered(":"), Limit: limitByRownum, Padded: []string{"CHAR"}, DateHasTime: true, Bind: bindOracle,
		Arg: func(_ Field, v Value) any {
			if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil && v.Kind == Dec { // NUMBER; a text would be read after the session's decimal point
				return n
			}
			return v.arg()
		},
	}
	dm := oracle // its driver is the vendor's, see docs/ingest/table.md
	dm.Name = "dm"
	for _, d := range []Dialect{postgres, kingbase, my, maria, server, oracle, dm} {
		dialects[d.Name] = &d
	}
}

func quoteWith(open, end string) func(string) string {
	return func(part string) string { return open + strings.ReplaceAll(part, end, end+end) + end }
}

func numbered(prefix string) func(int) string {
	return func(n int) string { return prefix + strconv.Itoa(n) }
}

func limitAtEnd(columns, rest, order string, n int) string {
	return fmt.Sprintf("SELECT %s%s ORDER BY %s LIMIT %d", columns, rest, order, n)
}

// limitByRownum works on every version of Oracle.
func limitByRownum(columns, rest, order string, n int) string {
	return fmt.Sprintf("SELECT * FROM (SELECT %s%s ORDER BY %s) WHERE ROWNUM <= %d", columns, rest, order, n)
}

// upper is how Oracle keeps a name that was not quoted when it was made.
func upper(part string) string {
	if strings.ToLower(part) == part {
		return strings.ToUpper(part)
	}
	return part
}

// name quotes [[database.]schema.]table.
func (d *Dialect) name(table string) string {
	parts := strings.Split(table, ".")
	for i, p := range parts {
		if d.Fold != nil {
			p = d.Fold(p)
		}
		parts[i] = d.Quote(p)
	}
	return strings.Join(parts, ".")
}

func openPostgres(dsn string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["timezone"] = "Asia/Shanghai"
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTime
	}
	return stdlib.OpenDB(*cfg), nil
}

func openMySQL(dsn string) (*sql.DB, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	cfg.ParseTime = false // a date that is none must come through, to be rejected
	if cfg.Timeout == 0 {
		cfg.Timeout = connectTime
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+08:00'" // TIMESTAMP is given in it
	cfg.MultiStatements, cfg.AllowAllFiles = false, false
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// argSQLServer gives times as what they are: a DATETIME is of 1/300 s, and another type
// beside it would be compared with digits that it does not have.
func argSQLServer(f Field, v Value) any {
	if v.Kind == Text && (f.Type == "VARCHAR" || f.Type == "CHAR") && !strings.ContainsFunc(v.Text, func(c rune) bool { return c > 0x7e }) {
		return mssql.VarChar(v.Text) // beside an NVARCHAR, an index on VARCHAR is not used
	}
	if v.Kind != Wall && v.Kind != Day && v.Kind != Instant {
		return v.arg()
	}
	t, err := v.time()
	if err != nil {
		return v.arg()
	}
	switch {
	case f.Type == "DATETIME" || f.Type == "SMALLDATETIME":
		return mssql.DateTime1(t)
	case v.Kind == Instant:
		return mssql.DateTimeOffset(t)
	}
	return t
}

// bindOracle makes times of texts (and CHARs), so that neither the session's zone nor the driver has
// a say in them.
func bindOracle(f Field, v Value, p string) string {
	switch {
	case v.Kind == Text && f.padded: // blanks do not count between two CHARs alone
		return "CAST(" + p + " AS CHAR(2000))"
	case v.Kind == Instant:
		return "TO_TIMESTAMP_TZ(" + p + `, 'YYYY-MM-DD"T"HH24:MI:SS.FFTZH:TZM')`
	case v.Kind == Day:
		return "TO_DATE(" + p + ", 'YYYY-MM-DD')"
	case v.Kind == Wall && f.Type == "DATE":
		return "TO_DATE(" + p + ", 'YYYY-MM-DD HH24:MI:SS')"
	case v.Kind == Wall:
		return "TO_TIMESTAMP(" + p + ", 'YYYY-MM-DD HH24:MI:SS.FF')"
	}
	return p
}

const connectTime = 15 * time.Second
