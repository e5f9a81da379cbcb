package httpapi

import (
	"context"
	"fmt"

	"mulu"
	"mulu/ingest/packages"
	api "mulu/internal/httpapi/gen/submission"
)

// OpenPackage registers a package that came from another house.
func (h submissionRoom) OpenPackage(ctx context.Context, r api.OpenPackageRequestObject) (api.OpenPackageResponseObject, error) {
	text := []byte(r.Body.Manifest)
	m, err := packages.Parse(text)
	if err != nil {
		return nil, err
	}
	if _, err := h.ofOwn(ctx, m.Dataset); err != nil {
		return nil, err
	}
	s, err := h.Shelf.Open(ctx, text, []byte(r.Body.Signature), passOf(ctx).actor.ID, value(r.Body.Force))
	return api.OpenPackage200JSONResponse(packageOf(&s)), err
}

// PutPart takes one part of a package.
func (h submissionRoom) PutPart(ctx context.Context, r api.PutPartRequestObject) (api.PutPartResponseObject, error) {
	if _, err := h.submission(ctx, r.Id); err != nil {
		return nil, err
	}
	s, err := h.Shelf.Put(ctx, r.Id, r.Name, r.Body)
	return api.PutPart200JSONResponse(packageOf(&s)), err
}

func packageOf(s *packages.State) api.PackageState {
	out := api.PackageState{Id: s.ID, Dataset: string(s.Dataset), Name: s.Package, State: api.PackageStateState(s.Submission.State), Parts: s.Parts, Missing: s.Missing, Rows: s.Rows, Total: s.Total}
	if out.Missing == nil {
		out.Missing = []string{}
	}
	if s.Warning != "" {
		out.Warning = &s.Warning
	}
	return out
}

// ListPackages lists what was signed here.
func (h submissionRoom) ListPackages(ctx context.Context, r api.ListPackagesRequestObject) (api.ListPackagesResponseObject, error) {
	list, err := h.Seal.List(ctx, mulu.DatasetCode(value(r.Params.Dataset)), 50)
	if err != nil {
		return nil, err
	}
	out := api.ListPackages200JSONResponse{}
	for i := range list {
		out = append(out, signedOf(&list[i]))
	}
	return out, nil
}

// SignPackage signs a manifest that an export has written.
func (h submissionRoom) SignPackage(ctx context.Context, r api.SignPackageRequestObject) (api.SignPackageResponseObject, error) {
	draft := []byte(r.Body.Manifest)
	m, err := packages.Parse(draft)
	if err != nil {
		return nil, err
	}
	ds, err := h.ofOwn(ctx, m.Dataset)
	if err != nil {
		return nil, err
	}
	p, err := h.Seal.Sign(ctx, draft, ds, value(r.Body.Anew), passOf(ctx).actor.ID)
	if err != nil {
		return nil, fmt.Errorf("签发离线包 %s: %w", m.Name, err)
	}
	return api.SignPackage200JSONResponse(signedOf(&p)), nil
}

func signedOf(p *packages.Sealed) api.PackageSigned {
	return api.PackageSigned{Dataset: string(p.Dataset), Name: p.Name, Digest: p.Digest, Manifest: string(p.Text), Signature: string(p.Sig), SignedAt: p.At.UTC(), By: p.By}
}
