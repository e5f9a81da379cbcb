package table

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mulu"
	"mulu/ingest/submit"
	"mulu/internal/clock"
)

// receiptDue marks a submission whose batch has not got its receipt yet.
const receiptDue = "due"

// mostBatches bounds what one run takes.
const mostBatches = 100

// batch is a row of a department's batch control table.
type batch struct {
	no   Value
	rows int64  // as the department counted them
	key  string // of its submission
}

// controlColumns are what a control table must have, in the order of control's fields.
var controlColumns = []string{"batch_no", "table_name", "row_count", "status", "created_at", "taken_at", "rows_taken", "rows_good", "rows_rejected", "message"}

// control is a control table: its columns as the database names them.
type control struct {
	src    *source
	table  string
	fields map[string]Field
}

func (s *source) control(ctx context.Context, table string) (*control, error) {
	all, err := s.fields(ctx, table)
	if err != nil {
		return nil, err
	}
	c := &control{src: s, table: table, fields: map[string]Field{}}
	var missing []string
	for _, name := range controlColumns {
		if i := match(all, name); i >= 0 {
			c.fields[name] = all[i]
		} else {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, invalid("批次控制表 %s 缺少列 %s；建表语句见 docs/ingest/table.md / the control table lacks columns", table, strings.Join(missing, "、"))
	}
	return c, nil
}

// statuses are what a department writes and what it reads for it.
var statuses = map[string][2]string{"待取": {"已取", "有误"}, "0": {"1", "2"}}

// pending lists the batches of a table that wait, oldest first.
func (c *control) pending(ctx context.Context, table string) ([]batch, error) {
	q := &query{Dialect: c.src.Dialect}
	f := func(name string) string { return q.Quote(c.fields[name].Name) }
	full := q.bind(c.fields["table_name"], Value{Text, strings.ToUpper(table)})
	last := q.bind(c.fields["table_name"], Value{Text, strings.ToUpper(table[strings.LastIndexByte(table, '.')+1:])})
	q.where("UPPER(%s) IN (%s, %s)", f("table_name"), full, last)
	text := c.fields["status"]
	if text.numeric() {
		q.where("%s = 0", f("status"))
	} else {
		word := q.bind(text, Value{Text, "待取"})
		zero := q.bind(text, Value{Text, "0"})
		q.where("%s IN (%s, %s)", f("status"), word, zero)
	}
	fields := []Field{c.fields["batch_no"], c.fields["row_count"]}
	sqlText := q.Limit(names(q.Dialect, fields), " FROM "+q.name(c.table)+q.text.String(), f("created_at")+", "+f("batch_no"), mostBatches)
	var out []batch
	err := c.src.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, sqlText, q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var raw [2]any
			if err := rows.Scan(&raw[0], &raw[1]); err != nil {
				return err
			}
			b := batch{no: fields[0].value(raw[0])}
			b.rows, _ = strconv.ParseInt(fields[1].value(raw[1]).Text, 10, 64) //nolint:errcheck // NULL or nonsense does not match
			if b.no.Kind != Null {
				b.no.Kind = Text // the data's column may be of another type
				out = append(out, b)
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("读取批次控制表 %s / read the control table: %w", c.table, err)
	}
	return out, nil
}

func (f *Field) numeric() bool {
	return strings.Contains(f.Type, "INT") || f.Type == "NUMBER" || f.Type == "DECIMAL" || f.Type == "NUMERIC" || f.Type == "BIT"
}

// batches takes every batch that waits, in order, each as a submission of its own, and
// gives receipts for those that have landed.
func (p *Puller) batches(ctx context.Context, o *Order, src *source) (failure string, err error) {
	c, err := src.control(ctx, o.Way.Control)
	if err != nil {
		return "", err
	}
	if err := p.receipts(ctx, o, c); err != nil {
		return "", err
	}
	list, err := c.pending(ctx, o.Way.Table)
	if err != nil {
		return "", err
	}
	if err := p.orphans(ctx, o, list); err != nil {
		return "", err
	}
	var failures []string
	for i := range list {
		if f, err := p.batch(ctx, o, c, &list[i]); err != nil {
			return "", err
		} else if f != "" {
			failures = append(failures, "批次 "+list[i].no.Text+"："+f)
		}
	}
	if err := p.receipts(ctx, o, c); err != nil { // what was refused, or empty, is over already
		return "", err
	}
	return strings.Join(failures, "；"), nil
}

// batch takes one batch, unless it was taken and waits to land. A department that sets the
// status back after a receipt wants it taken again.
func (p *Puller) batch(ctx context.Context, o *Order, c *control, b *batch) (string, error) {
	for again := 0; ; again++ {
		b.key = o.Way.Name + "/batch/" + b.no.Text
		if again > 0 {
			b.key += "#" + strconv.Itoa(again+1)
		}
		s, err := p.opened(ctx, o, b)
		if err != nil {
			return "", err
		}
		if s.State == submit.Open {
			return p.take(ctx, o, c.src, s, b)
		}
		if r, err := reportOf(&s); err != nil {
			return "", err
		} else if s.State == submit.Sent || r.Receipt == receiptDue {
			return "", nil
		}
	}
}

// orphans ends open submissions whose batch is not there any more.
func (p *Puller) orphans(ctx context.Context, o *Order, list []batch) error {
	open, err := p.desk.List(ctx, submit.Filter{Dataset: o.Dataset.Code, Way: mulu.WayTable, Name: o.Way.Name, State: submit.Open}, 1000)
	if err != nil {
		return err
	}
	for _, s := range open {
		r, err := reportOf(&s)
		if err != nil {
			return err
		}
		waits := false
		for i := range list {
			waits = waits || list[i].no.Text == r.Batch
		}
		if !waits {
			if err := p.leave(ctx, o.Dataset.Topic, s, "批次已不在控制表中待取"); err != nil {
				return err
			}
		}
	}
	return nil
}

// Receipts gives the batches of a way that have landed their receipts. It reaches the
// database only if one is due.
func (p *Puller) Receipts(ctx context.Context, o Order) error {
	due, err := p.due(ctx, &o)
	if err != nil || len(due) == 0 {
		return err
	}
	src, err := open(ctx, o.Connection)
	if err != nil {
		return err
	}
	defer src.close()
	c, err := src.control(ctx, o.Way.Control)
	if err != nil {
		return err
	}
	return p.receipts(ctx, &o, c)
}

// due lists submissions that are over and whose receipt is not written.
func (p *Puller) due(ctx context.Context, o *Order) (out []submit.Submission, err error) {
	for _, state := range []string{submit.Landed, submit.Refused} {
		list, err := p.desk.List(ctx, submit.Filter{Dataset: o.Dataset.Code, Way: mulu.WayTable, Name: o.Way.Name, State: state}, 2*mostBatches)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if r, err := reportOf(&s); err != nil {
				return nil, err
			} else if r.Receipt == receiptDue {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

func (p *Puller) receipts(ctx context.Context, o *Order, c *control) error {
	due, err := p.due(ctx, o)
	var faults []error
	for i := range due {
		faults = append(faults, p.receipt(ctx, o, c, &due[i]))
	}
	return errors.Join(append(faults, err)...)
}

// receipt writes what became of a batch into its row. Killed before it is noted here, it
// is written again, the same.
func (p *Puller) receipt(ctx context.Context, o *Order, c *control, s *submit.Submission) error {
	r, err := reportOf(s)
	if err != nil {
		return err
	}
	good, message := verdict(s, &r)
	n, err := c.write(ctx, o.Way.Table, s, &r, good, message)
	if err != nil {
		return fmt.Errorf("写回批次 %s 的回执，请检查对表 %s 的 UPDATE 权限 / write the receipt: %w", r.Batch, c.table, err)
	}
	p.passed("receipt")
	if r.Receipt = "已写回：" + message; n == 0 {
		r.Receipt = "控制表中已没有这一批次，未写回"
	}
	return p.desk.Report(ctx, s.ID, json.RawMessage(written(r)))
}

// verdict says whether a batch is all right, and what of it.
func verdict(s *submit.Submission, r *Report) (good bool, message string) {
	if s.State == submit.Refused {
		return false, "未取：" + s.Reason
	}
	said := []string{fmt.Sprintf("实取 %d 行，入库 %d 行，问题数据 %d 行（报送 %s）", r.Read, s.Good, s.Rejected, s.ID)}
	good = s.Rejected == 0
	if r.Read != r.Listed {
		good = false
		said = append(said, fmt.Sprintf("与登记的 %d 行不符", r.Listed))
	}
	if r.Duplicates > 0 {
		said = append(said, fmt.Sprintf("主键重复 %d 行", r.Duplicates))
	}
	if r.Keyless > 0 {
		said = append(said, fmt.Sprintf("主键为空 %d 行", r.Keyless))
	}
	if r.Left != "" {
		good, said = false, append(said, r.Left)
	}
	return good, strings.Join(said, "；")
}

// mostMessage is how many characters of a message fit a column of 1000 bytes.
const mostMessage = 300

func (c *control) write(ctx context.Context, table string, s *submit.Submission, r *Report, good bool, message string) (int64, error) {
	q := &query{Dialect: c.src.Dialect}
	set := func(name string, v Value) string {
		return q.Quote(c.fields[name].Name) + " = " + q.bind(c.fields[name], v)
	}
	if m := []rune(message); len(m) > mostMessage {
		message = string(m[:mostMessage-1]) + "…"
	}
	at := s.SentAt.In(clock.Shanghai)
	when := Value{Wall, at.Format("2006-01-02 15:04:05")}
	if f := c.fields["taken_at"]; f.zoned() {
		when = Value{Instant, at.Format("2006-01-02T15:04:05Z07:00")}
	}
	num := func(n int64) Value { return Value{Int, strconv.FormatInt(n, 10)} }
	parts := []string{
		set("taken_at", when), set("rows_taken", num(r.Read)), set("rows_good", num(s.Good)), set("rows_rejected", num(s.Rejected)), set("message", Value{Text, message}),
		q.Quote(c.fields["status"].Name) + " = " + c.statusOf(q, good),
	}
	no := q.bind(c.fields["batch_no"], Value{Text, r.Batch})
	q.where("%s = %s", q.Quote(c.fields["batch_no"].Name), no)
	full := q.bind(c.fields["table_name"], Value{Text, strings.ToUpper(table)})
	last := q.bind(c.fields["table_name"], Value{Text, strings.ToUpper(table[strings.LastIndexByte(table, '.')+1:])})
	q.where("UPPER(%s) IN (%s, %s)", q.Quote(c.fields["table_name"].Name), full, last)
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	res, err := c.src.db.ExecContext(ctx, "UPDATE "+q.name(c.table)+" SET "+strings.Join(parts, ", ")+q.text.String(), q.args...)
	if err != nil {
		return 0, c.src.hide(err)
	}
	return res.RowsAffected()
}

// statusOf is the answer in the words that the department's status is in.
func (c *control) statusOf(q *query, good bool) string {
	i := 1
	if good {
		i = 0
	}
	f := c.fields["status"]
	if f.numeric() {
		return statuses["0"][i]
	}
	words := make([]any, 0, 6) // bound as they stand in the text
	words = append(words, q.Quote(f.Name))
	for _, w := range []string{"0", "1", "2", statuses["0"][i], statuses["待取"][i]} {
		words = append(words, q.bind(f, Value{Text, w}))
	}
	return fmt.Sprintf("CASE WHEN %s IN (%s, %s, %s) THEN %s ELSE %s END", words...)
}
