package library

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"

	"mulu"
	"mulu/plan"
)

// ReadOptions are what a read needs besides its plan.
type ReadOptions struct {
	// TokenKey is the scenario's key of token masks; a plan with such a mask fails
	// without it. It travels as a bound parameter.
	TokenKey []byte
	// Limit bounds the rows; the plan's own limit holds if it is lower. 0: Read
	// takes 1 000, Export all.
	Limit int64
}

// PageRows is the default bound of Read.
const PageRows = 1000

// Rows is a small result. Values are nil, string, int64 or bool: decimals are
// strings, dates "2006-01-02", date-times RFC 3339 of Shanghai with milliseconds.
type Rows struct {
	Columns []Column
	Values  [][]any
}

// readSettings let a statement read and nothing else.
func readSettings() clickhouse.Settings {
	return clickhouse.Settings{"readonly": 1, "join_use_nulls": 1, "max_result_bytes": 0}
}

func bound(limit, other int64) int64 {
	if limit == 0 || other > 0 && other < limit {
		return other
	}
	return limit
}

func (l *Library) compile(p plan.Plan, opt ReadOptions, limit int64) (*compiled, error) {
	return compile(p, l.Dataset, l.now(), opt.TokenKey, bound(bound(p.Limit, opt.Limit), limit))
}

// Read runs a plan for a page or a verification. An unknown item, a wrong type or
// a missing key is mulu.ErrInvalid.
func (l *Library) Read(ctx context.Context, p plan.Plan, opt ReadOptions) (*Rows, error) {
	limit := int64(0)
	if p.Limit == 0 && opt.Limit == 0 {
		limit = PageRows
	}
	c, err := l.compile(p, opt, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.View.Base, err)
	}
	// Leaving early must end the statement: the client drains what it did not read.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := l.db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(readSettings()), clickhouse.WithParameters(c.params)), c.sql)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.View.Base, err)
	}
	defer rows.Close()
	out := &Rows{Columns: c.columns}
	dest := make([]any, len(c.columns))
	for rows.Next() {
		for i, t := range rows.ColumnTypes() {
			dest[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, fmt.Errorf("read %s: %w", p.View.Base, err)
		}
		v := make([]any, len(dest))
		for i := range dest {
			v[i] = goValue(dest[i], c.columns[i].Type)
		}
		out.Values = append(out.Values, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", p.View.Base, err)
	}
	return out, nil
}

// goValue takes a scanned pointer (to a pointer, if nullable) to a plain value.
func goValue(p any, t mulu.Type) any {
	v := reflect.ValueOf(p).Elem()
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if t == mulu.Date {
			return x.Format(time.DateOnly)
		}
		return x.In(zone).Format("2006-01-02T15:04:05.000Z07:00")
	case decimal.Decimal:
		return x.String()
	case uint64:
		return int64(x)
	default:
		return x
	}
}
