package bench

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/go-playground/validator/v10"

	"mulu"
	"mulu/ingest"
	"mulu/internal/sample"
	"mulu/pipeline"
	"mulu/quality/codes"
	"mulu/quality/ident"
)

// tagged is one row with the twelve rules as struct tags. Dates are days and
// milliseconds, the amount is in cents: tags have no better form for either.
type tagged struct {
	Citizen string  `validate:"required,gb11643"`
	Credit  *string `validate:"omitempty,gb32100"`
	Name    *string `validate:"required,min=2,max=40"`
	Mobile  *string `validate:"omitempty,mobile"`
	Dept    string  `validate:"dept"`
	Status  string  `validate:"oneof=VALID PENDING CANCELLED EXPIRED"`
	Amount  int64   `validate:"min=0,max=90000000"`
	Age     *int64  `validate:"omitempty,min=0,max=120"`
	Start   int32   `validate:"min=7305,max=20454"`
	Updated int64   `validate:"min=946656000000"`
}

// judge is the validator with the identifiers it does not know: the same arithmetic
// and the same code table as the rules'.
func judge() (*validator.Validate, error) {
	tables, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		return nil, fmt.Errorf("load code tables: %w", err)
	}
	regions, dept := map[string]bool{}, regexp.MustCompile(`^[A-Z]{3}-\d{6}$`)
	v := validator.New()
	for name, ok := range map[string]func(string) bool{
		"gb11643": func(s string) bool {
			if !ident.Citizen([]byte(s)) {
				return false
			}
			known, seen := regions[s[:6]]
			if !seen {
				known = tables.Region(s[:6], time.Time{})
				regions[s[:6]] = known
			}
			return known
		},
		"gb32100": func(s string) bool { return ident.Credit([]byte(s)) },
		"mobile":  func(s string) bool { return ident.Mobile([]byte(s)) },
		"dept":    dept.MatchString,
	} {
		if err := v.RegisterValidation(name, func(f validator.FieldLevel) bool { return ok(f.Field().String()) }); err != nil {
			return nil, fmt.Errorf("register %s: %w", name, err)
		}
	}
	return v, nil
}

// decoded makes n rows from the generator, decoded as the way in decodes them.
func decoded(v *pipeline.Version, from, n int64) (*ingest.Batch, *ingest.Decoded, error) {
	b := &ingest.Batch{Records: make([]mulu.Record, 0, n), Plan: mulu.Plan{Dataset: v.Dataset.Code, Version: v.Dataset.Version,
		BatchID: mulu.BatchID{Topic: topic, TopicID: mulu.TopicID{1}, First: from, Last: from + n - 1}}}
	var gen rows
	for i := from; i < from+n; i++ {
		b.Records = append(b.Records, mulu.Record{Offset: i, Value: append([]byte(nil), gen.append(i)...)})
	}
	d, err := v.Decoder.Decode(b)
	if err != nil {
		return nil, nil, fmt.Errorf("decode rows: %w", err)
	}
	return b, d, nil
}

// tag turns decoded rows into structs.
func tag(d *ingest.Decoded) []tagged {
	text := func(c int) func(int) *string {
		a := d.Record.Column(c).(*array.String)
		return func(i int) *string {
			if a.IsNull(i) {
				return nil
			}
			s := a.Value(i)
			return &s
		}
	}
	citizen, credit, name, mobile, dept, status := text(1), text(2), text(3), text(4), text(5), text(6)
	amount, age := d.Record.Column(7).(*array.Decimal128), d.Record.Column(8).(*array.Int64)
	start, updated := d.Record.Column(9).(*array.Date32), d.Record.Column(10).(*array.Timestamp)
	out := make([]tagged, d.Record.NumRows())
	for i := range out {
		t := tagged{Citizen: *citizen(i), Credit: credit(i), Name: name(i), Mobile: mobile(i), Dept: *dept(i), Status: *status(i),
			Amount: int64(amount.Value(i).LowBits()), Start: int32(start.Value(i)), Updated: int64(updated.Value(i))} //nolint:gosec // in range
		if !age.IsNull(i) {
			n := age.Value(i)
			t.Age = &n
		}
		out[i] = t
	}
	return out
}

const (
	checkFor = 2 * time.Second
	barRules = 8_000_000
)

// checkFigures runs the twelve row rules over one batch of columns again and again,
// and the same rules as struct tags over the same rows. Rows are counted by CPU
// second, so that neither a second core nor a busy neighbour changes the figure.
func checkFigures(ctx context.Context, o *Options) ([]Figure, error) {
	v, err := ready(dataset(code, topic, false))
	if err != nil {
		return nil, err
	}
	_, d, err := decoded(v, 0, batchRows)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	tags, structs := (*validator.Validate)(nil), tag(d)
	if tags, err = judge(); err != nil {
		return nil, err
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ours, theirs := 0, 0
	for _, f := range v.Rules.Check(d.Record, d.Offsets, at).Flags {
		if f != 0 {
			ours++
		}
	}
	for i := range structs {
		if tags.Struct(&structs[i]) != nil {
			theirs++
		}
	}
	if ours != theirs {
		return nil, fmt.Errorf("row rules find %d rows at fault, struct tags %d: the comparison is not of the same work: %w", ours, theirs, mulu.ErrInvalid)
	}
	o.Progress("逐行规则 / row rules", 0, 0)
	rules := repeat(ctx, d.Record.NumRows(), func() { v.Rules.Check(d.Record, d.Offsets, at) })
	o.Progress("结构体标签 / struct tags", 0, 0)
	limit := repeat(ctx, d.Record.NumRows(), func() {
		for i := range structs {
			_ = tags.Struct(&structs[i]) // the answer was compared above
		}
	})
	file, err := fileFigures(ctx, o)
	if err != nil {
		return nil, err
	}
	return append([]Figure{
		figure("check.row_rules", rules, "rows/s per core", "validator/v10 struct tags, same rows and rules", limit),
		figure("check.row_rules_bar", rules, "rows/s per core", "bar", barRules),
	}, file...), ctx.Err()
}

// repeat is the rows per CPU second of f.
func repeat(ctx context.Context, rows int64, f func()) float64 {
	f() // warm
	watch, n := startWatch(), int64(0)
	for watch.wall() < checkFor && ctx.Err() == nil {
		f()
		n += rows
	}
	return perSecond(n, watch.cpu())
}
