package packages

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

// Signer signs for this house; internal/auth does.
type Signer interface {
	PublicKey(ctx context.Context, actor string) (ed25519.PublicKey, error)
	SignText(ctx context.Context, actor, purpose string, text []byte) ([]byte, error)
}

// Seal signs the manifests of packages that leave this house and keeps them, so that the
// next one follows on.
type Seal struct {
	DB     *store.DB
	Signer Signer
	Actor  string // whose key it is: the house's own system
	House  House  // without key
	Now    func() time.Time
}

// Sealed is a package that was signed here.
type Sealed struct {
	Dataset   mulu.DatasetCode
	Name      string
	Digest    string
	Text, Sig []byte
	By        string
	At        time.Time
}

// Sign completes a manifest that an export has written, ds being its dataset as it is,
// with house, schema and what it follows on, signs and keeps it. mulu.ErrConflict: it
// overlaps the last one or leaves a gap; a manifest that begins anew says so by anew.
func (s *Seal) Sign(ctx context.Context, draft []byte, ds *mulu.Dataset, anew bool, by string) (Sealed, error) {
	m, err := Parse(draft)
	if err != nil {
		return Sealed{}, err
	}
	if m.Topic != ds.Topic {
		return Sealed{}, fmt.Errorf("清单的主题 %s 不是数据集 %s 的主题 %s / another topic: %w", m.Topic, ds.Code, ds.Topic, mulu.ErrInvalid)
	}
	m.Title, m.Version, m.Schema, m.House, m.Created, m.Previous = ds.Title, ds.Version, SchemaDigest(ds), s.House, s.Now().UTC().Truncate(time.Second), ""
	last, err := s.List(ctx, ds.Code, 1)
	if err != nil {
		return Sealed{}, err
	}
	if len(last) > 0 && !anew {
		prev, err := Parse(last[0].Text)
		if err == nil {
			err = m.Follow(prev)
		}
		if err != nil {
			return Sealed{}, err
		}
		m.Previous = last[0].Digest
	}
	key, err := s.Signer.PublicKey(ctx, s.Actor)
	if err != nil {
		return Sealed{}, err
	}
	m.House.Key = contract.KeyText(key)
	text, err := m.Text()
	if err != nil {
		return Sealed{}, err
	}
	sig, err := s.Signer.SignText(ctx, s.Actor, Purpose, text)
	if err != nil {
		return Sealed{}, err
	}
	out := Sealed{Dataset: ds.Code, Name: m.Name, Digest: Digest(text), Text: text, Sig: SignatureText(key, sig), By: by, At: m.Created}
	return out, s.keep(ctx, &out, m.Previous)
}

func (s *Seal) keep(ctx context.Context, p *Sealed, previous string) error {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ingest_package (n, digest, dataset, name, previous, manifest, signature, actor, signed_at)
			VALUES ((SELECT COALESCE(MAX(n), 0) + 1 FROM ingest_package), $1, $2, $3, $4, $5, $6, $7, $8)`,
			p.Digest, string(p.Dataset), p.Name, previous, string(p.Text), string(p.Sig), p.By, store.Micros(p.At))
		return err
	})
	if store.IsUnique(err) {
		err = fmt.Errorf("同一数据集刚刚签发过另一个包，请重新导出 / another package was signed just now: %w", mulu.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("keep package %s: %w", p.Name, err)
	}
	return nil
}

// List gives the newest packages that were signed here, of all datasets for "".
func (s *Seal) List(ctx context.Context, code mulu.DatasetCode, limit int) ([]Sealed, error) {
	list, err := store.All(ctx, s.DB.Read, func(r store.Row) (p Sealed, err error) {
		var text, sig string
		var at int64
		err = r.Scan(&p.Digest, &p.Dataset, &p.Name, &text, &sig, &p.By, &at)
		p.Text, p.Sig, p.At = []byte(text), []byte(sig), store.FromMicros(at)
		return p, err
	}, `SELECT digest, dataset, name, manifest, signature, actor, signed_at FROM ingest_package
		WHERE $1 = '' OR dataset = $1 ORDER BY n DESC LIMIT $2`, string(code), limit)
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	return list, nil
}
