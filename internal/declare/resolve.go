package declare

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"
	"go.yaml.in/yaml/v3"

	"mulu"
)

// resolve turns documents into objects, in the order of their references, and
// checks every reference between them.
func (l *loader) resolve() {
	for _, d := range l.docs {
		switch b := d.body.(type) {
		case *orgDoc:
			l.org(d, b)
		case *systemDoc:
			l.system(d, b)
		case *dutyDoc:
			l.duty(d, b)
		case *weightsDoc:
			l.weights(d, b)
		}
	}
	l.owners()
	for _, d := range l.docs {
		if b, ok := d.body.(*datasetDoc); ok {
			l.dataset(d, b)
		}
	}
	l.folders()
	for _, d := range l.docs {
		if b, ok := d.body.(*scenarioDoc); ok {
			l.scenario(d, b)
		}
	}
}

// meta digests the object as declared. Objects are plain data, so marshalling
// them can not fail; if it ever did, an empty digest is refused by the contract.
func (d *document) meta(object any) Meta {
	m := Meta{File: d.file, Line: d.root.Line}
	if src, err := yaml.Marshal(d.root); err == nil {
		m.Source = string(src)
	}
	if digest, err := Digest(object); err == nil {
		m.Digest = digest
	}
	return m
}

// Digest is "sha256:…" over the RFC 8785 canonical JSON of v.
func Digest(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("marshal object: %w", err)
	}
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return "", fmt.Errorf("canonicalise object: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func (l *loader) org(d *document, b *orgDoc) {
	if b.Type == "street" && len(b.Division) != 9 {
		d.fault("division", "街镇应填 9 位区划代码，现在是 %q", b.Division)
	}
	o := &Org{Org: mulu.Org{Code: mulu.OrgCode(b.Code), Name: b.Name, Short: b.Short, Kind: b.Type, Division: mulu.Division(b.Division)}, Sample: b.Sample}
	o.Meta = d.meta(b)
	for _, p := range l.set.Orgs {
		if p.Code == o.Code {
			d.twice("code", "统一社会信用代码 "+b.Code, p.Meta)
		}
	}
	l.set.Orgs = append(l.set.Orgs, o)
}

func (l *loader) system(d *document, b *systemDoc) {
	s := &System{ID: b.ID, Name: b.Name, Owner: mulu.OrgCode(b.Owner), SecurityLevel: b.SecurityLevel, Note: b.Note, Sample: b.Sample}
	s.Meta = d.meta(b)
	for _, p := range l.set.Systems {
		if p.ID == s.ID {
			d.twice("id", "信息系统 "+b.ID, p.Meta)
		}
	}
	l.set.Systems = append(l.set.Systems, s)
}

func (l *loader) duty(d *document, b *dutyDoc) {
	o := &Duty{ID: b.ID, Name: b.Name, Owner: mulu.OrgCode(b.Owner), Basis: b.Basis, Text: b.Text, Sample: b.Sample}
	o.Meta = d.meta(b)
	for _, p := range l.set.Duties {
		if p.ID == o.ID {
			d.twice("id", "职责 "+b.ID, p.Meta)
		}
	}
	l.set.Duties = append(l.set.Duties, o)
}

func (d *document) twice(path, what string, first Meta) {
	d.fault(path, "%s 已在 %s:%d 声明；请删去其中一处", what, first.File, first.Line)
}

func (l *loader) weights(d *document, b *weightsDoc) {
	sum := 0.0
	for _, w := range b.Dimensions {
		sum += w
	}
	if math.Abs(sum-1) > 1e-9 {
		d.fault("dimensions", "六个维度的权重之和应为 1，现在是 %.4f", sum)
	}
	for code := range b.Dimensions {
		if !strings.HasSuffix(code, "0000") {
			d.fault(join("dimensions", code), "维度代码应以 0000 结尾，如 010000")
		}
	}
	for code := range b.Indicators {
		if strings.HasSuffix(code, "0000") {
			d.fault(join("indicators", code), "维度的权重请写在 dimensions 中")
		}
	}
	w := &Weights{Version: b.Version, Title: b.Title, From: b.From, Dimensions: b.Dimensions, Indicators: b.Indicators, Basis: b.Basis}
	w.Scheme = d.scheme(b)
	w.Meta = d.meta(b)
	for _, p := range l.set.Weights {
		if p.Version == w.Version {
			d.twice("version", "权重方案 "+b.Version, p.Meta)
		}
	}
	l.set.Weights = append(l.set.Weights, w)
}

// owners checks who owns systems and duties, now that all organisations are known.
func (l *loader) owners() {
	for _, d := range l.docs {
		switch b := d.body.(type) {
		case *systemDoc:
			l.wantOrg(d, "owner", b.Owner)
		case *dutyDoc:
			l.wantOrg(d, "owner", b.Owner)
		}
	}
}

// each visits the declared objects and then those applied before.
func (l *loader) each(f func(*Set) bool) bool {
	return f(l.set) || l.known.Base != nil && f(l.known.Base)
}

// wantOrg says whether the organisation exists, and makes it a fault when not.
func (l *loader) wantOrg(d *document, path, code string) bool {
	if code == "" {
		return false // required has said so
	}
	known := l.each(func(s *Set) bool {
		return slices.ContainsFunc(s.Orgs, func(o *Org) bool { return string(o.Code) == code })
	})
	if !known {
		d.fault(path, "没有统一社会信用代码为 %q 的单位；请先声明 Organisation 或改正代码", code)
	}
	return known
}

func (l *loader) findSystem(id string) (found *System) {
	l.each(func(s *Set) bool {
		if i := slices.IndexFunc(s.Systems, func(o *System) bool { return o.ID == id }); i >= 0 {
			found = s.Systems[i]
		}
		return found != nil
	})
	return found
}

func (l *loader) findDuty(id string) (found *Duty) {
	l.each(func(s *Set) bool {
		if i := slices.IndexFunc(s.Duties, func(o *Duty) bool { return o.ID == id }); i >= 0 {
			found = s.Duties[i]
		}
		return found != nil
	})
	return found
}

func (l *loader) findDataset(code string) (found *Dataset) {
	l.each(func(s *Set) bool {
		found = s.Dataset(mulu.DatasetCode(code))
		return found != nil
	})
	return found
}
