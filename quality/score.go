package quality

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"mulu"
)

// Totals is what the batches of one rule-set version added up to.
type Totals struct {
	Rules    map[mulu.RuleID]Count
	Good     int64
	Rejected int64
	Last     time.Time // newest manifest, zero if there is none
}

// Input is everything a score follows from.
type Input struct {
	Dataset *mulu.Dataset
	Weights Weights
	Totals  Totals
	Sets    SetResult
	Now     time.Time
}

// skew is how far a manifest may stand after now before the clock is not believed.
const skew = 5 * time.Minute

// Evaluate runs the set checks and scores the dataset by w.
func Evaluate(ctx context.Context, ds *mulu.Dataset, s Summarizer, totals Totals, w Weights, now time.Time) (mulu.Score, error) {
	sets, err := RunSetChecks(ctx, ds, s)
	if err != nil {
		return mulu.Score{}, err
	}
	return Score(Input{Dataset: ds, Weights: w, Totals: totals, Sets: sets, Now: now})
}

// Score computes a dataset's score by DB31/T 1523-2024. It is a pure function: the
// same input gives the same digest. A dataset of which nothing could be judged has
// no score and is ErrInvalid, as is a rule with an unknown indicator.
func Score(in Input) (mulu.Score, error) {
	counts, err := in.counts()
	if err != nil {
		return mulu.Score{}, fmt.Errorf("score %s: %w", in.Dataset.Code, err)
	}
	s := mulu.Score{
		Dataset: in.Dataset.Code, Ruleset: in.Dataset.Version, Weights: in.Weights.Version, Rows: in.Sets.Rows,
		Through: in.Totals.Last.UTC().Truncate(time.Microsecond), At: in.Now,
	}
	var sum, weight float64
	for _, d := range dimensions {
		dim := in.Weights.dimension(d.code, d.title, counts)
		s.Dimensions = append(s.Dimensions, dim)
		if dim.Applicable {
			sum += dim.Weight * dim.X
			weight += dim.Weight
		}
	}
	if weight <= 0 {
		return mulu.Score{}, fmt.Errorf("score %s: no indicator applies: %w", in.Dataset.Code, mulu.ErrInvalid)
	}
	s.Total = sum / weight
	vetoes, err := Vetoes(in)
	if err != nil {
		return mulu.Score{}, fmt.Errorf("score %s: %w", in.Dataset.Code, err)
	}
	s.Grade = in.Weights.grade(s.Total, len(vetoes) > 0)
	if s.Digest, err = ScoreDigest(s); err != nil {
		return mulu.Score{}, err
	}
	return s, nil
}

// counts adds up what belongs to each indicator.
func (in *Input) counts() (map[string]Count, error) {
	ds, out := in.Dataset, map[string]Count{}
	var faults []error
	if in.Totals.Last.After(in.Now.Add(skew)) {
		faults = append(faults, fmt.Errorf("newest manifest is after now, the clock went back: %w", mulu.ErrInvalid))
	}
	add := func(id mulu.RuleID, code string, c Count) {
		if !knownIndicator(code) {
			faults = append(faults, fmt.Errorf("rule %s: unknown indicator %q: %w", id, code, mulu.ErrInvalid))
			return
		}
		if c.Failed < 0 || c.Failed > c.Evaluated {
			faults = append(faults, fmt.Errorf("rule %s: %d failed of %d: %w", id, c.Failed, c.Evaluated, mulu.ErrInvalid))
			return
		}
		t := out[code]
		t.add(c)
		out[code] = t
	}
	for _, r := range ds.Rules {
		add(r.ID, r.Indicator, in.Totals.Rules[r.ID])
	}
	dated := false
	for _, r := range ds.SetRules {
		switch r.Kind {
		case "unique":
			add(r.ID, r.Indicator, in.Sets.Unique[r.ID])
		case "fresh":
			cycle, grace, err := cycleOf(ds, r)
			faults = append(faults, err)
			add(r.ID, r.Indicator, fresh(in.Totals.Last, in.Now, cycle, grace))
			dated = true
		default:
			faults = append(faults, fmt.Errorf("set rule %s: unknown kind %q: %w", r.ID, r.Kind, mulu.ErrInvalid))
		}
	}
	if !dated {
		add("fresh", "050200", fresh(in.Totals.Last, in.Now, ds.Cycle, ds.Grace))
	}
	add("rejected", "030500", Count{Evaluated: in.Totals.Good + in.Totals.Rejected, Failed: in.Totals.Rejected})
	in.describe(add)
	return out, errors.Join(faults...)
}

