//go:build linux && amd64

package pipeline_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"mulu"
	"mulu/internal/store"
	"mulu/library"
	"mulu/pipeline"
	"mulu/plan"
	"mulu/quality"
	looked "mulu/quality/desk"
	"mulu/quality/rows"
)

// pen signs as a house does.
type pen struct{ key ed25519.PrivateKey }

func (p pen) PublicKey(context.Context, string) (ed25519.PublicKey, error) {
	return p.key.Public().(ed25519.PublicKey), nil
}

func (p pen) SignText(_ context.Context, _, purpose string, text []byte) ([]byte, error) {
	return ed25519.Sign(p.key, slices.Concat([]byte(purpose+"\n"), text)), nil
}

var (
	ownerOrg = mulu.Org{Code: "OWNER", Name: "所属局", Kind: "department"}
	owner    = mulu.Actor{ID: "owner", Org: ownerOrg, Role: mulu.RoleOfficer}
)

type failingHouse struct {
	*pipeline.FailingRows
	exec func(sql string)
}

func newFailing(t *testing.T, transport http.RoundTripper) *failingHouse {
	t.Helper()
	lib, err := library.Open(t.Context(), library.Options{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lib.Close() })
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	looks, err := looked.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded:1"}, TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return transport, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	orgs := []mulu.Org{ownerOrg, {Code: "FIVE", Name: "五街道", Division: "310107005"}, {Code: "SIX", Name: "六街道", Division: "310107006"}}
	return &failingHouse{&pipeline.FailingRows{Library: lib, Looks: looks, Orgs: func(context.Context) ([]mulu.Org, error) { return orgs, nil }, Signer: pen{ed25519.NewKeyFromSeed(make([]byte, 32))},
		Key: bytes.Repeat([]byte{7}, 32), Dir: filepath.Join(t.TempDir(), "spool"), Now: time.Now}, func(sql string) {
		t.Helper()
		if err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}}
}

// fill stores rows made by the engine: values is a list of "expression AS column".
func (h *failingHouse) fill(t *testing.T, ds *mulu.Dataset, n int, values ...string) {
	t.Helper()
	if err := h.Library.Apply(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(ds.Columns))
	for i := range ds.Columns {
		names[i] = "`" + ds.Columns[i].Name + "`"
	}
	h.exec(fmt.Sprintf("INSERT INTO `%s`.`%s` (%s, _topic, _topic_id, _partition, _offset, _row, _batch, _flags, _ruleset, _deleted, _version) SELECT %s, 't', '%s', 0, number, 0, 0, 1, %d, 0, number + 1 FROM numbers(%d)",
		ds.Library, ds.Code, strings.Join(names, ", "), strings.Join(values, ", "), mulu.TopicID{9}, ds.Version, n))
}

func TestFailingRows(t *testing.T) {
	transport := engine(t)
	t.Run("every kind of set rule selects the rows it counts", func(t *testing.T) { testSetRules(t, newFailing(t, transport)) })
	t.Run("an export has no cap and holds no row", func(t *testing.T) { testExportAll(t, newFailing(t, transport)) })
	t.Run("an export that fails leaves a look and no file", func(t *testing.T) { testExportFails(t, newFailing(t, transport)) })
}

