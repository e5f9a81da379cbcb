package httpapi

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"mulu"
	api "mulu/internal/httpapi/gen/catalog"
)

func (h catalogRoom) ApplyDeclarations(ctx context.Context, r api.ApplyDeclarationsRequestObject) (api.ApplyDeclarationsResponseObject, error) {
	if len(r.Body.Files) == 0 {
		return nil, fmt.Errorf("没有声明文件 / no files: %w", mulu.ErrInvalid)
	}
	archive := &txtar.Archive{}
	names := make([]string, 0, len(r.Body.Files))
	for _, f := range r.Body.Files {
		if ext := path.Ext(f.Name); !fs.ValidPath(f.Name) || ext != ".yaml" && ext != ".yml" || slices.Contains(names, f.Name) {
			return nil, fmt.Errorf("文件名 %q 应为不重复的、以 .yaml 结尾的相对路径 / not a usable file name: %w", f.Name, mulu.ErrInvalid)
		}
		archive.Files = append(archive.Files, txtar.File{Name: f.Name, Data: []byte(f.Content)})
		names = append(names, f.Name)
	}
	files, err := txtar.FS(archive)
	if err != nil {
		return nil, fmt.Errorf("read declarations: %w: %w", err, mulu.ErrInvalid)
	}
	if !r.Body.DryRun {
		p := passOf(ctx)
		if err := h.Auth.Note(ctx, "declare", p.actor.ID, p.from, strings.Join(names, " ")); err != nil {
			return nil, err
		}
	}
	diff, err := h.Declare(ctx, files, r.Body.DryRun)
	if err != nil {
		return nil, err
	}
	out := api.ApplyDeclarations200JSONResponse{}
	for _, c := range diff {
		out = append(out, api.DeclarationChange{Action: string(c.Action), Kind: c.Kind, Id: c.ID, Name: c.Name, Note: c.Note})
	}
	return out, nil
}
