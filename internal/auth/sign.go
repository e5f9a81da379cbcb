package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"mulu"
	"mulu/internal/durable"
	"mulu/ledger/contract"
)

// signer is an opened chain key with whom it belongs to.
type signer struct {
	org  mulu.OrgCode
	role mulu.Role
	key  ed25519.PrivateKey
}

// Sign puts actorID's signature on a command that is made out to that actor, with
// its organisation and role as they are registered.
func (s *Service) Sign(ctx context.Context, actorID string, c *contract.Command) error {
	k, err := s.signer(ctx, actorID)
	if err != nil {
		return fmt.Errorf("sign command %s: %w", c.ID, err)
	}
	if c.Actor != actorID || c.Org != k.org || c.Role != k.role {
		return fmt.Errorf("sign command %s: it is made out to %s of %s as %s, not to %s: %w", c.ID, c.Actor, c.Org, c.Role, actorID, mulu.ErrDenied)
	}
	return c.Sign(k.key)
}

// PublicKey is the key an actor's signatures are checked with.
func (s *Service) PublicKey(ctx context.Context, actorID string) (ed25519.PublicKey, error) {
	k, err := s.signer(ctx, actorID)
	if err != nil {
		return nil, err
	}
	return k.key.Public().(ed25519.PublicKey), nil
}

func (s *Service) signer(ctx context.Context, id string) (signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.keys[id]; ok {
		return k, nil
	}
	var k signer
	var sealed string
	err := s.db.Read.QueryRowContext(ctx, `SELECT org, role, sealed_key FROM auth_actor WHERE id = $1`, id).Scan((*string)(&k.org), (*string)(&k.role), &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return k, fmt.Errorf("actor %s: %w", id, mulu.ErrNotFound)
	}
	if err != nil {
		return k, fmt.Errorf("read key of %s: %w", id, err)
	}
	if k.key, err = s.seal.open(id, sealed); err != nil {
		return k, err
	}
	s.keys[id] = k
	return k, nil
}

// sealer keeps private keys closed at rest.
type sealer struct{ key []byte }

// openSealer reads the key file; make says that it may be made, because nothing is
// sealed yet. A crash while making it leaves a temporary file and no key.
func openSealer(path string, make bool) (*sealer, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && make {
		b = []byte(token())
		if err := durable.WriteFile(path, b, 0o600); err != nil {
			return nil, fmt.Errorf("make key file: %w", err)
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("密钥文件 %s 不见了：没有它就打不开已有的签名私钥，请从备份恢复 / the key file is missing, restore it from the backup: %w", path, mulu.ErrInvalid)
	} else if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("密钥文件 %s 已损坏，请从备份恢复 / the key file is damaged, restore it from the backup: %w", path, mulu.ErrInvalid)
	}
	return &sealer{key: key}, nil
}

// newKey draws an actor's key and gives its public half and the sealed private one.
func (s *sealer) newKey(id string) (public, sealed string, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("draw key of %s: %w", id, err)
	}
	aead, err := chacha20poly1305.NewX(s.key)
	if err != nil {
		return "", "", fmt.Errorf("seal key of %s: %w", id, err)
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	if _, err := rand.Read(nonce); err != nil {
		return "", "", fmt.Errorf("seal key of %s: %w", id, err)
	}
	// The id is authenticated with it: a key can not be moved to another actor.
	box := aead.Seal(nonce, nonce, key.Seed(), []byte(id))
	return contract.KeyText(pub), base64.StdEncoding.EncodeToString(box), nil
}

func (s *sealer) open(id, sealed string) (ed25519.PrivateKey, error) {
	box, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(box) < chacha20poly1305.NonceSizeX {
		return nil, fmt.Errorf("open key of %s: not a sealed key: %w", id, mulu.ErrInvalid)
	}
	aead, err := chacha20poly1305.NewX(s.key)
	if err != nil {
		return nil, fmt.Errorf("open key of %s: %w", id, err)
	}
	seed, err := aead.Open(nil, box[:chacha20poly1305.NonceSizeX], box[chacha20poly1305.NonceSizeX:], []byte(id))
	if err != nil {
		return nil, fmt.Errorf("签名私钥 %s 打不开：密钥文件与控制库不是一套，请从同一备份恢复 / the key file does not belong to this control store: %w", id, mulu.ErrInvalid)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
