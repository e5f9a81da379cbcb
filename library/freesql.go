package library

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"mulu"
)

// Limits of a free statement.
const (
	freeChars  = 20_000
	freeTime   = time.Minute
	freeMemory = 2 << 30
)

// freeFunctions are the categories of engine functions that a free statement may call.
// What reads files, settings, the machine, dictionaries or other servers is in none of
// them, and what differs from run to run is left out as well.
var freeFunctions = []string{"Aggregate Functions", "Type Conversion", "Dates and Times", "Arrays", "String", "Hash", "String Search", "JSON", "Mathematical", "Arithmetic", "Map",
	"Comparison", "Tuple", "Distance", "Bit", "String Splitting", "String Replacement", "Null", "Rounding", "Conditional", "Logical", "Encoding", "URL"}

// freeNodes are the parts a free statement may be made of.
var freeNodes = []string{"SelectWithUnionQuery", "SelectIntersectExceptQuery", "SelectQuery", "ExpressionList", "Function", "Identifier", "Literal", "Subquery", "Asterisk", "QualifiedAsterisk",
	"ColumnsTransformerList", "ColumnsExceptTransformer", "ColumnsReplaceTransformer", "ColumnsApplyTransformer", "TablesInSelectQuery", "TablesInSelectQueryElement", "TableExpression", "TableIdentifier",
	"TableJoin", "ArrayJoin", "OrderByElement", "WindowDefinition", "WindowListElement", "InterpolateElement"}

// syntax is one node of the engine's own parse of a statement.
type syntax struct {
	kind, name string
	children   []*syntax
}

// CheckSQL says whether a free statement is one SELECT over tables of the libraries that
// calls nothing but plain functions, by the engine's own parse of it: first the syntax,
// since resolving names may already run a function, then the names. Anything it does not
// know is refused. The error is mulu.ErrInvalid and says what is not allowed.
func (l *Library) CheckSQL(ctx context.Context, sql string) error {
	if err := l.checkSyntax(ctx, sql); err != nil {
		return err
	}
	tree, err := l.parsed(ctx, "EXPLAIN QUERY TREE ", sql)
	if err != nil {
		return err
	}
	known := l.tables()
	for _, line := range tree {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "TABLE_FUNCTION ") {
			return refuse("不可使用表函数 / no table functions")
		}
		if !strings.HasPrefix(line, "TABLE ") {
			continue
		}
		_, name, ok := strings.Cut(line, "table_name: ")
		if name, _, _ = strings.Cut(name, ","); !ok || known[name] == nil {
			return refuse("不可读表 %q，只能读主题库的表，写作 库.表 / not a table of the libraries", name)
		}
	}
	return nil
}

// tables are the current tables by "library.code".
func (l *Library) tables() map[string]*mulu.Dataset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := map[string]*mulu.Dataset{}
	for _, ds := range l.datasets {
		out[ds.Library+"."+string(ds.Code)] = ds
	}
	return out
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("查询未通过检查："+format+": %w", append(args, mulu.ErrInvalid)...)
}

func (l *Library) checkSyntax(ctx context.Context, sql string) error {
	switch {
	case strings.TrimSpace(sql) == "":
		return refuse("内容为空 / empty")
	case len(sql) > freeChars:
		return refuse("超过 %d 字节 / too long", freeChars)
	case strings.ContainsAny(sql, ";\x00"):
		return refuse("不可含分号：只能写一条 SELECT / one statement, without a semicolon")
	}
	lines, err := l.parsed(ctx, "EXPLAIN AST ", sql)
	if err != nil {
		return err
	}
	root, functions := parseSyntax(lines)
	if len(root.children) != 1 || root.children[0].kind != "SelectWithUnionQuery" || len(root.children[0].children) != 1 {
		return refuse("只能写一条 SELECT，不带 FORMAT、SETTINGS 和 INTO OUTFILE / one plain SELECT")
	}
	if err := l.checkNode(root.children[0], nil); err != nil {
		return err
	}
	return l.checkFunctions(ctx, functions)
}

