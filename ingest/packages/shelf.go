package packages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"mulu"
	"mulu/ingest/submit"
	"mulu/internal/durable"
)

// Shelf keeps the packages that come in until they are sent.
type Shelf struct {
	Desk *submit.Desk
	Dir  string
	// Trusted are the keys of houses whose packages are taken, by name.
	Trusted map[string]string
	// Dataset gives a dataset as it is here.
	Dataset func(ctx context.Context, code mulu.DatasetCode) (*mulu.Dataset, error)
	// Passed is told each durable stage; nil but in tests.
	Passed func(stage string)

	sending sync.Mutex
}

// kept is what a submission's report says of its package. The manifest is beside the
// parts, and here what the next package is compared with.
type kept struct {
	Package  string  `json:"package"`
	From     string  `json:"from"` // name of the trusted house
	Signer   string  `json:"signer"`
	Previous string  `json:"previous"`
	TopicID  string  `json:"topic_id"`
	Ranges   []Range `json:"ranges"`
	Parts    int     `json:"parts"`
	Warning  string  `json:"warning,omitempty"`
}

// State is how far a package has come.
type State struct {
	submit.Submission
	Package string
	Parts   int
	Missing []string
	Warning string
}

// Open registers a package and says which of its parts are missing; the same package
// again is the same submission, unless that was discarded. mulu.ErrDenied: nobody here
// trusts who signed it. mulu.ErrConflict: it does not follow on the last one, or its
// records have another form; force takes it nevertheless, and keeps what was wrong.
func (s *Shelf) Open(ctx context.Context, text, sig []byte, by string, force bool) (State, error) {
	m, err := Read(text, sig)
	if err != nil {
		return State{}, err
	}
	from, err := s.trusted(m.House)
	if err != nil {
		return State{}, err
	}
	id := Digest(text)
	list, err := s.received(ctx, m.Dataset)
	if err != nil {
		return State{}, err
	}
	there, key, list := sift(list, id)
	if there != "" {
		return s.State(ctx, there)
	}
	warning := ""
	if err := errors.Join(s.fits(ctx, m), chained(m, list)); err != nil {
		if !force {
			return State{}, fmt.Errorf("%w；确认要收请加 --force / --force takes it", err)
		}
		warning = err.Error()
	}
	report, err := json.Marshal(kept{Package: m.Name, From: from, Signer: m.House.Key, Previous: m.Previous, TopicID: m.TopicID, Ranges: m.Ranges, Parts: len(m.Parts), Warning: warning})
	if err != nil {
		return State{}, err
	}
	name, err := s.declared(ctx, m.Dataset)
	if err != nil {
		return State{}, err
	}
	// The manifest is there before the submission: a crash between leaves a directory that
	// the next try takes up.
	dir := s.dir(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return State{}, fmt.Errorf("keep package: %w", err)
	}
	if err := Finish(dir, text, sig); err != nil {
		return State{}, err
	}
	s.passed("kept")
	sub, _, err := s.Desk.Open(ctx, submit.Submission{Dataset: m.Dataset, Way: mulu.WayPackage, Name: name, Key: key, Digest: id, Source: m.Name, By: by, Total: m.Rows, Report: report})
	if err != nil {
		return State{}, err
	}
	s.passed("opened")
	return s.State(ctx, sub.ID)
}

// sift finds the submission of a package among those that came, and else its key; taken
// are those that count for the chain. One that was discarded does neither: the same
// package is another submission then.
func sift(came []received, digest string) (there, key string, taken []received) {
	key = digest
	for _, r := range came {
		switch {
		case r.Submission.State != submit.Refused:
			taken = append(taken, r)
			if r.Digest == digest {
				there = r.ID
			}
		case r.Digest == digest:
			key += "#"
		}
	}
	return there, key, taken
}

