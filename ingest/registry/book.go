package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"mulu"
	"mulu/ingest/wire"
	"mulu/internal/store"
)

// Outer is a registry elsewhere that speaks Confluent's REST interface.
type Outer struct {
	URLs     []string // of one registry; the first names it
	User     string
	Password string
	Token    string // instead of user and password
	CA       string // file of the certificates it is known by, "" for the system's
}

// Book gives the schema of a record by its id. What it was told once it keeps in the
// control store, and asks no more: a batch decodes the same after a crash, and in a
// reconciliation years later, whether or not the registry answers.
type Book struct {
	db   *store.DB
	name string     // "" is the embedded registry
	far  *sr.Client // nil for the embedded one
	now  func() time.Time

	mu    sync.RWMutex
	forms map[uint32]entry
}

type entry struct {
	form *wire.Form
	err  error // it can not be read, whoever asks
}

// NewBook makes one on a store whose ingest tables are up to date. Without addresses it
// is the embedded registry's. An outer one need not be up yet.
func NewBook(db *store.DB, o Outer, now func() time.Time) (*Book, error) {
	b := &Book{db: db, now: now, forms: map[uint32]entry{}}
	if len(o.URLs) == 0 {
		return b, nil
	}
	b.name = strings.TrimRight(o.URLs[0], "/")
	opts := []sr.ClientOpt{sr.URLs(o.URLs...), sr.UserAgent("mulu")}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("读取 registry.ca / read the registry's certificates: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("registry.ca: %s 中没有 PEM 证书 / no PEM certificate: %w", o.CA, mulu.ErrInvalid)
		}
		opts = append(opts, sr.DialTLSConfig(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	}
	switch {
	case o.Token != "":
		opts = append(opts, sr.BearerToken(o.Token))
	case o.User != "":
		opts = append(opts, sr.BasicAuth(o.User, o.Password))
	}
	var err error
	if b.far, err = sr.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("registry: %w: %w", err, mulu.ErrInvalid)
	}
	return b, nil
}

// askWithin bounds how long a registry may take to answer.
const askWithin = 10 * time.Second

