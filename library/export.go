package library

import (
	"context"
	"fmt"
	"io"

	"github.com/ClickHouse/clickhouse-go/v2"

	"mulu"
	"mulu/plan"
)

// Format is how Export writes rows. The engine itself writes every one of them.
type Format string

// The formats. Decimals are JSON strings, so that no digit is lost; dates and
// date-times are "2006-01-02" and "2006-01-02 15:04:05.000" of Shanghai.
const (
	JSON   Format = "json"   // one array of objects
	NDJSON Format = "ndjson" // one object per line
	CSV    Format = "csv"    // with a header line
	Arrow  Format = "arrow"  // Arrow IPC stream, not compressed
)

// rowCounter counts the rows of what is written through it, exactly.
type rowCounter interface {
	io.Writer
	rows() int64
}

// arrowSettings make the engine write plain Arrow: text as utf8, nothing compressed.
var arrowSettings = clickhouse.Settings{"output_format_arrow_compression_method": "none", "output_format_arrow_string_as_string": 1,
	"output_format_arrow_low_cardinality_as_dictionary": 0}

type engineFormat struct {
	name     string
	settings clickhouse.Settings
	counter  func() rowCounter
}

func (f Format) engine() (engineFormat, error) {
	json := clickhouse.Settings{"output_format_json_quote_64bit_integers": 0, "output_format_json_quote_decimals": 1,
		"output_format_json_escape_forward_slashes": 0, "output_format_json_validate_utf8": 1}
	switch f {
	case JSON:
		json["output_format_json_array_of_rows"] = 1
		return engineFormat{"JSONEachRow", json, func() rowCounter { return &lineCounter{array: true} }}, nil
	case NDJSON:
		return engineFormat{"JSONEachRow", json, func() rowCounter { return &lineCounter{} }}, nil
	case CSV:
		return engineFormat{"CSVWithNames", clickhouse.Settings{"format_csv_null_representation": ""}, func() rowCounter { return &csvCounter{} }}, nil
	case Arrow:
		return engineFormat{"ArrowStream", arrowSettings, func() rowCounter { return &arrowCounter{} }}, nil
	}
	return engineFormat{}, fmt.Errorf("format %q: %w", f, mulu.ErrInvalid)
}

// Export streams the rows of a plan to w and says how many there were. After an
// error, w holds an unfinished result that must be thrown away: write to a spool,
// never to a client, whose slowness would hold an engine slot.
func (l *Library) Export(ctx context.Context, p plan.Plan, f Format, opt ReadOptions, w io.Writer) (int64, error) {
	ef, err := f.engine()
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", p.View.Base, err)
	}
	c, err := l.compile(p, opt, 0)
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", p.View.Base, err)
	}
	settings := readSettings()
	for k, v := range ef.settings {
		settings[k] = v
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before Close: what nobody reads must not be computed
	r, err := l.db.QueryFormat(clickhouse.Context(ctx, clickhouse.WithSettings(settings), clickhouse.WithParameters(c.params)), ef.name, c.sql)
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", p.View.Base, err)
	}
	defer func() { cancel(); r.Close() }()
	counter := ef.counter()
	buf := make([]byte, 256<<10)
	for {
		n, rerr := r.Read(buf)
		if n > 0 {
			if _, err := counter.Write(buf[:n]); err != nil {
				return 0, fmt.Errorf("export %s: count rows: %w", p.View.Base, err)
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return 0, fmt.Errorf("export %s: write: %w", p.View.Base, err)
			}
		}
		if rerr == io.EOF {
			return counter.rows(), nil
		}
		if rerr != nil {
			return 0, fmt.Errorf("export %s: %w", p.View.Base, rerr)
		}
	}
}
