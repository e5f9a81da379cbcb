package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"mulu"
	"mulu/ingest/file"
	"mulu/ingest/submit"
	api "mulu/internal/httpapi/gen/submission"
	"mulu/pipeline"
)

// HandInFile streams the body to the disk and judges it. The house's own limit on its
// length stands before the service.
func (h submissionRoom) HandInFile(ctx context.Context, r api.HandInFileRequestObject) (api.HandInFileResponseObject, error) {
	q := r.Params
	if _, err := h.ofOwn(ctx, mulu.DatasetCode(q.Dataset)); err != nil {
		return nil, err
	}
	o := pipeline.FileOptions{Sheet: value(q.Sheet), Header: value(q.Header), Encoding: value(q.Encoding)}
	for _, m := range value(q.Map) {
		heading, column, ok := strings.Cut(m, "=")
		if !ok {
			return nil, invalid("map 应形如 标题=字段，%q 不是", m)
		}
		if o.Map == nil {
			o.Map = map[string]string{}
		}
		o.Map[heading] = column
	}
	p, err := h.Files.Take(ctx, pipeline.Handed{
		Dataset: mulu.DatasetCode(q.Dataset), Name: q.Name, By: passOf(ctx).actor.ID, Options: o, Force: value(q.Force),
		Body: http.MaxBytesReader(nil, io.NopCloser(r.Body), h.FileBytes),
	})
	if err != nil {
		return nil, err
	}
	return api.HandInFile200JSONResponse(previewOf(p)), nil
}

func (h submissionRoom) GetFilePreview(ctx context.Context, r api.GetFilePreviewRequestObject) (api.GetFilePreviewResponseObject, error) {
	if _, err := h.submission(ctx, r.Id); err != nil {
		return nil, err
	}
	p, err := h.Files.Shown(r.Id)
	if err != nil {
		return nil, err
	}
	return api.GetFilePreview200JSONResponse(previewOf(p)), nil
}

func (h submissionRoom) PreviewFile(ctx context.Context, r api.PreviewFileRequestObject) (api.PreviewFileResponseObject, error) {
	if _, err := h.submission(ctx, r.Id); err != nil {
		return nil, err
	}
	b := r.Body
	p, err := h.Files.Preview(ctx, r.Id, pipeline.FileOptions{Sheet: value(b.Sheet), Header: value(b.Header), Encoding: value(b.Encoding), Map: value(b.Map)})
	if err != nil {
		return nil, err
	}
	return api.PreviewFile200JSONResponse(previewOf(p)), nil
}

func (h submissionRoom) SendFile(ctx context.Context, r api.SendFileRequestObject) (api.SendFileResponseObject, error) {
	if _, err := h.submission(ctx, r.Id); err != nil {
		return nil, err
	}
	b, who := r.Body, passOf(ctx)
	t := pipeline.Telling{Clean: value(b.RequireClean), By: who.actor.ID}
	if b.Map != nil || b.Sheet != nil || b.Header != nil || b.Encoding != nil {
		t.Options = &pipeline.FileOptions{Sheet: value(b.Sheet), Header: value(b.Header), Encoding: value(b.Encoding), Map: value(b.Map)}
	}
	if err := h.Auth.Note(ctx, "file.send", who.actor.ID, who.from, r.Id); err != nil {
		return nil, err
	}
	s, err := h.Files.Send(ctx, r.Id, t)
	if err != nil {
		return nil, err
	}
	out, err := submissionOf(&s)
	return api.SendFile200JSONResponse(out), err
}