func testSetRules(t *testing.T, h *failingHouse) {
	there := &mulu.Dataset{Code: "there", Version: 1, Owner: "OWNER", Library: "lib_rows", Topic: "there", Format: mulu.FormatJSON, Key: []string{"id"},
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true, Level: mulu.L1}, {Name: "n", Type: mulu.Int, Level: mulu.L1}, {Name: "died", Type: mulu.Bool, Level: mulu.L1}}}
	p := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	here := &mulu.Dataset{Code: "here", Version: 1, Owner: "OWNER", Library: "lib_rows", Topic: "here", Format: mulu.FormatJSON, Key: []string{"id"},
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true, Level: mulu.L1}, {Name: "n", Type: mulu.Int, Level: mulu.L1}, {Name: "k", Type: mulu.String, Level: mulu.L1}, {Name: "g", Type: mulu.String, Level: mulu.L1}},
		SetRules: []mulu.SetRule{
			{ID: "unique", Kind: "unique", Columns: []string{"k"}}, {ID: "unique.when", Kind: "unique", Columns: []string{"k"}, When: "n < 50"}, {ID: "unique.pair", Kind: "unique", Columns: []string{"k", "g"}},
			{ID: "duplicate_rows", Kind: "duplicate_rows", Columns: []string{"g"}},
			{ID: "references", Kind: "references", Columns: []string{"id"}, Params: p("dataset", "there")}, {ID: "references.when", Kind: "references", Columns: []string{"id"}, Params: p("dataset", "there"), When: "g == \"a\""},
			{ID: "equal_to", Kind: "equal_to", Columns: []string{"n"}, Params: p("dataset", "there", "on", "id")},
			{ID: "cross", Kind: "cross", Params: p("dataset", "there", "on", "id", "expression", "!there.died")},
			{ID: "expression", Kind: "expression", Params: p("expression", "n < 30")},
			{ID: "null_share", Kind: "null_share", Columns: []string{"g"}, Params: p("max", "0.1")},
			{ID: "values_in_set", Kind: "values_in_set", Columns: []string{"g"}, Params: p("values", "a,b")}, {ID: "values_equal_set", Kind: "values_equal_set", Columns: []string{"g"}, Params: p("values", "a,b,z")},
			{ID: "fresh", Kind: "fresh"}, {ID: "row_count", Kind: "row_count", Params: p("min", "1")},
		}}
	h.fill(t, there, 90, "concat('k', toString(number)) AS id", "if(number % 7 = 0, number + 1, number) AS n", "number % 9 = 0 AS died")
	h.fill(t, here, 100, "concat('k', toString(number)) AS id", "if(number % 11 = 0, NULL, number) AS n", "if(number % 5 = 0, NULL, toString(intDiv(number, 3))) AS k", "[NULL, 'a', 'b', 'c'][number % 4 + 1] AS g")
	out, err := quality.Run(t.Context(), h.Library, quality.RunInput{Dataset: here, Datasets: h.Library.Dataset, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	selected := 0
	for _, r := range out.Results {
		if r.Status == quality.Errored {
			t.Errorf("%s can not be judged: %s %v", r.Rule, r.Message, out.Faults)
			continue
		}
		page, err := h.Page(t.Context(), pipeline.FailingAsk{Look: rows.Look{Who: owner}, Dataset: "here", Rule: r.Rule, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if page.Rule.NoRows != "" {
			if len(page.Rows) > 0 || r.Kind != "fresh" && r.Kind != "row_count" {
				t.Errorf("%s: %d rows, said to have none", r.Rule, len(page.Rows))
			}
			continue
		}
		selected++
		got, want := int64(len(page.Rows)), r.Failed
		groups := map[string]int64{}
		for _, row := range page.Rows {
			groups[row.Group]++
		}
		switch r.Kind {
		case "unique", "duplicate_rows":
			got -= int64(len(groups)) // all but one of each
		case "values_in_set", "values_equal_set": // values are counted, rows are shown
			got, want = got/25, 1
		}
		if got != want || len(page.Rows) == 0 || page.Counts[0].Rows != int64(len(page.Rows)) {
			t.Errorf("%s: %d rows in %d groups, it counts %d failed", r.Rule, len(page.Rows), len(groups), r.Failed)
		}
	}
	if selected != 12 {
		t.Errorf("%d rules have rows", selected)
	}
}

// testExportAll exports as many rows as MULU_ROWS says, as CSV and as XLSX: 1 200 000 are
// run by hand (docs/adr/0030), fewer with files of fewer rows in every run.
func testExportAll(t *testing.T, h *failingHouse) {
	n, byHand := 25_000, false
	if s := os.Getenv("MULU_ROWS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		byHand = true
	} else {
		h.PerFile = 4000
	}
	ds := &mulu.Dataset{Code: "wide", Title: "宽表", Version: 1, Owner: "OWNER", Library: "lib_rows", Topic: "wide", Format: mulu.FormatJSON, Key: []string{"id_no"}, UnitBy: "div12",
		Columns: []mulu.Column{{Name: "id_no", Title: "证号", Type: mulu.String, Required: true, Level: mulu.L3, PI: "id_no"}, {Name: "name", Title: "姓名", Type: mulu.String, Level: mulu.L3, PI: "name"}, {Name: "n", Title: "数", Type: mulu.Int, Level: mulu.L2},
			{Name: "wage", Title: "钱", Type: mulu.Decimal, Scale: 2, Level: mulu.L2}, {Name: "div12", Title: "居委", Type: mulu.String, Level: mulu.L2, Codes: "division_putuo"}, {Name: "addr", Title: "住址", Type: mulu.String, Level: mulu.L3, PI: "address"}},
		Rules: []mulu.Rule{{ID: "r", Kind: "not_null", Columns: []string{"name"}}}}
	h.fill(t, ds, n, "concat('310107', leftPad(toString(number), 12, '0')) AS id_no", "concat('王', toString(number)) AS name", "number AS n", "toDecimal64(number, 2) / 4 AS wage",
		"concat(['310107005', '310107006', '310107099'][number % 3 + 1], '001') AS div12", "concat('曹杨路', toString(number), '弄') AS addr")
	for _, xlsx := range []bool{false, true} {
		began := time.Now()
		e, err := h.Export(t.Context(), pipeline.FailingAsk{Look: rows.Look{Who: owner}, Dataset: "wide", Rule: "r"}, xlsx)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "rows.zip")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(e.Deliver(t.Context(), f), e.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		if byHand {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			status, _ := os.ReadFile("/proc/self/status")
			_, peak, _ := strings.Cut(string(status), "VmHWM:")
			peak, _, _ = strings.Cut(peak, "\n")
			t.Logf("xlsx %v: %d rows, %d bytes, %s; Go heap %d MB of %d MB taken from the system, peak of the process with the engine %s", xlsx, n, e.Bytes, time.Since(began).Round(time.Millisecond), m.HeapAlloc>>20, m.Sys>>20, strings.TrimSpace(peak))
		}
		m, err := rows.Verify(path)
		if err != nil || m.Rows != int64(n) || m.Shown != rows.Clear {
			t.Fatalf("manifest %+v: %v", m, err)
		}
		units, total := map[mulu.OrgCode]int64{}, int64(0)
		for _, f := range m.Files {
			units[f.Unit] += f.Rows
			total += f.Rows
			if f.Rows > rows.FileRows || h.PerFile > 0 && f.Rows > h.PerFile {
				t.Errorf("%s has %d rows", f.Name, f.Rows)
			}
		}
		if total != int64(n) || len(units) != 3 || units["OWNER"] != int64(n/3) {
			t.Errorf("units %v of %d rows", units, n)
		}
		_, became, err := h.Became(t.Context(), owner, e.Look.ID)
		if err != nil || became.Rows != int64(n) || became.Failing != int64(n) {
			t.Errorf("became %+v: %v", became, err)
		}
		if left, err := filepath.Glob(filepath.Join(h.Dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left on disk: %v %v", left, err)
		}
		z, err := zip.OpenReader(path)
		if err != nil || len(z.File) != len(m.Files)+2 {
			t.Errorf("archive: %v", err)
		}
		z.Close()
	}
}

func testExportFails(t *testing.T, h *failingHouse) {
	ds := &mulu.Dataset{Code: "fails", Version: 1, Owner: "OWNER", Library: "lib_rows", Topic: "fails", Format: mulu.FormatJSON, Key: []string{"id"},
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true, Level: mulu.L1}}, Rules: []mulu.Rule{{ID: "r", Kind: "not_null", Columns: []string{"id"}}}}
	h.fill(t, ds, 10_000, "toString(number) AS id")
	ask := pipeline.FailingAsk{Look: rows.Look{Who: owner}, Dataset: "fails", Rule: "r", Where: plan.Predicate{Field: "id", Op: plan.Ne, Value: ""}}
	ctx, cancel := context.WithCancel(t.Context())
	e, err := h.Export(ctx, ask, true)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := e.Deliver(ctx, &bytes.Buffer{}); err == nil {
		t.Error("delivered to nobody")
	}
	e.Close()
	l, err := h.Looks.Look(t.Context(), e.Look.ID)
	if err != nil || l.Outcome != looked.LookAborted || l.Rows != 10_000 || l.Digest == "" {
		t.Errorf("look of a client that went away %+v: %v", l, err)
	}
	if _, err := h.Export(ctx, ask, true); err == nil {
		t.Error("exported under a context that ended")
	}
	list, err := h.Looks.Looks(t.Context(), looked.LookFilter{Dataset: "fails"}, 10)
	if err != nil || len(list) == 0 || list[0].Outcome == looked.LookDelivered {
		t.Errorf("looks %+v: %v", list, err)
	}
	if left, err := filepath.Glob(filepath.Join(h.Dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v %v", left, err)
	}
	if err := h.Looks.SaveLook(t.Context(), &l); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("a closed look was changed: %v", err)
	}
}