// declared is the name of a dataset's way of packages, "" if it declares none.
func (s *Shelf) declared(ctx context.Context, code mulu.DatasetCode) (string, error) {
	ways, err := s.Desk.Ways(ctx, code)
	for _, w := range ways {
		if w.Kind == mulu.WayPackage {
			return w.Name, err
		}
	}
	return "", err
}

func (s *Shelf) passed(stage string) {
	if s.Passed != nil {
		s.Passed(stage)
	}
}

// dir is where a package's files are.
func (s *Shelf) dir(digest string) string {
	return filepath.Join(s.Dir, strings.TrimPrefix(digest, "sha256:"))
}

func (s *Shelf) trusted(h House) (name string, err error) {
	for name, key := range s.Trusted {
		if key == h.Key {
			return name, nil
		}
	}
	return "", fmt.Errorf("签发单位“%s”（%s）不在受信之列，公钥 %s，指纹 %s；核对无误后请运维写入配置 ingest.trusted_packages / the signer is not trusted: %w",
		h.Name, h.Origin, h.Key, Fingerprint(h.Key), mulu.ErrDenied)
}

// fits says whether the records have the form that they have here.
func (s *Shelf) fits(ctx context.Context, m *Manifest) error {
	ds, err := s.Dataset(ctx, m.Dataset)
	if err != nil {
		return err
	}
	if here := SchemaDigest(ds); here != m.Schema {
		return fmt.Errorf("数据集 %s 的数据项与对方不同（本端第 %d 版，对方第 %d 版），不符的行会成为问题数据 / the columns differ: %w", m.Dataset, ds.Version, m.Version, mulu.ErrConflict)
	}
	return nil
}

// received is a package that was registered.
type received struct {
	submit.Submission
	kept
}

// received lists a dataset's packages, oldest first.
func (s *Shelf) received(ctx context.Context, code mulu.DatasetCode) (out []received, err error) {
	list, err := s.Desk.List(ctx, submit.Filter{Dataset: code, Way: mulu.WayPackage}, 10_000)
	if err != nil {
		return nil, err
	}
	for _, sub := range list {
		r := received{Submission: sub}
		if err := json.Unmarshal(sub.Report, &r.kept); err != nil {
			return nil, fmt.Errorf("read report of submission %s: %w", sub.ID, err)
		}
		out = append(out, r)
	}
	slices.Reverse(out)
	return out, nil
}

// chained says whether a package follows on the last one of its house.
func chained(m *Manifest, list []received) error {
	var last *received
	for i := range list {
		if list[i].Signer == m.House.Key {
			last = &list[i]
		}
	}
	switch {
	case last == nil && m.Previous == "":
		return nil
	case last == nil:
		return fmt.Errorf("这个包接在另一个包之后（清单摘要 %s），那个包还没有收到；请先收它 / an earlier package is missing: %w", m.Previous, mulu.ErrConflict)
	case m.Previous == "":
		return fmt.Errorf("这个包是重新开始的，而此前已收到 %s（%s）；其中可能有重复的行 / it begins anew: %w", last.Package, last.ID, mulu.ErrConflict)
	case m.Previous != last.Digest:
		return fmt.Errorf("这个包不接在最近收到的 %s（%s）之后：它的前一个包的清单摘要是 %s / it does not follow on the last one: %w", last.Package, last.ID, m.Previous, mulu.ErrConflict)
	}
	return m.Follow(&Manifest{Name: last.Package, TopicID: last.TopicID, Ranges: last.Ranges})
}