// DiscardSubmission ends a file or a package of which nothing was sent. Who may is who
// may send the one, or bring parts of the other.
func (h submissionRoom) DiscardSubmission(ctx context.Context, r api.DiscardSubmissionRequestObject) (api.DiscardSubmissionResponseObject, error) {
	s, err := h.submission(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	who, as, discard := passOf(ctx).actor, "POST /v1/submissions/{id}/send", h.Files.Discard
	if s.Way == mulu.WayPackage {
		as, discard = "PUT /v1/submissions/{id}/parts/{name}", h.Shelf.Discard
	}
	if rule, _ := PolicyFor(as); !rule.Admits(who.Role) {
		return nil, fmt.Errorf("这一角色不能放弃报送 %s / not for this role: %w", s.ID, mulu.ErrDenied)
	}
	return api.DiscardSubmission204Response{}, discard(ctx, s.ID, who.ID)
}

func (h submissionRoom) DownloadMarked(ctx context.Context, r api.DownloadMarkedRequestObject) (api.DownloadMarkedResponseObject, error) {
	s, err := h.submission(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	f, err := h.Files.Marked(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return markedFile{f, &s}, nil
}

func (h submissionRoom) DownloadTemplate(ctx context.Context, r api.DownloadTemplateRequestObject) (api.DownloadTemplateResponseObject, error) {
	ds, err := h.ofOwn(ctx, mulu.DatasetCode(r.Code))
	if err != nil {
		return nil, err
	}
	return templateFile{h.Files, ds}, nil
}

const sheetType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// attach names a file that is downloaded; browsers take the second name, which may be
// Chinese.
func attach(w http.ResponseWriter, plain, name string) {
	w.Header().Set("Content-Type", sheetType)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"; filename*=UTF-8''%s`, plain, url.PathEscape(name)))
}

type markedFile struct {
	f *os.File
	s *submit.Submission
}

// VisitDownloadMarkedResponse writes the file as it was kept.
func (m markedFile) VisitDownloadMarkedResponse(w http.ResponseWriter) error {
	defer m.f.Close()
	attach(w, m.s.ID+".xlsx", m.s.Source+".问题.xlsx")
	_, err := io.Copy(w, m.f)
	return err
}

type templateFile struct {
	files *pipeline.Files
	ds    *mulu.Dataset
}

// VisitDownloadTemplateResponse writes the template as it is made.
func (t templateFile) VisitDownloadTemplateResponse(w http.ResponseWriter) error {
	attach(w, string(t.ds.Code)+".xlsx", t.ds.Title+"（填报模板）.xlsx")
	b := bufio.NewWriter(w)
	if err := t.files.Template(t.ds.Code, b); err != nil {
		return err
	}
	return b.Flush()
}

func previewOf(p *pipeline.FilePreview) api.FilePreview {
	out := api.FilePreview{
		Id: p.ID, Dataset: p.Dataset, File: p.File, Format: p.Format, Encoding: p.Encoding, Sheets: []api.FileSheet{}, Sheet: p.Sheet, Header: p.Header,
		Version: int64(p.Version), Rows: p.Rows, Good: p.Good, Bad: p.Bad, Soft: p.Soft, Columns: []api.FileColumn{}, Missing: listOf(p.Missing), Notes: listOf(p.Notes),
		Faults: []api.FileFault{}, FaultCount: p.Faults, ByClass: []api.FileClass{}, ByRule: []api.FileRule{}, Sendable: p.Sendable, Refusal: p.Refusal, Earlier: p.EarlierID,
	}
	for _, s := range p.Sheets {
		out.Sheets = append(out.Sheets, api.FileSheet{Name: s.Name, Rows: s.Rows, Hidden: s.Hidden})
	}
	for _, c := range p.Columns {
		by := c.By
		if by == "" {
			by = file.ByNone
		}
		out.Columns = append(out.Columns, api.FileColumn{Heading: c.Heading, Column: c.Column, By: api.FileColumnBy(by), Samples: listOf(c.Samples)})
	}
	for _, x := range p.First {
		out.Faults = append(out.Faults, api.FileFault{
			Sheet: x.Sheet, Row: x.Row, Column: x.Column, Cell: x.Cell, Heading: x.Heading, Class: x.Class, Field: x.Field, Rule: x.Rule, Reason: x.Reason,
		})
	}
	for _, c := range p.ByClass {
		out.ByClass = append(out.ByClass, api.FileClass{Class: c.Class, Title: c.Title, Count: c.Count})
	}
	for _, r := range p.ByRule {
		out.ByRule = append(out.ByRule, api.FileRule{Rule: string(r.Rule), Title: r.Title, Blocking: r.Blocking, Count: r.Count})
	}
	return out
}

// listOf is [] for none.
func listOf(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
