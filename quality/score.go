package quality

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"mulu"
)

// Tally is an indicator's elements: B evaluated, A of them in order. It is the same
// for 030300 and 030500, which DB31 scores as 1 - problem rate.
type Tally struct{ A, B int64 }

// Input is everything a score follows from.
type Input struct {
	Dataset *mulu.Dataset
	Weights Weights
	Rows    int64             // current rows
	Tallies map[string]Tally  // by indicator code; absent is not applicable
	Through time.Time         // newest manifest or nil report counted
	Overdue int64             // whole cycles without an update
	Blocked float64           // share of records that broke a blocking rule
	Notes   map[string]string // by indicator code, what else was counted
}

// Score computes a dataset's score by DB31/T 1523-2024. It is a pure function: equal
// inputs give equal digests. At is left zero. A tally that can not be, of an unknown
// indicator or of one that has indicators below it is ErrInvalid.
func Score(in Input) (mulu.Score, error) {
	s := mulu.Score{Dataset: in.Dataset.Code, Ruleset: in.Dataset.Version, Weights: in.Weights.Version, Rows: in.Rows, Through: in.Through.UTC().Truncate(time.Microsecond)}
	tree := children()
	if err := errors.Join(in.Weights.Validate(), checkTallies(in.Tallies, tree)); err != nil {
		return s, fmt.Errorf("score %s: %w", s.Dataset, err)
	}
	var sum, weight float64
	for _, d := range dimensions {
		dim := mulu.Dimension{Code: d.code, Title: d.title, Weight: in.Weights.Dimensions[d.code]}
		var x float64
		x, dim.Applicable = in.level(d.code, tree, &dim.Indicators)
		dim.X = round(x)
		if dim.Applicable {
			sum += dim.Weight * x
			weight += dim.Weight
		}
		s.Dimensions = append(s.Dimensions, dim)
	}
	if weight == 0 {
		return s, fmt.Errorf("score %s: no indicator applies: %w", s.Dataset, mulu.ErrInvalid)
	}
	s.Total = round(sum / weight)
	s.Grade = in.Weights.Grades.of(s.Total, in.Blocked, in.Overdue)
	var err error
	s.Digest, err = ScoreDigest(s)
	return s, err
}

// level is the weighted mean of what stands below parent, without what does not
// apply; it appends the indicators that have none below them.
func (in *Input) level(parent string, tree map[string][]indicator, leaves *[]mulu.Indicator) (x float64, applicable bool) {
	var sum, weight float64
	for _, i := range tree[parent] {
		var v float64
		ok := false
		if tree[i.code] != nil {
			v, ok = in.level(i.code, tree, leaves)
		} else {
			t := in.Tallies[i.code]
			leaf := mulu.Indicator{Code: i.code, Title: i.title, A: t.A, B: t.B, Note: in.Notes[i.code]}
			if ok = t.B > 0; ok {
				v = float64(t.A) / float64(t.B)
				leaf.X, leaf.Raw = round(v), round(float64(t.B-t.A)/float64(t.B))
			}
			*leaves = append(*leaves, leaf)
		}
		if ok {
			w := in.Weights.of(i.code, tree[parent])
			sum += w * v
			weight += w
		}
	}
	if weight == 0 {
		return 0, false
	}
	return sum / weight, true
}

func checkTallies(tallies map[string]Tally, tree map[string][]indicator) error {
	var faults []error
	for _, code := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[code]
		known := slices.ContainsFunc(indicators, func(i indicator) bool { return i.code == code })
		if !known || tree[code] != nil {
			faults = append(faults, fmt.Errorf("没有可直接计数的指标 %q: %w", code, mulu.ErrInvalid))
		}
		if t.A < 0 || t.A > t.B {
			faults = append(faults, fmt.Errorf("指标 %s 的 A=%d、B=%d 不成立: %w", code, t.A, t.B, mulu.ErrInvalid))
		}
	}
	return errors.Join(faults...)
}

// of names the grade of a total, at most 中 if a veto (一票否决) applies.
func (g Grades) of(total, blocked float64, overdue int64) string {
	if blocked > g.MaxBlocked || overdue >= g.MaxOverdue {
		total = min(total, math.Nextafter(g.Good, 0))
	}
	switch {
	case total >= g.Best:
		return "优"
	case total >= g.Good:
		return "良"
	case total >= g.Middle:
		return "中"
	case total >= g.Pass:
		return "及格"
	}
	return "差"
}

// round keeps six digits after the point, so that the last bits of a sum do not
// change a digest from one machine to another.
func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }

// ScoreDigest is "sha256:" over the canonical JSON (RFC 8785) of a score without its
// Digest and At.
func ScoreDigest(s mulu.Score) (string, error) {
	raw, err := json.Marshal(s)
	fields := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(raw, &fields)
	}
	if err == nil {
		delete(fields, "Digest")
		delete(fields, "At")
		raw, err = json.Marshal(fields)
	}
	if err == nil {
		raw, err = jcs.Transform(raw)
	}
	if err != nil {
		return "", fmt.Errorf("digest score of %s: %w", s.Dataset, err)
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
