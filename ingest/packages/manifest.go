// Package packages carries a dataset across separated networks (离线包): one house writes
// a range of the dataset's topic into parts with a signed manifest; the other takes the
// parts in any order, on different days, and sends them to its own topic through package
// submit, each package being one submission. Consecutive packages are chained, so that a
// gap or an overlap is seen.
package packages

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"mulu"
	"mulu/ledger/contract"
)

// Files of a package beside its parts.
const (
	ManifestFile  = "manifest.json"
	SignatureFile = "manifest.sig"
)

// Format is the form of manifest and parts.
const Format = "mulu-package/1"

// Purpose stands before what is signed, so that the signature of a manifest is one of
// nothing else.
const Purpose = "mulu package manifest v1"

// Bounds of a package.
const (
	maxParts    = 4096
	MaxPart     = 1 << 30 // bytes of one part
	maxManifest = 900_000
)

// Manifest says what a package holds.
type Manifest struct {
	Format  string           `json:"format"`
	Name    string           `json:"name"` // "resident-20261127-214500"
	House   House            `json:"house"`
	Dataset mulu.DatasetCode `json:"dataset"`
	Title   string           `json:"title"`
	Version uint32           `json:"version"`
	Schema  string           `json:"schema"` // see SchemaDigest
	Topic   string           `json:"topic"`
	TopicID string           `json:"topic_id"`
	Ranges  []Range          `json:"ranges"` // by partition
	Parts   []Part           `json:"parts"`  // in the order in which they are sent
	Rows    int64            `json:"rows"`
	Bytes   int64            `json:"bytes"`
	// Previous is the digest of the manifest that this one follows on, "" for one that
	// begins anew.
	Previous string    `json:"previous"`
	Created  time.Time `json:"created"`
}

// House is whose package it is.
type House struct {
	Origin string `json:"origin"` // of its directory chain
	Name   string `json:"name"`
	Key    string `json:"key"` // "ed25519:…", what the signature is checked with
}

// Range is offsets [From, To) of a partition, control records and all.
type Range struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"`
	To        int64 `json:"to"`
}

// Part is one file.
type Part struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"` // hex
}

// signature is the signature file.
type signature struct {
	Algorithm string `json:"algorithm"` // "ed25519"
	Key       string `json:"key"`
	Signature string `json:"signature"` // base64
}

// SchemaDigest is "sha256:" over what a record's form follows from: format, key and
// columns. Rules and titles may differ between two houses.
func SchemaDigest(ds *mulu.Dataset) string {
	type column struct {
		Name, Path, Type string
		Length, Scale    int
	}
	form := struct {
		Format  string
		Key     []string
		Columns []column
	}{ds.Format, ds.Key, nil}
	for _, c := range ds.Columns {
		form.Columns = append(form.Columns, column{c.Name, c.Path, string(c.Type), c.Length, c.Scale})
	}
	b, _ := json.Marshal(form) //nolint:errchkjson // plain values
	return digest(b)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Digest is what a package is known by: of its manifest's very bytes.
func Digest(manifest []byte) string { return digest(manifest) }

// Text is a manifest as it is signed and kept.
func (m *Manifest) Text() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write manifest %s: %w", m.Name, err)
	}
	return append(b, '\n'), nil
}

// Signed is what is signed of a manifest's text.
func Signed(text []byte) []byte { return slices.Concat([]byte(Purpose+"\n"), text) }

// SignatureText is the signature file.
func SignatureText(key ed25519.PublicKey, sig []byte) []byte {
	b, _ := json.Marshal(signature{"ed25519", contract.KeyText(key), base64.StdEncoding.EncodeToString(sig)}) //nolint:errchkjson // texts
	return append(b, '\n')
}

var partName = regexp.MustCompile(`^part-\d{4}\.zst$`)