// State says how far a package has come. mulu.ErrInvalid: it is none.
func (s *Shelf) State(ctx context.Context, id string) (out State, err error) {
	if out.Submission, err = s.Desk.Get(ctx, id); err != nil {
		return out, err
	}
	var k kept
	if out.Way != mulu.WayPackage {
		return out, fmt.Errorf("报送 %s 不是离线包 / it is no package: %w", id, mulu.ErrInvalid)
	}
	if err := json.Unmarshal(out.Report, &k); err != nil {
		return out, fmt.Errorf("read report of submission %s: %w", id, err)
	}
	out.Package, out.Parts, out.Warning = k.Package, k.Parts, k.Warning
	if out.Submission.State != submit.Open {
		return out, nil
	}
	m, err := s.manifest(out.Digest)
	if err != nil {
		return out, err
	}
	for _, p := range m.Parts {
		if _, err := os.Stat(filepath.Join(s.dir(out.Digest), p.Name)); errors.Is(err, fs.ErrNotExist) {
			out.Missing = append(out.Missing, p.Name)
		} else if err != nil {
			return out, fmt.Errorf("look for part %s: %w", p.Name, err)
		}
	}
	return out, nil
}

func (s *Shelf) manifest(digest string) (*Manifest, error) {
	text, err := os.ReadFile(filepath.Join(s.dir(digest), ManifestFile))
	if err != nil {
		return nil, fmt.Errorf("read manifest of a package: %w", err)
	}
	return Parse(text)
}

// Put takes one part, in any order and any number of times; a part that is not the
// package's is refused by name and leaves nothing.
func (s *Shelf) Put(ctx context.Context, id, name string, r io.Reader) (State, error) {
	state, err := s.State(ctx, id)
	if err != nil || state.Submission.State != submit.Open {
		return state, err
	}
	m, err := s.manifest(state.Digest)
	if err != nil {
		return state, err
	}
	i := slices.IndexFunc(m.Parts, func(p Part) bool { return p.Name == name })
	if i < 0 {
		return state, fmt.Errorf("离线包 %s 没有分卷 %q / the package has no such part: %w", m.Name, name, mulu.ErrNotFound)
	}
	if err := s.put(&m.Parts[i], s.dir(state.Digest), r); err != nil {
		return state, err
	}
	s.passed("part")
	return s.State(ctx, id)
}

// Discard ends a package of which nothing was sent, and removes its parts: the later ones
// of its dataset do not wait for it any more. Those not registered yet no longer follow
// on the last one. mulu.ErrConflict: it is being sent, or was.
func (s *Shelf) Discard(ctx context.Context, id, by string) error {
	state, err := s.State(ctx, id)
	if err != nil {
		return err
	}
	// A sender that begins just now plans nothing of what is not open.
	if err := s.Desk.Refuse(ctx, id, "由 "+by+" 放弃，没有收入任何一行", nil); errors.Is(err, mulu.ErrConflict) {
		return fmt.Errorf("离线包 %s（报送 %s）已开始发送或已结束，不能放弃 / it was sent or has ended: %w", state.Package, id, err)
	} else if err != nil {
		return err
	}
	s.passed("refused")
	m, err := s.manifest(state.Digest)
	if err != nil {
		return err
	}
	return s.clear(state.Digest, m) // what a crash leaves, Sweep removes
}

// put writes a part under another name first: under its own it is whole.
func (s *Shelf) put(p *Part, dir string, r io.Reader) error {
	f, err := os.CreateTemp(dir, "coming-*")
	if err != nil {
		return fmt.Errorf("keep part %s: %w", p.Name, err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone if it was renamed
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, p.Bytes+1))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep part %s: %w", p.Name, err)
	}
	if err := p.same(n, hex.EncodeToString(sum.Sum(nil))); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, p.Name)); err != nil {
		return fmt.Errorf("keep part %s: %w", p.Name, err)
	}
	return durable.SyncDir(dir)
}

