package auth_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/internal/auth"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

const password = "correct horse battery"

var street = mulu.Org{Code: "11310107MBQ000518E", Name: "曹杨新村街道", Kind: "street", Division: "310107005"}

type house struct {
	*auth.Service
	now time.Time
	dir string
	db  *store.DB
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), dir: t.TempDir()}
	var err error
	if h.db, err = store.Open(t.Context(), "sqlite:"+filepath.Join(h.dir, "c.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	h.again(t)
	return h
}

func (h *house) again(t *testing.T) {
	t.Helper()
	var err error
	if h.Service, err = auth.Open(t.Context(), h.db, filepath.Join(h.dir, "seal.key"), func() time.Time { return h.now }); err != nil {
		t.Fatal(err)
	}
}

func (h *house) person(t *testing.T) mulu.Actor {
	t.Helper()
	a := mulu.Actor{ID: "caoyang", Name: "曹杨数据专员", Org: street, Role: mulu.RoleOfficer}
	if err := h.CreateAccount(t.Context(), a, password); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSignIn(t *testing.T) {
	h := open(t)
	want := h.person(t)
	session, a, err := h.SignIn(t.Context(), "caoyang", password, "127.0.0.1")
	if err != nil || a != want {
		t.Fatalf("SignIn = %+v, %v", a, err)
	}
	if a, err := h.Session(t.Context(), session); err != nil || a != want {
		t.Errorf("Session = %+v, %v", a, err)
	}
	if err := h.SignOut(t.Context(), session, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Session(t.Context(), session); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("after sign-out: %v", err)
	}
	if trail, err := h.Trail(t.Context(), 10); err != nil || len(trail) != 2 {
		t.Errorf("trail has %d events, %v; want sign-in and sign-out", len(trail), err)
	}
}

func TestSessionEnds(t *testing.T) {
	h := open(t)
	h.person(t)
	session, _, err := h.SignIn(t.Context(), "caoyang", password, "")
	if err != nil {
		t.Fatal(err)
	}
	alive := func(after time.Duration, want bool) {
		t.Helper()
		h.now = h.now.Add(after)
		if _, err := h.Session(t.Context(), session); (err == nil) != want {
			t.Errorf("after %v more: %v, want alive %v", after, err, want)
		}
	}
	alive(7*time.Hour, true)
	alive(4*time.Hour, true)            // used meanwhile: the pause starts anew
	alive(time.Hour+time.Minute, false) // twelve hours in all
	idle, _, err := h.SignIn(t.Context(), "caoyang", password, "")
	if err != nil {
		t.Fatal(err)
	}
	session = idle
	alive(8*time.Hour+time.Minute, false) // never used
}

func TestSignInErrDenied(t *testing.T) {
	h := open(t)
	h.person(t)
	for _, c := range [][2]string{{"caoyang", "wrong password"}, {"nobody", password}, {"caoyang", ""}} {
		if _, _, err := h.SignIn(t.Context(), c[0], c[1], ""); !errors.Is(err, mulu.ErrDenied) {
			t.Errorf("SignIn(%s): %v", c[0], err)
		}
	}
}

func TestLockout(t *testing.T) {
	h := open(t)
	h.person(t)
	for range 5 {
		if _, _, err := h.SignIn(t.Context(), "caoyang", "wrong password", ""); !errors.Is(err, mulu.ErrDenied) {
			t.Fatal(err)
		}
	}
	if _, _, err := h.SignIn(t.Context(), "caoyang", password, ""); !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("after five failures: %v, want locked", err)
	}
	h.now = h.now.Add(31 * time.Second)
	if _, _, err := h.SignIn(t.Context(), "caoyang", password, ""); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestKey(t *testing.T) {
	h := open(t)
	secret, err := h.CreateKey(t.Context(), mulu.Actor{ID: "caoyang-sys", Name: "曹杨系统", Org: street}, h.now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := h.Key(t.Context(), secret); err != nil || a.Role != mulu.RoleSystem || a.Org.Code != street.Code {
		t.Errorf("Key = %+v, %v", a, err)
	}
	for _, bad := range []string{"", "mulu_", secret + "0", secret[:len(secret)-1] + "!", "mulu_000000000000_" + strings.Repeat("0", 64)} {
		if _, err := h.Key(t.Context(), bad); !errors.Is(err, mulu.ErrDenied) {
			t.Errorf("Key(%q): %v", bad, err)
		}
	}
	id := strings.Split(secret, "_")[1]
	if err := h.RevokeKey(t.Context(), id, "ops"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Key(t.Context(), secret); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("revoked key: %v", err)
	}
}

func TestSign(t *testing.T) {
	h := open(t)
	a := h.person(t)
	c, err := contract.New("x:1", a, h.now, contract.ScenarioBody{Scenario: "SC-2", Owner: street.Code, Digest: contract.Digest([]byte("x"))})
	if err != nil {
		t.Fatal(err)
	}
	h.again(t) // the key must come back from its sealed form
	if err := h.Sign(t.Context(), a.ID, &c); err != nil {
		t.Fatal(err)
	}
	key, err := h.PublicKey(t.Context(), a.ID)
	if err != nil || !c.Verified(key) {
		t.Errorf("signature does not verify: %v", err)
	}
	c.Role = mulu.RoleApprover
	if err := h.Sign(t.Context(), a.ID, &c); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("signed a command with another role: %v", err)
	}
}

func TestKeyFileLost(t *testing.T) {
	h := open(t)
	h.person(t)
	if fi, err := os.Stat(filepath.Join(h.dir, "seal.key")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", fi.Mode(), err)
	}
	if err := os.Remove(filepath.Join(h.dir, "seal.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.Open(t.Context(), h.db, filepath.Join(h.dir, "seal.key"), time.Now); err == nil || !strings.Contains(err.Error(), "备份") {
		t.Errorf("a new key file was made over sealed keys: %v", err)
	}
}

func TestCreateAccountErrors(t *testing.T) {
	h := open(t)
	a := h.person(t)
	if err := h.CreateAccount(t.Context(), a, password); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("same name twice: %v", err)
	}
	a.ID = "other"
	if err := h.CreateAccount(t.Context(), a, "short"); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("short password: %v", err)
	}
}
