package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mulu"
	"mulu/internal/spool"
	"mulu/library"
	"mulu/quality/desk"
	"mulu/quality/rows"
)

// FailingExport is an archive on its way out. Close must be called.
type FailingExport struct {
	Look     desk.Look
	Manifest rows.Manifest
	Bytes    int64
	Digest   string

	desk  *FailingRows
	spool *spool.Spool
}

// listedAtOnce is how many row tokens are kept by one insert.
const listedAtOnce = 50_000

// closeWithin bounds the last words about an export whose client is gone.
const closeWithin = 10 * time.Second

// Export writes all rows of both lists into a spool: open look → engine → archive → look
// ready. Nothing leaves before all rows are counted and their look says so; a crash
// leaves an open look and an unnamed file.
func (r *FailingRows) Export(ctx context.Context, ask FailingAsk, xlsx bool) (*FailingExport, error) {
	form := "csv"
	if xlsx {
		form = "xlsx"
	}
	f, err := r.admit(ctx, ask, form)
	if err != nil {
		return nil, err
	}
	if f.rule.NoRows != "" {
		return nil, fmt.Errorf("%s / this rule has no rows: %w", f.rule.NoRows, mulu.ErrInvalid)
	}
	e := &FailingExport{Look: r.look(f, form), desk: r}
	if e.Look.Data, err = r.Library.DataVersion(ctx, f.ds.Code); err != nil {
		return nil, err
	}
	if err := r.Looks.OpenLook(ctx, &e.Look); err != nil {
		return nil, err
	}
	if err := r.spool(ctx, f, e, xlsx); err != nil {
		e.Look.Reason = "导出未完成，没有提供任何数据"
		return nil, errors.Join(err, e.end(ctx, desk.LookFailed), e.Close())
	}
	e.Look.Rows, e.Look.Refused, e.Look.Bytes, e.Look.Digest, e.Look.Outcome = e.Manifest.Rows, e.Manifest.Refused, e.Bytes, e.Digest, desk.LookReady
	if err := r.Looks.SaveLook(ctx, &e.Look); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (r *FailingRows) spool(ctx context.Context, f *failing, e *FailingExport, xlsx bool) (err error) {
	if e.spool, err = spool.New(r.Dir, 0); err != nil {
		return err
	}
	a := &rows.Archive{Manifest: r.manifest(f, &e.Look), Columns: f.ds.Columns, Shown: f.sight, Group: f.rule.Fault.Same != nil, XLSX: xlsx, Dir: r.Dir, Limit: r.PerFile,
		Names: func(code mulu.OrgCode) string {
			if o, ok := f.orgs[code]; ok {
				return o.Name
			}
			return string(code)
		}}
	a.Begin(e.spool)
	defer a.Abandon()
	if err := r.write(ctx, f, e.Look.ID, a); err != nil {
		return err
	}
	key, err := r.Signer.PublicKey(ctx, r.Actor)
	if err != nil {
		return err
	}
	err = a.End(key, func(text []byte) ([]byte, error) { return r.Signer.SignText(ctx, r.Actor, rows.Purpose, text) })
	e.Manifest, e.Bytes, e.Digest = a.Manifest, e.spool.Size(), e.spool.Digest()
	return err
}

// write streams both lists into the archive, and keeps their tokens under the look.
func (r *FailingRows) write(ctx context.Context, f *failing, list string, a *rows.Archive) error {
	kept := make([]library.Listed, 0, listedAtOnce)
	keep := func() error {
		err := r.Library.KeepListed(ctx, list, kept)
		kept = kept[:0]
		return err
	}
	add := func(refused bool) func([]string) error {
		return func(c []string) error {
			row := rows.Row{Token: c[0], Group: c[1], Unit: mulu.OrgCode(c[2]), Place: c[3:8], Breaks: c[8], Ruleset: c[9], Items: c[library.ExportColumns:], Refused: refused}
			if err := a.Add(&row); err != nil {
				return err
			}
			if kept = append(kept, library.Listed{Refused: refused, Token: c[0]}); len(kept) == listedAtOnce {
				return keep()
			}
			return nil
		}
	}
	if err := r.Library.EachFailing(ctx, f.plan, r.Key, add(false)); err != nil {
		return err
	}
	if f.rule.Blocking && !f.rule.Set {
		if err := r.Library.EachRefused(ctx, f.plan, r.Key, add(true)); err != nil {
			return err
		}
	}
	return keep()
}

func (r *FailingRows) manifest(f *failing, l *desk.Look) rows.Manifest {
	who := f.ask.Who
	return rows.Manifest{List: l.ID, House: r.House, Created: l.At, Dataset: f.ds.Code, Title: f.ds.Title, Rule: f.rule.ID, RuleTitle: f.rule.Title, Kind: f.rule.Kind,
		Indicator: f.rule.Indicator, Blocking: f.rule.Blocking, Ruleset: f.ds.Version, Data: l.Data, Sample: f.ds.Sample,
		Viewer: rows.Viewer{Account: who.ID, Org: who.Org.Code, OrgName: who.Org.Name, Role: who.Role}, Shown: f.sight.Shown, Purpose: l.Purpose, Filter: l.Filter}
}

// Deliver hands the archive to the client and closes the look.
func (e *FailingExport) Deliver(ctx context.Context, w io.Writer) error {
	if err := e.spool.Deliver(ctx, w); err != nil {
		e.Look.Reason = "接收方中断，最多已送出所列行数"
		return errors.Join(fmt.Errorf("deliver %s: %w", e.Look.ID, err), e.end(ctx, desk.LookAborted))
	}
	return e.end(ctx, desk.LookDelivered)
}

func (e *FailingExport) end(ctx context.Context, how desk.Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	e.Look.Outcome, e.Look.ClosedAt = how, e.desk.Now().UTC()
	return e.desk.Looks.SaveLook(ctx, &e.Look)
}

// Close lets the spool go.
func (e *FailingExport) Close() error {
	if e.spool == nil {
		return nil
	}
	return e.spool.Close()
}