// Form gives how records of a schema are written. mulu.ErrNotFound: the registry says
// that there is no such schema; mulu.ErrInvalid: there is, and it can not be read. Any
// other error says that nobody knows just now, and the caller must ask again.
func (b *Book) Form(id uint32) (*wire.Form, error) {
	b.mu.RLock()
	e, ok := b.forms[id]
	b.mu.RUnlock()
	if ok {
		return e.form, e.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	s, err := b.schema(ctx, int64(id))
	if err != nil {
		return nil, err
	}
	if e.form, e.err = wire.Compile(s); e.err != nil && !errors.Is(e.err, mulu.ErrInvalid) {
		return nil, e.err
	}
	b.mu.Lock()
	b.forms[id] = e
	b.mu.Unlock()
	return e.form, e.err
}

// schema reads what is kept, or asks and keeps it.
func (b *Book) schema(ctx context.Context, id int64) (s wire.Schema, err error) {
	var imports string
	err = b.db.Read.QueryRowContext(ctx, `SELECT type, body, imports FROM ingest_schema WHERE registry = $1 AND id = $2`, b.name, id).Scan(&s.Type, &s.Text, &imports)
	switch {
	case err == nil:
		return s, json.Unmarshal([]byte(imports), &s.Imports)
	case !errors.Is(err, sql.ErrNoRows):
		return s, fmt.Errorf("read schema %d: %w", id, err)
	case b.far == nil:
		return s, fmt.Errorf("内嵌登记处没有编号为 %d 的模式: %w", id, mulu.ErrNotFound)
	}
	reg, full, err := b.ask(ctx, id)
	if err != nil {
		return s, err
	}
	err = b.db.Tx(ctx, func(tx *sql.Tx) error {
		return putSchema(ctx, tx, b.name, id, reg, full.Imports, "", store.Micros(b.now()))
	})
	if err != nil {
		return s, fmt.Errorf("keep schema %d: %w", id, err)
	}
	return full, nil
}

// ask fetches a schema and all it refers to.
func (b *Book) ask(ctx context.Context, id int64) (reg Schema, full wire.Schema, err error) {
	got, err := b.far.SchemaByID(ctx, int(id))
	if err != nil {
		return reg, full, b.explain(fmt.Sprintf("编号为 %d 的模式", id), err)
	}
	reg = Schema{Type: got.Type.String(), Text: got.Schema}
	full = wire.Schema{Type: reg.Type, Text: reg.Text}
	for _, r := range got.References {
		reg.Refs = append(reg.Refs, Reference{r.Name, r.Subject, r.Version})
		if full.Imports, err = b.follow(ctx, full.Imports, r, nil); err != nil {
			return reg, full, err
		}
	}
	return reg, full, nil
}

// follow puts a reference, after what it needs itself, into the list.
func (b *Book) follow(ctx context.Context, list []wire.Import, r sr.SchemaReference, from []string) ([]wire.Import, error) {
	if slices.ContainsFunc(list, func(i wire.Import) bool { return i.Name == r.Name }) {
		return list, nil
	}
	if slices.Contains(from, r.Name) || len(from) > 32 {
		return list, fmt.Errorf("模式的引用 %s 绕回自身 (circular reference): %w", r.Name, mulu.ErrInvalid)
	}
	got, err := b.far.SchemaByVersion(ctx, r.Subject, r.Version)
	if err != nil {
		return list, b.explain(fmt.Sprintf("被引用的 %s 第 %d 版", r.Subject, r.Version), err)
	}
	for _, inner := range got.References {
		if list, err = b.follow(ctx, list, inner, append(from, r.Name)); err != nil {
			return list, err
		}
	}
	return append(list, wire.Import{Name: r.Name, Text: got.Schema.Schema}), nil
}

// explain tells a registry that does not know from one that does not answer. A 404
// without the registry's own code is a wrong address or a proxy: nobody knows.
func (b *Book) explain(what string, err error) error {
	var no *sr.ResponseError
	switch {
	case errors.As(err, &no) && (no.ErrorCode == codeNoSubject || no.ErrorCode == codeNoVersion || no.ErrorCode == codeNoSchema):
		return fmt.Errorf("模式登记处 %s 没有%s: %w", b.name, what, mulu.ErrNotFound)
	case errors.As(err, &no) && (no.StatusCode == 401 || no.StatusCode == 403):
		return fmt.Errorf("模式登记处 %s 拒绝了本系统的账号（%d），请核对配置 registry 的 user、password 或 token；数据不会丢失，改好后自动继续 / registry refuses our credentials: %w", b.name, no.StatusCode, mulu.ErrBusy)
	case errors.As(err, &no):
		return fmt.Errorf("模式登记处 %s 答复 %d，读不到%s，请检查其是否正常、地址是否正确；数据不会丢失，恢复后自动继续 / registry does not answer properly: %w: %w", b.name, no.StatusCode, what, mulu.ErrBusy, err)
	}
	return fmt.Errorf("连不上模式登记处 %s，读不到%s，请检查其是否在运行、网络是否通；数据不会丢失，恢复后自动继续 / registry cannot be reached: %w: %w", b.name, what, mulu.ErrBusy, err)
}

// Missing gives, by schema id, the offsets whose records were judged without it.
func (b *Book) Missing(topic mulu.TopicID, partition int32, first, last int64) (map[uint32][][2]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	rows, err := b.db.Read.QueryContext(ctx, `SELECT schema_id, first_offset, last_offset FROM ingest_schema_missing
		WHERE topic_id = $1 AND part = $2 AND first_offset <= $3 AND last_offset >= $4`, topic.String(), partition, last, first)
	if err != nil {
		return nil, fmt.Errorf("list missing schemas: %w", err)
	}
	defer rows.Close()
	var out map[uint32][][2]int64
	for rows.Next() {
		var id int64
		var r [2]int64
		if err := rows.Scan(&id, &r[0], &r[1]); err != nil {
			return nil, fmt.Errorf("list missing schemas: %w", err)
		}
		if out == nil {
			out = map[uint32][][2]int64{}
		}
		out[uint32(id)] = append(out[uint32(id)], r) //nolint:gosec // written from one
	}
	return out, rows.Err()
}

// Miss notes, before anything of a batch is stored, that the registry did not know
// schemas of it: its records stay rejects although the schema may be registered later.
func (b *Book) Miss(topic mulu.TopicID, partition int32, first, last int64, ids []uint32) error {
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	err := b.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			_, err := tx.ExecContext(ctx, `INSERT INTO ingest_schema_missing (topic_id, part, schema_id, first_offset, last_offset, found_at) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (topic_id, part, schema_id, first_offset) DO UPDATE SET last_offset = excluded.last_offset WHERE excluded.last_offset > ingest_schema_missing.last_offset`,
				topic.String(), partition, int64(id), first, last, store.Micros(b.now()))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note missing schemas: %w", err)
	}
	return nil
}
