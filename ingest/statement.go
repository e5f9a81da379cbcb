package ingest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"mulu"
)

// Verdict says how source and library compare.
type Verdict string

// The verdicts, the gravest last: a whole is as grave as its gravest part.
const (
	Even     Verdict = "even"      // 平: both sides agree
	InFlight Verdict = "in_flight" // 在途: what is done agrees, or nothing is done; more waits to be stored
	Purged   Verdict = "purged"    // 源端已清除: the source no longer holds all of it; the library agrees with its manifests
	Rebuilt  Verdict = "rebuilt"   // 源端已重建: the topic was made again; the library agrees with its manifests
	Unread   Verdict = "unread"    // 未核: the source could not be read, nothing is known
	Uneven   Verdict = "uneven"    // 不平
)

var gravity = []Verdict{Even, InFlight, Purged, Rebuilt, Unread, Uneven}

// Graver gives the graver of two verdicts.
func Graver(a, b Verdict) Verdict {
	if slices.Index(gravity, b) > slices.Index(gravity, a) {
		return b
	}
	return a
}

// Agrees says whether nothing is wrong on either side.
func (v Verdict) Agrees() bool { return v != Uneven && v != Unread }

// Side is one side of a statement, of a range of offsets. The source's Good, Rejected
// and Rows are what comes out when it is decoded and judged once more.
type Side struct {
	Offsets  int64  `json:"offsets"` // records and control
	Records  int64  `json:"records"`
	Control  int64  `json:"control"` // transaction markers, aborted and compacted offsets
	Bytes    int64  `json:"bytes"`   // keys and values
	Good     int64  `json:"good"`    // records
	Rejected int64  `json:"rejected"`
	Rows     int64  `json:"rows"`
	Digest   string `json:"digest,omitempty"`  // of source bytes, as in manifests; of one batch alone
	Content  string `json:"content,omitempty"` // of rows, computed by the engine on both sides alike
}

// Add sums another range's; digests do not add up and are left out.
func (s *Side) Add(o Side) {
	s.Offsets += o.Offsets
	s.Records += o.Records
	s.Control += o.Control
	s.Bytes += o.Bytes
	s.Good += o.Good
	s.Rejected += o.Rejected
	s.Rows += o.Rows
	s.Digest, s.Content = "", ""
}

// What may differ.
const (
	SourceChanged   = "source_changed"   // the topic's bytes are not those that were read
	SourceShort     = "source_short"     // the topic ends before what was read
	BatchMissing    = "batch_missing"    // offsets without a manifest
	BatchOverlaps   = "batch_overlaps"   // offsets in two manifests
	ManifestDiffers = "manifest_differs" // the manifest's counts are not the rows'
	RejectMissing   = "reject_missing"
	RejectExtra     = "reject_extra"
	RejectAltered   = "reject_altered"
	RowStale        = "row_stale" // readers do not see the row as the history has it
	// The rows' own kinds are library.RowMissing, RowExtra and RowAltered.
)

// Difference is one thing that is not the same on both sides.
type Difference struct {
	Kind   string   `json:"kind"`
	Offset int64    `json:"offset"` // the first, of a range
	Last   int64    `json:"last"`   // the last; Offset for one record
	Row    int32    `json:"row"`    // of a record that carries several
	Fields []string `json:"fields,omitempty"`
	Note   string   `json:"note,omitempty"` // Chinese
}

// BatchLine is one batch, or a range without one, that does not agree.
type BatchLine struct {
	First       int64        `json:"first"`
	Last        int64        `json:"last"`
	Version     uint32       `json:"version"` // dataset version it was planned for, 0 for none
	Verdict     Verdict      `json:"verdict"`
	Source      Side         `json:"source"`
	Landed      Side         `json:"landed"`
	Note        string       `json:"note,omitempty"`
	Differences []Difference `json:"differences"`
	More        int64        `json:"more"` // differences that are not listed
}

// Line is one partition's window.
type Line struct {
	Dataset   mulu.DatasetCode `json:"dataset"`
	Title     string           `json:"title"`
	Owner     mulu.OrgCode     `json:"owner"`
	Topic     string           `json:"topic"`
	TopicID   string           `json:"topic_id"` // hex
	Partition int32            `json:"partition"`
	From      int64            `json:"from"`    // first offset compared
	To        int64            `json:"to"`      // last offset compared; less than From for none
	Waiting   int64            `json:"waiting"` // offsets in the source that are not stored yet
	Verdict   Verdict          `json:"verdict"`
	Batches   int64            `json:"batches"`
	Source    Side             `json:"source"`
	Landed    Side             `json:"landed"`
	Notes     []string         `json:"notes"` // Chinese
	Differing []BatchLine      `json:"differing"`
	More      int64            `json:"more"` // differing batches that are not listed

	// Uneven are the ranges to compare again next time, listed or not.
	Uneven []Range `json:"-"`
}