// Run sends every package that is whole. Those of one dataset go one after the other in
// the order in which they were registered, which is that of their chain: an older one
// that is not whole keeps the newer ones waiting, since the order of rows of one key must
// stay.
func (s *Shelf) Run(ctx context.Context) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	open, err := s.Desk.List(ctx, submit.Filter{Way: mulu.WayPackage, State: submit.Open}, 10_000)
	if err != nil {
		return err
	}
	slices.Reverse(open) // oldest first
	waits := map[mulu.DatasetCode]bool{}
	var faults []error
	for _, sub := range open {
		if waits[sub.Dataset] {
			continue
		}
		state, err := s.State(ctx, sub.ID)
		if err == nil && len(state.Missing) == 0 {
			err = s.send(ctx, sub)
		} else {
			waits[sub.Dataset] = true
		}
		if err != nil {
			waits[sub.Dataset] = true
			faults = append(faults, fmt.Errorf("send package %s: %w", sub.ID, err))
		}
	}
	return errors.Join(faults...)
}

// send sends a package from where it was cut off, and lets its parts go.
func (s *Shelf) send(ctx context.Context, sub submit.Submission) error {
	m, err := s.manifest(sub.Digest)
	if err != nil {
		return err
	}
	ds, err := s.Dataset(ctx, sub.Dataset)
	if err != nil {
		return err
	}
	out, err := s.Desk.Send(ctx, sub.ID, ds.Topic)
	if err != nil {
		return err
	}
	defer out.Close()
	done, n := int64(0), int64(0)
	if c := out.Cursor(); c != "" {
		if _, err := fmt.Sscan(c, &done); err != nil {
			return fmt.Errorf("read cursor %q: %w", c, err)
		}
	}
	for _, p := range m.Parts {
		if n+p.Rows <= done { // all of it is on the broker
			n += p.Rows
			continue
		}
		err := rows(filepath.Join(s.dir(sub.Digest), p.Name), func(r record) error {
			if n++; n <= done {
				return nil
			}
			row, err := r.row()
			if err != nil {
				return err
			}
			return out.Add(ctx, row, fmt.Sprint(n))
		})
		if err != nil {
			return err
		}
	}
	if err := out.End(ctx, nil); err != nil {
		return err
	}
	s.passed("sent")
	return s.clear(sub.Digest, m)
}

// row is a record as it is sent: under its own key, so that rows of one key stay on one
// partition and in their order.
func (r *record) row() (submit.Row, error) {
	row := submit.Row{Key: r.Key, Value: r.Value}
	if len(r.Note) == 0 {
		return row, nil
	}
	row.Note = &mulu.Note{}
	if err := json.Unmarshal(r.Note, row.Note); err != nil {
		return row, fmt.Errorf("分区 %d 位置 %d 的消息头不是规定的 JSON / a note is broken: %w", r.Partition, r.Offset, mulu.ErrInvalid)
	}
	return row, nil
}

// clear removes the parts of a package that is sent; manifest and signature stay.
func (s *Shelf) clear(digest string, m *Manifest) error {
	var faults []error
	for _, p := range m.Parts {
		if err := os.Remove(filepath.Join(s.dir(digest), p.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("clear package %s: %w", m.Name, err)
	}
	return nil
}

// Sweep removes parts that were coming when the process ended, and those of packages that
// are sent: a crash between End and clear leaves them.
func (s *Shelf) Sweep(ctx context.Context) error {
	coming, err := filepath.Glob(filepath.Join(s.Dir, "*", "coming-*"))
	if err != nil {
		return err
	}
	for _, f := range coming {
		if err := os.Remove(f); err != nil {
			return fmt.Errorf("sweep packages: %w", err)
		}
	}
	open, err := s.Desk.List(ctx, submit.Filter{Way: mulu.WayPackage, State: submit.Open}, 10_000)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, sub := range open {
		needed[s.dir(sub.Digest)] = true
	}
	parts, err := filepath.Glob(filepath.Join(s.Dir, "*", "part-*.zst"))
	if err != nil {
		return err
	}
	for _, f := range parts {
		if !needed[filepath.Dir(f)] {
			if err := os.Remove(f); err != nil {
				return fmt.Errorf("sweep packages: %w", err)
			}
		}
	}
	return nil
}
