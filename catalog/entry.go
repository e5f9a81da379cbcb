package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"mulu"
	"mulu/internal/declare"
	"mulu/ledger/contract"
)

// Entry is one version of a catalogue entry (公共数据目录条目), reduced from
// domain.md §1.2. Its canonical JSON is what the chain's digest is of.
type Entry struct {
	Code           mulu.CatalogCode `json:"code"`
	Version        int64            `json:"version"`
	Name           string           `json:"name"`
	Summary        string           `json:"summary"`
	CatalogLevel   string           `json:"catalog_level"`
	Class          string           `json:"class"`
	Provider       mulu.OrgCode     `json:"provider"`
	ProviderName   string           `json:"provider_name"`
	Duty           string           `json:"duty"`
	System         string           `json:"system"`
	SourceMode     string           `json:"source_mode"`
	Authoritative  bool             `json:"authoritative"`
	Format         string           `json:"format"`
	ShareType      string           `json:"share_type"`
	ShareCondition string           `json:"share_condition,omitempty"`
	NoShareBasis   string           `json:"no_share_basis,omitempty"`
	ShareModes     []string         `json:"share_modes,omitempty"`
	OpenType       string           `json:"open_type"`
	OpenCondition  string           `json:"open_condition,omitempty"`
	Cycle          string           `json:"cycle"`
	GraceHours     int64            `json:"grace_hours"`
	Level          string           `json:"level"` // highest of its items
	Category       []string         `json:"category,omitempty"`
	PersonalInfo   bool             `json:"personal_info"`
	Region         []mulu.Division  `json:"region,omitempty"`
	Library        string           `json:"library"`
	Dataset        mulu.DatasetCode `json:"dataset"`
	SecrecyReview  string           `json:"secrecy_review"`
	ImpactReview   string           `json:"impact_review,omitempty"`
	ApprovedBy     string           `json:"approved_by"`
	Items          []Item           `json:"items"`
	Sample         bool             `json:"sample"`
}

// Item is one data item (数据项) of an entry.
type Item struct {
	Seq      int    `json:"seq"`
	Name     string `json:"name"` // field name
	Title    string `json:"title"`
	Type     string `json:"type"`
	Length   int    `json:"length,omitempty"`
	Scale    int    `json:"scale,omitempty"`
	Required bool   `json:"required"`
	Key      bool   `json:"key"`
	Codes    string `json:"codes,omitempty"`
	Level    string `json:"level"`
	PI       string `json:"pi,omitempty"`
}

// EntryView is an entry with where it stands. The body is the published version,
// or the proposed one while none is published.
type EntryView struct {
	Entry
	State          contract.State // confirmed on the chain, "" before the first
	Published      int64          // published version, 0 for none
	WaitingVersion int64          // proposed and not yet published, 0 for none
	Proposer       string         // of the waiting version
	Pending        string         // command that waits for the chain (待上链), "" for none
	PendingKind    contract.Kind
	Refusal        string // why the chain refused the last command, "" if it did not
	Digest         string // of the shown version
	Index          int64  // chain position of the last confirmed command, -1 for none
	PublishedAt    time.Time
}

// newEntry builds an entry of a declared dataset, without its version.
func newEntry(d *declare.Dataset, provider string) Entry {
	e := Entry{
		Code: d.Catalog, Name: d.Title, Summary: d.Entry.Summary, CatalogLevel: d.Entry.CatalogLevel, Class: d.Entry.Class,
		Provider: d.Owner, ProviderName: provider, Duty: d.Entry.Duty, System: d.System, SourceMode: d.Entry.SourceMode,
		Authoritative: d.Entry.Authoritative, Format: d.Entry.Format, ShareType: d.Entry.ShareType,
		ShareCondition: d.Entry.ShareCondition, NoShareBasis: d.Entry.NoShareBasis, ShareModes: d.Entry.ShareModes,
		OpenType: d.Entry.OpenType, OpenCondition: d.Entry.OpenCondition, Cycle: d.Entry.Cycle,
		GraceHours: int64(d.Grace / time.Hour), Level: d.Level().String(), Category: d.Entry.Category, Region: d.Entry.Region,
		Library: d.Library, Dataset: d.Code, SecrecyReview: d.Entry.SecrecyReview, ImpactReview: d.Entry.ImpactReview,
		ApprovedBy: d.Entry.ApprovedBy, Sample: d.Sample,
	}
	for i, c := range d.Columns {
		key := false
		for _, k := range d.Key {
			key = key || k == c.Name
		}
		e.PersonalInfo = e.PersonalInfo || c.PI != ""
		e.Items = append(e.Items, Item{Seq: i + 1, Name: c.Name, Title: c.Title, Type: string(c.Type), Length: c.Length, Scale: c.Scale,
			Required: c.Required, Key: key, Codes: c.Codes, Level: c.Level.String(), PI: c.PI})
	}
	return e
}

// canonical gives the entry's RFC 8785 form and its digest.
func (e *Entry) canonical() (body []byte, digest string, err error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, "", fmt.Errorf("marshal entry %s: %w", e.Code, err)
	}
	body, err = jcs.Transform(raw)
	if err != nil {
		return nil, "", fmt.Errorf("canonicalise entry %s: %w", e.Code, err)
	}
	return body, contract.Digest(body), nil
}

// search gathers the words a reader may look an entry up by.
func (e *Entry) search() string {
	words := []string{string(e.Code), e.Name, e.Summary, e.ProviderName, string(e.Provider), string(e.Dataset)}
	for _, i := range e.Items {
		words = append(words, i.Title, i.Name)
	}
	return strings.ToLower(strings.Join(words, " "))
}

// propose is the command body of an entry version.
func (e *Entry) propose(digest string) (contract.ProposeBody, error) {
	share, ok := map[string]string{
		"无条件共享": contract.ShareUnconditional,
		"有条件共享": contract.ShareConditional,
		"不予共享":  contract.ShareNone,
	}[e.ShareType]
	if !ok {
		return contract.ProposeBody{}, fmt.Errorf("propose entry %s: share type %q: %w", e.Code, e.ShareType, mulu.ErrInvalid)
	}
	return contract.ProposeBody{
		Catalog: e.Code, Version: e.Version, Provider: e.Provider, Duty: e.Duty, System: e.System, Share: share,
		Basis: e.NoShareBasis, Level: e.Level, Items: int64(len(e.Items)), Digest: digest,
	}, nil
}
