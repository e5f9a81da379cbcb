package rows

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mulu"
	"mulu/ledger/contract"
)

// Format names the form of a manifest; another form has another name.
const Format = "mulu quality rows v1"

// Purpose stands before what is signed, so that the signature of a manifest is one of
// nothing else.
const Purpose = "mulu quality rows manifest v1"

// The files of an archive beside those with rows.
const (
	ManifestFile  = "manifest.json"
	SignatureFile = "manifest.sig"
)

// Manifest says what an archive of failing rows is, for whom it was made and what is in
// it. manifest.sig is the house's signature of its bytes.
type Manifest struct {
	Format  string    `json:"format"`
	List    string    `json:"list"` // id of the look; asks later what became of the rows
	House   House     `json:"house"`
	Created time.Time `json:"created"`

	Dataset   mulu.DatasetCode `json:"dataset"`
	Title     string           `json:"title"`
	Rule      mulu.RuleID      `json:"rule"`
	RuleTitle string           `json:"rule_title"`
	Kind      string           `json:"kind"`
	Indicator string           `json:"indicator"`
	Blocking  bool             `json:"blocking"`
	Ruleset   uint32           `json:"ruleset"` // dataset version
	Data      string           `json:"data"`    // names the state of the rows
	Sample    bool             `json:"sample"`  // demonstration data

	Viewer  Viewer          `json:"viewer"`
	Shown   Shown           `json:"shown"`
	Purpose string          `json:"purpose"`
	Filter  json.RawMessage `json:"filter"` // as in the look: values of persons keyed

	Escape  string `json:"escape"` // what was done to cells that a spreadsheet would take for a formula
	Cut     int64  `json:"cut"`    // XLSX: texts longer than a cell holds, which end at its 32 767 characters
	Rows    int64  `json:"rows"`
	Refused int64  `json:"refused"`
	Files   []File `json:"files"`
}

// House is who made and signed an archive.
type House struct {
	Origin string `json:"origin"`
	Name   string `json:"name"`
	Key    string `json:"key"` // ed25519:<hex>
}

// Viewer is who an archive was made for.
type Viewer struct {
	Account string       `json:"account"`
	Org     mulu.OrgCode `json:"org"`
	OrgName string       `json:"org_name"`
	Role    mulu.Role    `json:"role"`
}

// File is one file with rows.
type File struct {
	Name     string       `json:"name"`
	Unit     mulu.OrgCode `json:"unit"` // who answers for its rows
	UnitName string       `json:"unit_name"`
	Refused  bool         `json:"refused"` // rows that the rule refused; else rows that are in the library
	Part     int          `json:"part"`    // from 1
	Rows     int64        `json:"rows"`
	Head     int          `json:"head"` // CSV: lines before the column names
	Bytes    int64        `json:"bytes"`
	SHA256   string       `json:"sha256"`
}

// escapeSaid is Manifest.Escape.
const escapeSaid = `a text that begins with = + - @ (also full-width), tab, CR or LF has ' put before it (OWASP CSV Injection); numbers are left as they are`

// Text is a manifest as it is signed.
func (m *Manifest) Text() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write manifest of %s: %w", m.List, err)
	}
	return append(b, '\n'), nil
}

type signature struct {
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`
	Signature string `json:"signature"`
}

// SignatureText is the signature file.
func SignatureText(key ed25519.PublicKey, sig []byte) []byte {
	b, _ := json.Marshal(signature{"ed25519", contract.KeyText(key), base64.StdEncoding.EncodeToString(sig)}) //nolint:errchkjson // texts
	return append(b, '\n')
}

// Read reads a manifest and holds it to its signature. That the key is the house's is for
// the reader to know, by its fingerprint.
func Read(text, sig []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil || m.Format != Format {
		return nil, fmt.Errorf("%s 不是不合格行清单（格式应为 %q）/ is no manifest of failing rows: %w", ManifestFile, Format, mulu.ErrInvalid)
	}
	var s signature
	if err := json.Unmarshal(sig, &s); err != nil || s.Algorithm != "ed25519" {
		return nil, fmt.Errorf("%s 不是 Ed25519 签名 / is no signature: %w", SignatureFile, mulu.ErrInvalid)
	}
	key, kerr := contract.ParseKey(s.Key)
	raw, berr := base64.StdEncoding.DecodeString(s.Signature)
	if kerr != nil || berr != nil || s.Key != m.House.Key {
		return nil, fmt.Errorf("%s 不是清单所称单位的签名 / the signature is not of the house that the manifest names: %w", SignatureFile, mulu.ErrInvalid)
	}
	if !ed25519.Verify(key, slices.Concat([]byte(Purpose+"\n"), text), raw) {
		return nil, fmt.Errorf("清单与签名不符：清单被改动过，或签名属于另一份导出 / the manifest was altered: %w", mulu.ErrInvalid)
	}
	return &m, nil
}

// Fingerprint is the short form of a key that people compare.
func Fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
