//go:build linux && amd64

package app_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"testing"
	"testing/fstest"
	"time"

	"mulu"
	"mulu/internal/clock"
)

type part struct {
	Rows  int64
	Total float64
}

type shownScore struct {
	Total, At                             any
	Rows                                  int64
	Weights, Digest, State                string
	OneFaultOnce                          bool `json:"one_fault_once"`
	Increment, Stock, District, Otherwise *part
	Dimensions                            []struct{ Indicators []shownIndicator }
	Rules                                 []struct {
		Rule                                        string
		Evaluated, Failed, Historic, City, District int64
	}
}

type shownIndicator struct {
	Code, Note string
	A, B       int64
	Applicable bool
}

func (s *shownScore) indicator(code string) shownIndicator {
	for _, d := range s.Dimensions {
		for _, i := range d.Indicators {
			if i.Code == code {
				return i
			}
		}
	}
	return shownIndicator{}
}

// TestScoreInFull walks from landed rows to a department's score: every indicator is
// counted or says why not, the total follows from the page alone, a month can be chosen,
// and a scheme that comes into force is followed.
func TestScoreInFull(t *testing.T) {
	c := house(t)
	c.Sample = "small"
	running := start(t, c, nil)
	if err := running.LoadSample(t.Context()); err != nil {
		t.Fatal(err)
	}
	scoreAll := func() {
		t.Helper()
		if err := running.ScoreAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	scoreAll()
	d := openDesk(t, running)
	var s shownScore
	d.call("GET", "/v1/datasets/resident/score", nil, &s)
	if s.Increment == nil || s.Increment.Rows != s.Rows || s.Stock != nil || s.District == nil || s.Otherwise == nil {
		t.Errorf("all landed this month: increment %+v, stock %+v, district %+v", s.Increment, s.Stock, s.District)
	}
	for _, dim := range s.Dimensions {
		for _, i := range dim.Indicators {
			if i.Applicable == (i.B == 0) || !i.Applicable && i.Note == "" {
				t.Errorf("%+v neither counts nor says why", i)
			}
		}
	}
	for _, code := range []string{"010101", "010102", "010103", "010200", "010300", "010500", "010600", "020100", "020200", "030100", "030200", "030400", "030500", "040201", "040202", "040300", "050200"} {
		if i := s.indicator(code); i.B == 0 {
			t.Errorf("%s was not counted: %s", code, i.Note)
		}
	}
	// Each failing element is somebody's.
	for _, r := range s.Rules {
		if r.Failed != r.Historic+r.City+r.District || r.Failed > r.Evaluated {
			t.Errorf("rule %+v does not add up", r)
		}
	}

	var e struct {
		Total, Sum, Of  float64
		Digest, Content string
		Nodes           []struct {
			Weight, X, Product float64
			Applicable         bool
		}
		Gains []struct {
			Rule, Title string
			Mend        int64
			Gain, Total float64
		}
	}
	d.call("GET", "/v1/datasets/resident/score/explain", nil, &e)
	sum := sha256.Sum256([]byte(e.Content))
	if e.Digest != s.Digest || "sha256:"+hex.EncodeToString(sum[:]) != e.Digest || !json.Valid([]byte(e.Content)) {
		t.Errorf("digest %s, of the content %x", e.Digest, sum)
	}
	var products, weights float64
	for _, n := range e.Nodes {
		if n.Applicable {
			products, weights = products+n.Product, weights+n.Weight
		}
	}
	if math.Abs(products-e.Sum) > 1e-12 || math.Abs(weights-e.Of) > 1e-12 || math.Abs(math.Round(products/weights*1e6)/1e6-e.Total) > 1e-12 || s.Total != e.Total {
		t.Errorf("by the page %v ÷ %v, kept %v", products, weights, e.Total)
	}
	if len(e.Gains) == 0 || e.Gains[0].Title == "" || e.Gains[0].Mend == 0 || e.Gains[0].Total <= e.Total {
		t.Errorf("gains %+v", e.Gains)
	}

	// A run of the rules brings what they found between datasets into the score.
	var before, after shownScore
	d.call("GET", "/v1/datasets/food_licence/score", nil, &before)
	if i := before.indicator("040203"); i.B != 0 {
		t.Errorf("before any run 040203 counts %+v", i)
	}
	if err := running.RunChanged(t.Context()); err != nil {
		t.Fatal(err)
	}
	scoreAll()
	d.call("GET", "/v1/datasets/food_licence/score", nil, &after)
	if i := after.indicator("040203"); i.B == 0 || i.A >= i.B || after.Total == before.Total {
		t.Errorf("after a run 040203 counts %+v, %v became %v", i, before.Total, after.Total)
	}
	d.call("GET", "/v1/datasets/resident/score", nil, &s)

	// Of a month in which nothing landed all is stock.
	earlier := time.Now().In(clock.Shanghai).AddDate(0, 0, -40).Format("2006-01")
	var then shownScore
	d.call("GET", "/v1/datasets/resident/score?period="+earlier, nil, &then)
	if then.Increment != nil || then.Stock == nil || then.Stock.Rows != s.Rows || then.Rows != s.Rows || then.District.Rows != s.Rows || then.State != "unkept" {
		t.Errorf("in %s nothing landed: increment %+v, stock %+v, %s", earlier, then.Increment, then.Stock, then.State)
	}

	var list struct {
		Departments []struct {
			Org, Name string
			Final     float64
			Datasets  int
			Rank      *int
			Previous  *float64
		}
	}
	d.call("GET", "/v1/quality/departments", nil, &list)
	if len(list.Departments) == 0 || list.Departments[0].Rank != nil || list.Departments[0].Previous != nil || list.Departments[0].Final <= 0 {
		t.Fatalf("departments %+v", list)
	}
	var report struct {
		Datasets []struct {
			Code, Class        string
			Weight, Importance float64
		}
		Score struct{ Trend []struct{ Total float64 } }
	}
	d.call("GET", "/v1/quality/departments/"+list.Departments[0].Org, nil, &report)
	if len(report.Datasets) != list.Departments[0].Datasets || report.Datasets[0].Class == "" || len(report.Score.Trend) != 1 {
		t.Errorf("report %+v", report)
	}

	// A scheme comes into force: nothing landed, and all scores follow.
	if _, err := running.Apply(t.Context(), mulu.Actor{ID: "mulu"}, fstest.MapFS{"w.yaml": {Data: []byte(`kind: Weights
version: strict-1
title: 一处只扣一次
effective_from: 2026-02-01
basis: 测试
dimensions: {"010000": 0.1, "020000": 0.1, "030000": 0.5, "040000": 0.1, "050000": 0.1, "060000": 0.1}
grades: {优: 0.99, 良: 0.98, 中: 0.97, 及格: 0.96}
caps: []
one_fault_once: true
departments: {importance: {基础: 3}, reads: 1, overdue: 0.1, most_overdue: 0.2}
ranking: true
`)}}); err != nil {
		t.Fatal(err)
	}
	scoreAll()
	var strict shownScore
	d.call("GET", "/v1/datasets/resident/score", nil, &strict)
	if strict.Weights != "strict-1" || !strict.OneFaultOnce || strict.Digest == s.Digest {
		t.Errorf("after a new scheme: %s %v", strict.Weights, strict.OneFaultOnce)
	}
	var schemes struct {
		Schemes []struct {
			Version string
			InForce bool `json:"in_force"`
			Ranking bool
			Caps    []any
		}
	}
	d.call("GET", "/v1/quality/weights", nil, &schemes)
	if len(schemes.Schemes) != 2 || schemes.Schemes[0].Version != "strict-1" || !schemes.Schemes[0].InForce || schemes.Schemes[1].InForce || len(schemes.Schemes[0].Caps) != 0 {
		t.Errorf("schemes %+v", schemes)
	}
	d.call("GET", "/v1/quality/departments", nil, &list)
	if list.Departments[0].Rank == nil {
		t.Error("the scheme has ranking on, and no rank is shown")
	}
}
