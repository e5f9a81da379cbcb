package httpapi_test

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"mulu/ingest"
)

// theStatement is one that was kept: two partitions, of which the second differs.
var theStatement string

func keepStatement(t *testing.T, h *house) {
	t.Helper()
	st := ingest.NewStatement("", ingest.Scope{}, time.Now())
	side := ingest.Side{Offsets: 10, Records: 9, Control: 1, Bytes: 900, Good: 8, Rejected: 1, Rows: 8}
	less := side
	less.Records, less.Good, less.Rows = 8, 7, 7
	line := ingest.Line{Dataset: "resident", Title: "常住人口", Owner: streetCode, Topic: "mulu.resident", TopicID: "aa", To: 9, Verdict: ingest.Even, Batches: 1, Source: side, Landed: side, Notes: []string{}, Differing: []ingest.BatchLine{}}
	other := line
	other.Owner, other.Dataset, other.Partition, other.Landed = otherCode, "enterprise", 3, less
	other.Differ(ingest.BatchLine{First: 0, Last: 9, Version: 1, Verdict: ingest.Uneven, Source: side, Landed: less,
		Differences: []ingest.Difference{{Kind: "row_missing", Offset: 4, Last: 4}, {Kind: ingest.ManifestDiffers, Offset: 0, Last: 9, Note: "=1+1"}}})
	st.Lines = append(st.Lines, line, other)
	check(t, st.Close(time.Now().UTC().Truncate(time.Microsecond)))
	_, err := h.desk.Statements.Save(t.Context(), st)
	check(t, err)
	theStatement = st.ID
}

type statementPage struct {
	Items []struct{ ID, Verdict string }
	Next  string
	Open  []struct{ Dataset, Statement string }
	Run   *struct{ ID, Error string }
}

type statementAnswer struct {
	State     string
	Statement struct {
		ID, Verdict, Digest string
		Partial             bool
		Lines               []struct {
			Dataset   string
			Differing []struct {
				Differences []struct {
					Kind, Title string
					Offset      int64
				}
			}
		}
		Owners []struct{ Code, Verdict string }
	}
}

func testStatements(t *testing.T, h *house) {
	keepStatement(t, h)
	first := theStatement
	keepStatement(t, h)
	var page statementPage
	h.get("steward", "/v1/ingest/reconciliations?limit=1", &page)
	if len(page.Items) != 1 || page.Items[0].ID != theStatement || page.Items[0].Verdict != "uneven" || page.Next != theStatement || len(page.Open) != 1 || page.Open[0].Statement != first {
		t.Fatalf("page %+v", page)
	}
	h.get("steward", "/v1/ingest/reconciliations?limit=1&cursor="+page.Next, &page)
	if len(page.Items) != 1 || page.Items[0].ID != first || page.Next != "" {
		t.Errorf("next page %+v", page)
	}
	h.get("steward", "/v1/ingest/reconciliations?verdict=even", &page)
	if len(page.Items) != 0 {
		t.Errorf("even statements %+v", page.Items)
	}
	var whole, own statementAnswer
	h.get("auditor", "/v1/ingest/reconciliations/"+theStatement, &whole)
	if s := whole.Statement; whole.State != "done" || s.Verdict != "uneven" || s.Partial || len(s.Lines) != 2 || len(s.Lines[0].Differing) != 1 || s.Lines[0].Differing[0].Differences[0].Title != "缺行" {
		t.Fatalf("statement %+v", whole)
	}
	// The officer sees its own organisation's, the stranger the other's.
	h.get("officer", "/v1/ingest/reconciliations/"+theStatement, &own)
	if s := own.Statement; s.Verdict != "even" || !s.Partial || len(s.Lines) != 1 || s.Lines[0].Dataset != "resident" || s.Digest != whole.Statement.Digest || len(s.Owners) != 1 {
		t.Errorf("the officer sees %+v", own)
	}
	h.get("officer", "/v1/ingest/reconciliations", &page)
	if len(page.Items) != 2 || page.Items[0].Verdict != "even" || len(page.Open) != 0 {
		t.Errorf("the officer's list %+v", page)
	}
	h.get("stranger", "/v1/ingest/reconciliations?verdict=uneven", &page)
	if len(page.Items) != 2 || len(page.Open) != 1 {
		t.Errorf("the stranger's list %+v", page)
	}
	problem(t, h.call("steward", "GET", "/v1/ingest/reconciliations/DZ0", nil), 404)
	testStatementFiles(t, h)
	for _, bad := range []map[string]any{{"from": 3}, {"from": 5, "to": 4}, {"all": true, "from": 1, "to": 2}} {
		problem(t, h.call("steward", "POST", "/v1/ingest/reconciliations", bad), 400)
	}
	problem(t, h.call("steward", "POST", "/v1/ingest/reconciliations", map[string]any{"dataset": "nothing"}), 404)
}

func testStatementFiles(t *testing.T, h *house) {
	w := h.call("auditor", "GET", "/v1/ingest/reconciliations/"+theStatement+"/file", nil)
	h.good(w, nil)
	text, ok := strings.CutPrefix(w.Body.String(), "\ufeff")
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || !ok || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
		t.Fatalf("%v %v %v", err, ok, w.Header())
	}
	at := slices.IndexFunc(rows, func(r []string) bool { return r[0] == "层次" })
	var levels []string
	for _, row := range rows[at+1:] {
		if len(row) != len(rows[at]) {
			t.Errorf("%d cells, want %d: %v", len(row), len(rows[at]), row)
		}
		levels = append(levels, row[0]+row[7])
	}
	if want := []string{"分区不平", "批次不平", "差异缺行", "差异清单与数据不符", "分区平"}; !slices.Equal(levels, want) {
		t.Errorf("rows %v, want %v", levels, want)
	}
	if last := rows[at+4][len(rows[at])-1]; last != "'=1+1" {
		t.Errorf("a formula went out: %q", last)
	}
	w = h.call("officer", "GET", "/v1/ingest/reconciliations/"+theStatement+"/file?format=xlsx", nil)
	h.good(w, nil)
	x, err := excelize.OpenReader(bytes.NewReader(w.Body.Bytes()))
	check(t, err)
	defer x.Close()
	sheet, err := x.GetRows("对账单")
	check(t, err)
	if text := strings.Join(slices.Concat(sheet...), " "); !strings.Contains(text, "resident") || strings.Contains(text, "enterprise") {
		t.Errorf("the officer's file: %s", text)
	}
}
