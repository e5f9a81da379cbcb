package quality

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"mulu"
	"mulu/internal/declare"
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
	Broken  int64             // strong rules over the whole dataset that do not hold
	Notes   map[string]string // by indicator code, what else was counted, or why nothing was
	Rules   []mulu.RuleCount
	Run     string // digest of the rule run that was counted
	// Parts of the elements, each under the same weights; all may be absent.
	Period                     *mulu.Period
	Increment, Stock, District *Elements
	Otherwise                  *Elements // with OneFaultOnce the other way
}

// Elements are a part of a dataset's.
type Elements struct {
	Rows    int64
	Tallies map[string]Tally
}

// Score computes a dataset's score by DB31/T 1523-2024. It is a pure function: equal
// inputs give equal digests. At is left zero. A tally that can not be, of an unknown
// indicator or of one that has indicators below it is ErrInvalid.
func Score(in Input) (mulu.Score, error) {
	s := mulu.Score{
		Dataset: in.Dataset.Code, Ruleset: in.Dataset.Version, Weights: in.Weights.Version, Rows: in.Rows, Through: in.Through.UTC().Truncate(time.Microsecond),
		Floors: in.Weights.Floors(), Overdue: in.Overdue, OneFaultOnce: in.Weights.OneFaultOnce, Rules: in.Rules, Run: in.Run, Period: in.Period,
	}
	if err := errors.Join(in.Weights.Validate(), checkTallies(in.Tallies, children())); err != nil {
		return s, fmt.Errorf("score %s: %w", s.Dataset, err)
	}
	weights := in.Weights.all()
	root := grow(weights, in.Tallies)
	for _, d := range root.below {
		s.Dimensions = append(s.Dimensions, d.dimension(in.Notes))
	}
	if !root.applicable {
		return s, fmt.Errorf("score %s: no indicator applies: %w", s.Dataset, mulu.ErrInvalid)
	}
	s.Total = root.x.float()
	s.Grade, s.Caps = in.grade(s.Total)
	part := func(e *Elements) *mulu.Part {
		if e == nil {
			return nil
		}
		return grow(weights, e.Tallies).part(e.Rows, s.Floors)
	}
	s.Increment, s.Stock, s.District, s.Otherwise = part(in.Increment), part(in.Stock), part(in.District), part(in.Otherwise)
	var err error
	s.Digest, err = ScoreDigest(s)
	return s, err
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

// caps are what a scheme may look at: the measured value, whether it is beyond the limit,
// and the words for it.
var caps = map[string]struct {
	measure func(*Input) float64
	beyond  func(v, limit float64) bool
	words   string // of value and limit
	share   bool
}{
	declare.CapStrongRows: {func(in *Input) float64 { return in.Blocked }, func(v, limit float64) bool { return v > limit }, "违反强规则的记录占 %s，超过 %s", true},
	declare.CapOverdue:    {func(in *Input) float64 { return float64(in.Overdue) }, atLeast, "已有 %s 个更新周期没有更新，上限为 %s 个", false},
	declare.CapStrongSets: {func(in *Input) float64 { return float64(in.Broken) }, atLeast, "有 %s 条数据集强规则不成立，上限为 %s 条", false},
}

func atLeast(v, limit float64) bool { return v >= limit }

// grade names the grade of a total and why it is lower than the total alone would give.
func (in *Input) grade(total float64) (grade string, why []string) {
	rank := func(g string) int { return slices.Index(grades, g) }
	plain := in.Weights.Grade(total)
	grade = plain
	for _, c := range in.Weights.Caps {
		k, ok := caps[c.When]
		if !ok || rank(c.AtMost) <= rank(plain) || !k.beyond(k.measure(in), c.Limit) {
			continue // unknown, without effect on this total, or not reached
		}
		why = append(why, fmt.Sprintf(k.words, number(k.measure(in), k.share), number(c.Limit, k.share))+"，等级至多为“"+c.AtMost+"”")
		if rank(c.AtMost) > rank(grade) {
			grade = c.AtMost
		}
	}
	return grade, why
}

func number(v float64, share bool) string {
	if share {
		return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v*100, 'f', 2, 64), "0"), ".") + "%"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// ScoreDigest is "sha256:" over ScoreContent.
func ScoreDigest(s mulu.Score) (string, error) {
	raw, err := ScoreContent(s)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// ScoreContent is the canonical JSON (RFC 8785) of a score without its Digest and At.
func ScoreContent(s mulu.Score) ([]byte, error) {
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
		return nil, fmt.Errorf("digest score of %s: %w", s.Dataset, err)
	}
	return raw, nil
}