// Read reads a manifest and checks that it is one, and, by itself, that its signature is
// its house's: whose house that is, is for the one who trusts to say.
func Read(text, sig []byte) (*Manifest, error) {
	m, err := Parse(text)
	if err != nil {
		return nil, err
	}
	var s signature
	if err := json.Unmarshal(sig, &s); err != nil || s.Algorithm != "ed25519" {
		return nil, fmt.Errorf("%s 不是离线包的签名 / is no signature of a package: %w", SignatureFile, mulu.ErrInvalid)
	}
	key, err := contract.ParseKey(s.Key)
	raw, berr := base64.StdEncoding.DecodeString(s.Signature)
	if err != nil || berr != nil || s.Key != m.House.Key {
		return nil, fmt.Errorf("%s 不是清单所称单位的签名 / the signature is not of the house that the manifest names: %w", SignatureFile, mulu.ErrInvalid)
	}
	if !ed25519.Verify(key, Signed(text), raw) {
		return nil, fmt.Errorf("清单 %s 与签名不符：清单被改动过，或签名属于另一个包 / the manifest was altered: %w", m.Name, mulu.ErrInvalid)
	}
	return m, nil
}

// Parse reads a manifest that need not be signed yet.
func Parse(text []byte) (*Manifest, error) {
	var m Manifest
	bad := func(why string) error {
		return fmt.Errorf("%s 不是离线包的清单：%s / is no manifest of a package: %w", ManifestFile, why, mulu.ErrInvalid)
	}
	if len(text) > maxManifest {
		return nil, bad("过长")
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, bad("不是规定的 JSON")
	}
	if m.Format != Format {
		return nil, bad(fmt.Sprintf("版本为 %q，本端只认 %s", m.Format, Format))
	}
	if m.Dataset == "" || len(m.Parts) > maxParts || len(m.Ranges) == 0 {
		return nil, bad("缺少数据集、范围，或分卷过多")
	}
	rows, seen := int64(0), map[string]bool{}
	for _, p := range m.Parts {
		if !partName.MatchString(p.Name) || seen[p.Name] || p.Bytes < 0 || p.Bytes > MaxPart || p.Rows < 1 || len(p.SHA256) != 64 {
			return nil, bad(fmt.Sprintf("分卷 %q 写得不对", p.Name))
		}
		seen[p.Name] = true
		rows += p.Rows
	}
	if rows != m.Rows {
		return nil, bad(fmt.Sprintf("各分卷共 %d 行，合计写作 %d 行", rows, m.Rows))
	}
	for i, r := range m.Ranges {
		if r.From < 0 || r.To < r.From || i > 0 && r.Partition <= m.Ranges[i-1].Partition {
			return nil, bad("范围写得不对")
		}
	}
	return &m, nil
}

// Fingerprint is the short form of a key that people compare.
func Fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Follow says what is wrong with m as the successor of prev; nil prev is none.
func (m *Manifest) Follow(prev *Manifest) error {
	if prev == nil || m.TopicID != prev.TopicID {
		return nil // it begins anew
	}
	to := map[int32]int64{}
	for _, r := range prev.Ranges {
		to[r.Partition] = r.To
	}
	for _, r := range m.Ranges {
		switch at := to[r.Partition]; {
		case r.From > at:
			return fmt.Errorf("与前一个包 %s 之间有缺口：分区 %d 的位置 %d 至 %d 没有导出 / there is a gap: %w", prev.Name, r.Partition, at, r.From-1, mulu.ErrConflict)
		case r.From < at:
			return fmt.Errorf("与前一个包 %s 重叠：分区 %d 的位置 %d 至 %d 已在其中 / they overlap: %w", prev.Name, r.Partition, r.From, at-1, mulu.ErrConflict)
		}
		delete(to, r.Partition)
	}
	for p := range to {
		return fmt.Errorf("前一个包 %s 有分区 %d，这个包没有 / a partition is missing: %w", prev.Name, p, mulu.ErrConflict)
	}
	return nil
}