// checkNode refuses what is not in freeNodes, tables that are not qualified, and places
// where a bare name is taken for a table.
func (l *Library) checkNode(n, parent *syntax) error {
	switch {
	case !slices.Contains(freeNodes, n.kind):
		return refuse("不可使用 %s / not allowed", n.kind)
	case n.kind == "TableIdentifier" && l.tables()[n.name] == nil:
		return refuse("没有表 %q：只能读主题库的表，写作 库.表（公用表表达式请改写为子查询）/ not a table of the libraries", n.name)
	case parent != nil && parent.kind == "TableExpression" && n.kind == "Function":
		return refuse("不可使用表函数 %s / no table functions", n.name)
	case n.kind == "Function" && strings.HasSuffix(strings.ToLower(strings.ReplaceAll(n.name, "_", "")), "in") && bareTable(n):
		return refuse("IN 之后请写取值或子查询，不可直接写表名 / write values or a subquery after IN")
	}
	for _, c := range n.children {
		if err := l.checkNode(c, n); err != nil {
			return err
		}
	}
	return nil
}

func bareTable(n *syntax) bool {
	for _, list := range n.children {
		for i, arg := range list.children {
			if i > 0 && (arg.kind == "Identifier" || arg.kind == "TableIdentifier") {
				return true
			}
		}
	}
	return false
}

// parseSyntax reads the engine's tree, one node a line, one blank of indentation a level.
func parseSyntax(lines []string) (root *syntax, functions []string) {
	root = &syntax{}
	path := []*syntax{root}
	for _, line := range lines {
		text := strings.TrimLeft(line, " ")
		if text == "" {
			continue
		}
		depth := min(len(line)-len(text), len(path)-1)
		kind, rest, _ := strings.Cut(text, " ")
		name, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
		n := &syntax{kind: kind, name: name}
		if kind == "Function" {
			functions = append(functions, name)
		}
		up := path[depth]
		up.children = append(up.children, n)
		path = append(path[:depth+1], n)
	}
	return root, functions
}

// combinators may follow the name of an aggregate function.
var combinators = []string{"If", "Array", "Map", "Distinct", "OrNull", "OrDefault", "ForEach", "ArgMin", "ArgMax"}

func (l *Library) checkFunctions(ctx context.Context, names []string) error {
	allowed, target := map[string]bool{"lambda": true, "exists": true}, map[string]string{}
	// Names are compared in lower case: many functions are known in both.
	err := l.each(ctx, "functions", "SELECT lower(name), lower(alias_to), has({c:Array(String)}, categories) FROM system.functions",
		[]any{named("c", freeFunctions)}, func(rows driver.Rows) error {
			var name, alias string
			var ok uint8
			err := rows.Scan(&name, &alias, &ok)
			if alias != "" {
				target[name] = alias
			} else if ok == 1 {
				allowed[name] = true
			}
			return err
		})
	if err != nil {
		return err
	}
	for _, name := range names {
		bare := name
		for {
			low := strings.ToLower(bare)
			if allowed[low] || allowed[target[low]] {
				break
			}
			i := slices.IndexFunc(combinators, func(c string) bool { return strings.HasSuffix(bare, c) && len(bare) > len(c) })
			if i < 0 {
				return refuse("不可调用函数 %s / function not allowed", name)
			}
			bare = strings.TrimSuffix(bare, combinators[i])
		}
	}
	return nil
}

// freeSettings are those of a free statement: it reads, for a while, and sees the newest
// row of every key.
func freeSettings() clickhouse.Settings {
	s := readSettings()
	s["max_execution_time"], s["max_memory_usage"], s["max_result_rows"], s["result_overflow_mode"] = int(freeTime.Seconds()), freeMemory, 100, "throw"
	s["final"] = 1
	return s
}

