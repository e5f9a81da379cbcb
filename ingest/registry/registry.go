// Package registry is a small schema registry: the part of Confluent's REST interface
// that producers' serialisers use, kept in the control store. Its other half, Book, is
// what ingest asks for the schema of a record, of this registry or of an outer one.
//
// A schema's id is given once and for good. What was registered can be read as long as
// the house stands, also after its subject was deleted: records that were written with
// it are still on the broker.
package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mulu"
	"mulu/ingest/wire"
	"mulu/internal/store"
)

// Reference is what a schema says of another one it needs.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Schema is what is registered.
type Schema struct {
	Type string // of wire
	Text string
	Refs []Reference
}

// Version is a schema as a version of a subject.
type Version struct {
	Subject string
	Version int
	ID      int64
	Deleted bool
	Schema
	imports []wire.Import
}

// Refusal is an answer that says no, in the numbers of Confluent's registry.
type Refusal struct {
	Status  int
	Code    int
	Message string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s (%d)", r.Message, r.Code) }

// Is tells what kind of refusal it is to those who do not know the numbers.
func (r *Refusal) Is(target error) bool {
	switch r.Status {
	case http.StatusNotFound:
		return target == mulu.ErrNotFound
	case http.StatusConflict:
		return target == mulu.ErrConflict
	case http.StatusUnprocessableEntity:
		return target == mulu.ErrInvalid
	}
	return false
}

func refuse(code int, format string, args ...any) *Refusal {
	status := code
	if code > 999 {
		status = code / 100
	}
	return &Refusal{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Codes of refusals.
const (
	codeNoSubject      = 40401
	codeNoVersion      = 40402
	codeNoSchema       = 40403
	codeSubjectDeleted = 40404
	codeSubjectLive    = 40405
	codeVersionDeleted = 40406
	codeVersionLive    = 40407
	codeNoLevel        = 40408
	codeIncompatible   = 409
	codeBadSchema      = 42201
	codeBadVersion     = 42202
	codeBadLevel       = 42203
	codeReferenced     = 42206
)

func noSubject(s string) error {
	return refuse(codeNoSubject, "Subject '%s' not found. / 没有模式名 %s", s, s)
}

func noVersion(v int) error {
	return refuse(codeNoVersion, "Version %d not found. / 没有第 %d 版", v, v)
}

// States of a version.
const (
	live    = 0
	deleted = 1
	gone    = 2
)

// maxSchema is the longest schema, in bytes.
const maxSchema = 1 << 20

// Desk is the embedded registry. Every change is one transaction: a kill leaves all of
// it or none.
type Desk struct {
	db  *store.DB
	now func() time.Time
}

// NewDesk makes one on a store whose ingest tables are up to date (ingest.NewJournal).
func NewDesk(db *store.DB, now func() time.Time) *Desk { return &Desk{db: db, now: now} }

// queryer is the reading pool, or the transaction under way.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const versionColumns = `v.subject, v.version, v.schema_id, v.state, s.type, s.body, s.refs, s.imports`

const versionTables = ` FROM ingest_subject v JOIN ingest_schema s ON s.registry = '' AND s.id = v.schema_id `

func scanVersion(row store.Row) (v Version, err error) {
	var state int
	var refs, imports string
	if err = row.Scan(&v.Subject, &v.Version, &v.ID, &state, &v.Type, &v.Text, &refs, &imports); err != nil {
		return v, err
	}
	v.Deleted = state != live
	return v, errors.Join(json.Unmarshal([]byte(refs), &v.Refs), json.Unmarshal([]byte(imports), &v.imports))
}

// versions gives a subject's versions, oldest first; most says up to which state.
func versions(ctx context.Context, q queryer, subject string, most int) ([]Version, error) {
	list, err := store.All(ctx, q, scanVersion, `SELECT `+versionColumns+versionTables+`WHERE v.subject = $1 AND v.state <= $2 ORDER BY v.version`, subject, most)
	if err != nil {
		return nil, fmt.Errorf("list versions of %s: %w", subject, err)
	}
	return list, nil
}

// Latest asks for a subject's newest version.
const Latest = -1

// pick finds a version among a subject's.
func pick(subject string, list []Version, number int) (Version, error) {
	if len(list) == 0 {
		return Version{}, noSubject(subject)
	}
	if number == Latest {
		return list[len(list)-1], nil
	}
	for _, v := range list {
		if v.Version == number {
			return v, nil
		}
	}
	return Version{}, noVersion(number)
}

func most(withDeleted bool) int {
	if withDeleted {
		return deleted
	}
	return live
}

// Versions gives the versions of a subject, oldest first.
func (d *Desk) Versions(ctx context.Context, subject string, withDeleted bool) ([]Version, error) {
	list, err := versions(ctx, d.db.Read, subject, most(withDeleted))
	if err == nil && len(list) == 0 {
		return nil, noSubject(subject)
	}
	return list, err
}

// Version gives one version of a subject, or Latest.
func (d *Desk) Version(ctx context.Context, subject string, number int, withDeleted bool) (Version, error) {
	list, err := versions(ctx, d.db.Read, subject, most(withDeleted))
	if err != nil {
		return Version{}, err
	}
	return pick(subject, list, number)
}

// Subjects gives the names of what is registered, sorted.
func (d *Desk) Subjects(ctx context.Context, withDeleted bool) ([]string, error) {
	list, err := store.All(ctx, d.db.Read, store.One[string], `SELECT DISTINCT subject FROM ingest_subject WHERE state <= $1 ORDER BY subject`, most(withDeleted))
	if err != nil {
		return nil, fmt.Errorf("list subjects: %w", err)
	}
	return append([]string{}, list...), nil // clients want a list, be it empty
}

// ByID gives a schema by its id.
func (d *Desk) ByID(ctx context.Context, id int64) (s Schema, err error) {
	var refs string
	err = d.db.Read.QueryRowContext(ctx, `SELECT type, body, refs FROM ingest_schema WHERE registry = '' AND id = $1`, id).Scan(&s.Type, &s.Text, &refs)
	if errors.Is(err, sql.ErrNoRows) {
		return s, refuse(codeNoSchema, "Schema %d not found / 没有编号为 %d 的模式", id, id)
	}
	if err == nil {
		err = json.Unmarshal([]byte(refs), &s.Refs)
	}
	if err != nil {
		return s, fmt.Errorf("read schema %d: %w", id, err)
	}
	return s, nil
}

// Uses gives the versions of subjects that a schema is.
func (d *Desk) Uses(ctx context.Context, id int64, withDeleted bool) ([]Version, error) {
	if _, err := d.ByID(ctx, id); err != nil {
		return nil, err
	}
	return d.list(ctx, `WHERE v.schema_id = $1 AND v.state <= $2 ORDER BY v.subject, v.version`, id, most(withDeleted))
}

// ReferencedBy gives the versions that refer to one.
func (d *Desk) ReferencedBy(ctx context.Context, subject string, number int) ([]Version, error) {
	v, err := d.Version(ctx, subject, number, true)
	if err != nil {
		return nil, err
	}
	return referrers(ctx, d.db.Read, v.Subject, v.Version)
}

// referrers are few among few: schemas with references are looked through.
func referrers(ctx context.Context, q queryer, subject string, number int) (out []Version, err error) {
	list, err := listOf(ctx, q, `WHERE v.state = 0 AND s.refs <> '[]' ORDER BY v.schema_id`)
	for _, v := range list {
		for _, r := range v.Refs {
			if r.Subject == subject && r.Version == number {
				out = append(out, v)
				break
			}
		}
	}
	return out, err
}

func (d *Desk) list(ctx context.Context, where string, args ...any) ([]Version, error) {
	return listOf(ctx, d.db.Read, where, args...)
}

func listOf(ctx context.Context, q queryer, where string, args ...any) ([]Version, error) {
	list, err := store.All(ctx, q, scanVersion, `SELECT `+versionColumns+versionTables+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list schemas: %w", err)
	}
	return list, nil
}
