package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mulu"
)

// Bounds of what is asked of a department's database at a time.
const (
	pageRows  = 2000
	pageBytes = 2 << 20 // of values
	mostRows  = 8192    // of rows that stand at one place, which a page can not part
	mostBytes = 3 << 20 // of a page as it is sent: the desk sends a chunk at 4 MiB or 10 000 rows, and a page must be one
	leastRows = 4       // of which the longest the desk takes are no more than a chunk
	pageTime  = 2 * time.Minute
)

// Connection is how an exchange database is reached.
type Connection struct {
	Driver string // the name of a Dialect
	DSN    string
}

// source is an open exchange database: one connection, which reads.
type source struct {
	*Dialect
	db  *sql.DB
	dsn string
}

// open reaches the database.
func open(ctx context.Context, c Connection) (*source, error) {
	d, err := dialectOf(c.Driver)
	if err != nil {
		return nil, err
	}
	var db *sql.DB
	if d.Open != nil {
		db, err = d.Open(c.DSN)
	} else {
		db, err = sql.Open(d.Name, c.DSN)
	}
	s := &source{Dialect: d, db: db, dsn: c.DSN}
	if err != nil {
		return nil, fmt.Errorf("连接串不对 / connection string: %w", s.hide(err))
	}
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("连不上前置库，请检查地址、账号和网络 / reach the exchange database: %w", s.hide(err))
	}
	return s, nil
}

func (s *source) close() { s.db.Close() } //nolint:errcheck // it only reads

// hidden is a driver's error without the connection string that some drivers put in it.
type hidden struct {
	error
	text string
}

func (h hidden) Error() string { return h.text }
func (h hidden) Unwrap() error { return h.error }

func (s *source) hide(err error) error {
	if err == nil || s.dsn == "" || !strings.Contains(err.Error(), s.dsn) {
		return err
	}
	return hidden{err, strings.ReplaceAll(err.Error(), s.dsn, "…")}
}

// read runs f in a transaction that can not write, where the database has it.
func (s *source) read(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: s.ReadOnly})
	if err == nil {
		defer tx.Rollback() //nolint:errcheck // it changed nothing
		err = f(ctx, tx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("前置库 %s 内没有答复，请检查排序列和主键上是否有索引 / the exchange database is too slow: %w", pageTime, err)
	}
	return s.hide(err)
}

// fields describes a table by asking for none of its rows.
func (s *source) fields(ctx context.Context, table string) (out []Field, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT * FROM "+s.name(table)+" WHERE 1 = 0")
		if err != nil {
			return err
		}
		defer rows.Close()
		types, err := rows.ColumnTypes()
		if err != nil {
			return err
		}
		for _, t := range types {
			f := Field{Name: t.Name(), Type: strings.ToUpper(t.DatabaseTypeName())}
			f.padded = slices.Contains(s.Padded, f.Type)
			f.dated = f.Type == "DATE" && !s.DateHasTime
			out = append(out, f)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("读不到表 %s，请检查表名（各部分按原样加引号：%s）和查询权限 / describe the table: %w", table, s.name(table), err)
	}
	return out, nil
}

// query is SQL text with its arguments.
type query struct {
	*Dialect
	text strings.Builder
	args []any
}

// bind adds an argument and gives its expression.
func (q *query) bind(f Field, v Value) string {
	if q.Arg != nil {
		q.args = append(q.args, q.Arg(f, v))
	} else {
		q.args = append(q.args, v.arg())
	}
	p := q.Placeholder(len(q.args))
	if q.Bind != nil {
		p = q.Dialect.Bind(f, v, p)
	}
	return p
}

// where adds a condition to those there are.
func (q *query) where(format string, a ...any) {
	if q.text.Len() == 0 {
		q.text.WriteString(" WHERE ")
	} else {
		q.text.WriteString(" AND ")
	}
	fmt.Fprintf(&q.text, format, a...)
}

// from adds that a row stands at a place or after it. The first field is compared by
// itself first, since that is what an index is asked for.
func (q *query) from(fields []Field, at []Value) string {
	col := q.Quote(fields[0].Name)
	first := col + " >= " + q.bind(fields[0], at[0])
	if len(at) == 1 {
		return first
	}
	after := q.bind(fields[0], at[0])
	same := q.bind(fields[0], at[0])
	return fmt.Sprintf("%s AND (%s > %s OR (%s = %s AND %s))", first, col, after, col, same, q.from(fields[1:], at[1:]))
}

// what says which rows of a table are asked for.
type what struct {
	table  string
	fields []Field // that are read
	order  []Field // in this order …
	at     []Value // … from this place, nil for the beginning; may be shorter than order
	key    []Field
	nulls  bool // those that have no value in key, instead of those that have
	batch  *Field
	no     Value // of batch
}

// rest is everything of the query between its columns and its order.
func (w *what) rest(d *Dialect) *query {
	q := &query{Dialect: d}
	if w.batch != nil {
		q.where("%s = %s", d.Quote(w.batch.Name), q.bind(*w.batch, w.no))
	}
	if len(w.at) > 0 {
		q.where("%s", q.from(w.order, w.at))
	}
	var conds []string
	for _, f := range w.key {
		if w.nulls {
			conds = append(conds, d.Quote(f.Name)+" IS NULL")
		} else {
			q.where("%s IS NOT NULL", d.Quote(f.Name))
		}
	}
	if w.nulls {
		q.where("(%s)", strings.Join(conds, " OR "))
	}
	return q
}

func names(d *Dialect, fields []Field) string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = d.Quote(f.Name)
	}
	return strings.Join(out, ", ")
}

// page is the SQL for the first n rows of w.
func (w *what) page(d *Dialect, n int) (string, []any) {
	q := w.rest(d)
	return d.Limit(names(d, w.fields), " FROM "+d.name(w.table)+q.text.String(), names(d, w.order), n), q.args
}

// rows reads at most n rows. full says that there may be more after them.
func (s *source) rows(ctx context.Context, w *what, n int) (out [][]Value, full bool, err error) {
	text, args := w.page(s.Dialect, n)
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, text, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		raw, ptrs := make([]any, len(w.fields)), make([]any, len(w.fields))
		for i := range raw {
			ptrs[i] = &raw[i]
		}
		size := 0
		for rows.Next() {
			if err := rows.Scan(ptrs...); err != nil {
				return err
			}
			row := make([]Value, len(raw))
			for i := range raw {
				row[i] = w.fields[i].value(raw[i])
				size += len(row[i].Text) + len(w.fields[i].Name) + 6
			}
			out = append(out, row)
			if size > pageBytes {
				full = true
				return nil
			}
		}
		full = len(out) == n
		return rows.Err()
	})
	if err != nil {
		return nil, false, fmt.Errorf("读取表 %s / read the table: %w", w.table, err)
	}
	return out, full, nil
}

// one reads a single value: a count, or the greatest of a column.
func (s *source) one(ctx context.Context, table string, q *query, expr string, f Field) (v Value, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var raw any
		err := tx.QueryRowContext(ctx, "SELECT "+expr+" FROM "+s.name(table)+q.text.String(), q.args...).Scan(&raw)
		v = f.value(raw)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("读取表 %s / read the table: %w", table, err)
	}
	return v, nil
}

// match finds fields by name, whatever the case.
func match(fields []Field, name string) int {
	exact := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if exact >= 0 {
		return exact
	}
	return slices.IndexFunc(fields, func(f Field) bool { return strings.EqualFold(f.Name, name) })
}

// invalid is a fault that a person has to mend.
func invalid(format string, a ...any) error {
	return fmt.Errorf(format+": %w", append(a, mulu.ErrInvalid)...)
}