// parsed asks the engine how it reads a statement.
func (l *Library) parsed(ctx context.Context, explain, sql string) (lines []string, err error) {
	settings := freeSettings()
	delete(settings, "max_result_rows")
	rows, err := l.db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), explain+sql)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, refuse("引擎读不懂：%v", err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, fmt.Errorf("explain statement: %w", err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		return nil, refuse("引擎读不懂：%v", err)
	}
	return lines, nil
}

// Counted checks a free statement and runs it: one row of one number, how many rows are
// at fault, or of two, the second how many were judged (else -1). It reads only, within
// limits, and sees the newest row of every key without what was truncated.
func (l *Library) Counted(ctx context.Context, sql string) (failed, evaluated int64, err error) {
	if err := l.CheckSQL(ctx, sql); err != nil {
		return 0, 0, err
	}
	settings := freeSettings()
	filters, err := l.truncated(ctx)
	if err != nil {
		return 0, 0, err
	}
	if filters != "" {
		settings["additional_table_filters"] = filters
	}
	ctx, cancel := context.WithTimeout(ctx, freeTime+10*time.Second)
	defer cancel()
	rows, err := l.db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), "SELECT * FROM (\n"+sql+"\n)")
	if err != nil {
		return 0, 0, fmt.Errorf("run statement: %w", err)
	}
	defer rows.Close()
	var got [][]int64
	for rows.Next() && len(got) < 2 {
		numbers, err := scanNumbers(rows)
		if err != nil {
			return 0, 0, err
		}
		got = append(got, numbers)
	}
	if err := rows.Err(); err != nil {
		return 0, 0, fmt.Errorf("run statement: %w", err)
	}
	if len(got) != 1 || len(got[0]) > 2 {
		return 0, 0, refuse("应给出恰好一行，第一列为不合格行数，第二列（可省略）为参与判断的行数，如 SELECT countIf(…), count() FROM … / one row of one or two numbers is needed")
	}
	if evaluated = -1; len(got[0]) == 2 {
		evaluated = got[0][1]
	}
	return got[0][0], evaluated, nil
}

func scanNumbers(rows driver.Rows) ([]int64, error) {
	dest := make([]any, 0, 2)
	for _, t := range rows.ColumnTypes() {
		dest = append(dest, reflect.New(t.ScanType()).Interface())
	}
	if err := rows.Scan(dest...); err != nil {
		return nil, fmt.Errorf("run statement: %w", err)
	}
	out := make([]int64, len(dest))
	for i, d := range dest {
		n, err := wholeNumber(reflect.Indirect(reflect.ValueOf(d)))
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

var errNotCount = errors.New("not a count")

// wholeNumber reads a count, which no text and no fraction is.
func wholeNumber(v reflect.Value) (int64, error) {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if d, ok := v.Interface().(decimal.Decimal); ok && d.IsInteger() {
		return d.IntPart(), nil
	}
	switch {
	case v.CanInt():
		return v.Int(), nil
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		return int64(v.Uint()), nil //nolint:gosec // checked
	case v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) < 1<<53:
		return int64(v.Float()), nil
	}
	return 0, refuse("给出的列应为整数 / the columns must be whole numbers (%w)", errNotCount)
}

// truncated hides what lies below the floors from a free statement; "" if there is none.
// The engine takes it as a setting by table.
func (l *Library) truncated(ctx context.Context) (string, error) {
	var out []string
	known := l.tables()
	err := l.each(ctx, "floors", "SELECT dataset, toString(max(floor)) FROM mulu.floors WHERE "+standing("first")+" GROUP BY dataset ORDER BY dataset", nil, func(rows driver.Rows) error {
		var code, floor string
		if err := rows.Scan(&code, &floor); err != nil {
			return err
		}
		for name, ds := range known {
			if string(ds.Code) == code { // names are letters, digits and _
				out = append(out, "'"+name+"': '"+mulu.ColVersion+" >= "+floor+"'")
			}
		}
		return nil
	})
	if err != nil || out == nil {
		return "", err
	}
	return "{" + strings.Join(out, ", ") + "}", nil
}