// describe judges the columns themselves: seen in the data (010200), described
// (010300), with a level (010600), and filled in where no row rule counts it (020100).
func (in *Input) describe(add func(mulu.RuleID, string, Count)) {
	var model, meta, safe Count
	ds := in.Dataset
	for _, c := range ds.Columns {
		judge := func(n *Count, ok bool) {
			n.Evaluated++
			if !ok {
				n.Failed++
			}
		}
		if in.Sets.Rows > 0 {
			judge(&model, in.Sets.NonNull[c.Name] > 0)
		}
		judge(&meta, c.Name != "" && c.Title != "" && c.Type != "" && (c.Type != mulu.String || c.Length > 0 || c.Codes != ""))
		judge(&safe, c.Level >= mulu.L1 && c.Level <= mulu.L4)
		if (c.Required || slices.Contains(ds.Key, c.Name)) && !hasNotNull(ds, c.Name) {
			add(mulu.RuleID(c.Name), "020100", Count{Evaluated: in.Sets.Rows, Failed: in.Sets.Rows - in.Sets.NonNull[c.Name]})
		}
	}
	add("model", "010200", model)
	add("metadata", "010300", meta)
	add("level", "010600", safe)
}

// dimension weighs its second-level indicators; those with B = 0 are left out and
// their siblings scaled up. A second level with a third is the plain mean of it.
func (w Weights) dimension(code, title string, counts map[string]Count) mulu.Dimension {
	d := mulu.Dimension{Code: code, Title: title, Weight: w.Dimensions[code]}
	type group struct {
		code string
		sum  float64
		n    int
	}
	var groups []group
	for _, i := range indicators {
		if i.code[:2] != code[:2] {
			continue
		}
		ind := counts[i.code].indicator(i.code, i.title)
		d.Indicators = append(d.Indicators, ind)
		if ind.B == 0 {
			continue
		}
		second := i.code[:4] + "00"
		if len(groups) == 0 || groups[len(groups)-1].code != second {
			groups = append(groups, group{code: second})
		}
		g := &groups[len(groups)-1]
		g.sum, g.n = g.sum+ind.X, g.n+1
	}
	var sum, weight float64
	for _, g := range groups {
		share, named := w.Indicators[g.code]
		if !named {
			share = 1
		}
		sum += share * g.sum / float64(g.n)
		weight += share
	}
	if weight > 0 {
		d.X, d.Applicable = sum/weight, true
	}
	return d
}

func (w Weights) grade(total float64, capped bool) string {
	for i, g := range w.Grades {
		// The total is a sum of products: a hair under a floor is on it.
		if total >= g.Floor-1e-12 || i == len(w.Grades)-1 {
			if at := slices.IndexFunc(w.Grades, func(g Grade) bool { return g.Name == w.Veto.Cap }); capped && at > i {
				return w.Grades[at].Name
			}
			return g.Name
		}
	}
	return ""
}

// Vetoes says in Chinese why a grade is capped; empty if it is not.
func Vetoes(in Input) ([]string, error) {
	var out []string
	v := in.Weights.Veto
	for _, r := range in.Dataset.Rules {
		c := in.Totals.Rules[r.ID]
		if r.Blocking && v.BlockingRate > 0 && c.Evaluated > 0 && float64(c.Failed)/float64(c.Evaluated) > v.BlockingRate {
			out = append(out, fmt.Sprintf("强规则“%s”不合格率 %.2f%%，超过 %.2f%%", strings.TrimSpace(r.Title), 100*float64(c.Failed)/float64(c.Evaluated), 100*v.BlockingRate))
		}
	}
	cycle := in.Dataset.Cycle
	for _, r := range in.Dataset.SetRules {
		if r.Kind == "fresh" {
			var err error
			if cycle, _, err = cycleOf(in.Dataset, r); err != nil {
				return nil, err
			}
		}
	}
	if v.MissedCycles > 0 && cycle > 0 && (in.Totals.Last.IsZero() || in.Now.Sub(in.Totals.Last) > time.Duration(v.MissedCycles)*cycle) {
		out = append(out, fmt.Sprintf("已有 %d 个以上更新周期没有新数据", v.MissedCycles))
	}
	return out, nil
}

// ScoreDigest is "sha256:" over the canonical JSON (RFC 8785) of a score without its
// Digest and At.
func ScoreDigest(s mulu.Score) (string, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("digest score of %s: %w", s.Dataset, err)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", fmt.Errorf("digest score of %s: %w", s.Dataset, err)
	}
	delete(fields, "Digest")
	delete(fields, "At")
	if raw, err = json.Marshal(fields); err != nil {
		return "", fmt.Errorf("digest score of %s: %w", s.Dataset, err)
	}
	if raw, err = jcs.Transform(raw); err != nil {
		return "", fmt.Errorf("digest score of %s: %w", s.Dataset, err)
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