// Range is a run of offsets, both ends inclusive.
type Range struct{ First, Last int64 }

// keepDiffering bounds how many differing batches a line lists.
const keepDiffering = 200

// Differ takes a batch that does not agree.
func (l *Line) Differ(b BatchLine) {
	l.Verdict = Graver(l.Verdict, b.Verdict)
	if n := len(l.Uneven); n > 0 && l.Uneven[n-1].Last+1 >= b.First && l.Uneven[n-1].First <= b.First {
		l.Uneven[n-1].Last = max(l.Uneven[n-1].Last, b.Last)
	} else {
		l.Uneven = append(l.Uneven, Range{b.First, b.Last})
	}
	if len(l.Differing) == keepDiffering {
		l.More++
		return
	}
	l.Differing = append(l.Differing, b)
}

// Note says something about the whole line, once.
func (l *Line) Note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(l.Notes, s) {
		l.Notes = append(l.Notes, s)
	}
}

// Sum is the total over a dataset's or an organisation's lines.
type Sum struct {
	Code    string  `json:"code"`
	Verdict Verdict `json:"verdict"`
	Lines   int64   `json:"lines"`
	Batches int64   `json:"batches"`
	Waiting int64   `json:"waiting"`
	Source  Side    `json:"source"`
	Landed  Side    `json:"landed"`
}

// Scope is what a statement covers.
type Scope struct {
	Datasets []mulu.DatasetCode `json:"datasets"` // empty is all
	// All compares everything that was ever stored, and not only what is new since
	// the last statement and what differed then.
	All bool `json:"all"`
	// From and To, if To is not 0, narrow every partition to the batches that hold an
	// offset of [From, To].
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// MostBytes bounds what one turn reads from the source; 0 does not. What is left
	// is the next turn's.
	MostBytes int64 `json:"most_bytes"`
}

// Statement is a two-sided 对账单.
type Statement struct {
	ID       string    `json:"id"`
	Actor    string    `json:"actor"` // "" is the hourly run
	Scope    Scope     `json:"scope"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Verdict  Verdict   `json:"verdict"`
	Datasets []Sum     `json:"datasets"`
	Owners   []Sum     `json:"owners"`
	Lines    []Line    `json:"lines"`
	Rest     bool      `json:"rest"`   // MostBytes left something for the next turn
	Digest   string    `json:"digest"` // "sha256:…" over the canonical JSON (RFC 8785) of all the above
}

// Close sorts and sums the lines, and gives the statement its verdict and digest.
func (s *Statement) Close(finished time.Time) error {
	s.Finished = finished
	slices.SortFunc(s.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.TopicID, b.TopicID), cmp.Compare(a.From, b.From))
	})
	s.Verdict = Even
	for i := range s.Lines {
		s.Verdict = Graver(s.Verdict, s.Lines[i].Verdict)
	}
	s.Datasets = sums(s.Lines, func(l *Line) string { return string(l.Dataset) })
	s.Owners = sums(s.Lines, func(l *Line) string { return string(l.Owner) })
	digest, err := s.digest()
	if err != nil {
		return fmt.Errorf("close statement %s: %w", s.ID, err)
	}
	s.Digest = digest
	return nil
}

func (s *Statement) digest() (string, error) {
	c := *s
	c.Digest = ""
	b, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	if b, err = jcs.Transform(b); err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Intact says whether the statement still is what was digested.
func (s *Statement) Intact() bool {
	d, err := s.digest()
	return err == nil && d == s.Digest
}

func sums(lines []Line, key func(*Line) string) []Sum {
	var out []Sum
	at := map[string]int{}
	for i := range lines {
		l := &lines[i]
		k := key(l)
		n, ok := at[k]
		if !ok {
			n = len(out)
			at[k] = n
			out = append(out, Sum{Code: k, Verdict: Even})
		}
		o := &out[n]
		o.Verdict = Graver(o.Verdict, l.Verdict)
		o.Lines++
		o.Batches += l.Batches
		o.Waiting += l.Waiting
		o.Source.Add(l.Source)
		o.Landed.Add(l.Landed)
	}
	slices.SortFunc(out, func(a, b Sum) int { return cmp.Compare(a.Code, b.Code) })
	return out
}
