package drop_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"mulu"
	"mulu/ingest/drop"
)

// keys knows two systems of one organisation, one of another, and a person.
type keys struct{}

var actors = map[string]mulu.Actor{
	"ga":      {ID: "ga", Role: mulu.RoleSystem, Org: mulu.Org{Code: "GA"}},
	"ga2":     {ID: "ga2", Role: mulu.RoleSystem, Org: mulu.Org{Code: "GA"}},
	"mz":      {ID: "mz", Role: mulu.RoleSystem, Org: mulu.Org{Code: "MZ"}},
	"officer": {ID: "officer", Role: mulu.RoleOfficer, Org: mulu.Org{Code: "GA"}},
}

func (keys) Key(ctx context.Context, key string) (mulu.Actor, error) {
	return keys{}.Actor(ctx, strings.TrimPrefix(key, "key-"))
}

func (keys) Actor(_ context.Context, id string) (mulu.Actor, error) {
	if a, ok := actors[id]; ok {
		return a, nil
	}
	return mulu.Actor{}, mulu.ErrDenied
}

type door struct {
	*drop.Door
	root string
	host ssh.PublicKey
}

func openDoor(t *testing.T, allowed map[string][]ssh.PublicKey) *door {
	t.Helper()
	root := t.TempDir()
	path := filepath.Join(t.TempDir(), "host_key")
	signer, err := drop.HostKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := drop.HostKey(path); err != nil || !bytes.Equal(again.PublicKey().Marshal(), signer.PublicKey().Marshal()) {
		t.Fatalf("the host key changed: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("host key %v, %v", info.Mode(), err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{root: root, host: signer.PublicKey(), Door: &drop.Door{Listener: l, HostKey: signer, Auth: keys{}, Allowed: allowed, MaxBytes: 1 << 20, Log: slog.New(slog.DiscardHandler),
		Folders: func(_ context.Context, org mulu.OrgCode) ([]drop.Folder, error) {
			return map[mulu.OrgCode][]drop.Folder{"GA": {{Name: "people", Dir: filepath.Join(root, "people")}, {Name: "visit", Dir: filepath.Join(root, "visit")}}, "MZ": {{Name: "aid", Dir: filepath.Join(root, "aid")}}}[org], nil
		}}}
	ended := make(chan error, 1)
	go func() { ended <- d.Serve() }()
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *door) dial(t *testing.T, account string, auth ssh.AuthMethod) (*sftp.Client, *ssh.Client, error) {
	t.Helper()
	conn, err := ssh.Dial("tcp", d.Listener.Addr().String(), &ssh.ClientConfig{User: account, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.FixedHostKey(d.host)})
	if err != nil {
		return nil, nil, err
	}
	c, err := sftp.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); conn.Close() })
	return c, conn, nil
}

func (d *door) as(t *testing.T, account string) *sftp.Client {
	t.Helper()
	c, _, err := d.dial(t, account, ssh.Password("key-"+account))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(c *sftp.Client, name, content string) error {
	f, err := c.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, content)
	return errors.Join(err, f.Close())
}

func names(t *testing.T, c *sftp.Client, dir string) string {
	t.Helper()
	list, err := c.ReadDir(dir)
	if err != nil {
		t.Fatalf("list %s: %v", dir, err)
	}
	var out []string
	for _, i := range list {
		out = append(out, i.Name())
	}
	return strings.Join(out, " ")
}

func TestDoor(t *testing.T) {
	d := openDoor(t, nil)
	ga, ga2, mz := d.as(t, "ga"), d.as(t, "ga2"), d.as(t, "mz")

	t.Run("each sees its own organisation's folders", func(t *testing.T) {
		if got := names(t, ga, "/"); got != "people visit" {
			t.Errorf("ga sees %q", got)
		}
		if got := names(t, mz, "/"); got != "aid" {
			t.Errorf("mz sees %q", got)
		}
		for _, p := range []string{"/people", "/people/x.csv", "/aid/../people", "/../../etc/passwd", "/aid/退回/../../people"} {
			if _, err := mz.Stat(p); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("mz looks at %s: %v", p, err)
			}
		}
		if err := put(mz, "/people/x.csv", "1"); err == nil {
			t.Error("mz wrote into another's folder")
		}
	})
	t.Run("a file is there when it is whole", func(t *testing.T) {
		f, err := ga.Create("/people/a.csv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, "half"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(d.root, "people", "a.csv")); !os.IsNotExist(err) {
			t.Errorf("half a file has its name: %v", err)
		}
		if info, err := ga.Stat("/people/a.csv"); err != nil || info.Size() != 4 {
			t.Errorf("its uploader can not see it: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(d.root, "people", "a.csv")); err != nil || string(b) != "half" {
			t.Errorf("%q, %v", b, err)
		}
	})
	t.Run("a client that dies leaves nothing", func(t *testing.T) {
		c, conn, err := d.dial(t, "ga", ssh.Password("key-ga"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := c.Create("/visit/cut.csv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, "half"); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		c.Wait()              //nolint:errcheck // it ended by force
		for c := 200; ; c-- { // the other side hears of it a little later
			left, err := filepath.Glob(filepath.Join(d.root, "visit", ".upload-*"))
			if err != nil {
				t.Fatal(err)
			}
			if len(left) == 0 {
				break
			}
			if c == 0 {
				t.Fatalf("left behind: %v", left)
			}
			names(t, ga, "/visit") // gives it a turn
		}
		if got := names(t, ga, "/visit"); strings.Contains(got, "cut") {
			t.Errorf("half a file is there: %s", got)
		}
	})
	t.Run("rename and remove one's own", func(t *testing.T) {
		if err := put(ga, "/people/b.csv.part", "1"); err != nil {
			t.Fatal(err)
		}
		if err := ga2.Rename("/people/b.csv.part", "/people/stolen.csv"); err == nil {
			t.Error("another account renamed it")
		}
		if err := ga.Rename("/people/b.csv.part", "/people/b.csv"); err != nil {
			t.Error(err)
		}
		if err := ga.Rename("/people/b.csv", "/visit/b.csv"); err == nil {
			t.Error("it was moved into another dataset's folder")
		}
		if err := ga2.Remove("/people/b.csv"); err == nil {
			t.Error("another account removed it")
		}
		if err := put(ga2, "/people/b.csv", "2"); err == nil {
			t.Error("another account replaced it")
		}
		if err := ga.Remove("/people/b.csv"); err != nil {
			t.Error(err)
		}
		for what, err := range map[string]error{"mkdir": ga.Mkdir("/people/x"), "symlink": ga.Symlink("/etc/passwd", "/people/l.csv"), "hidden": put(ga, "/people/.x", "1")} {
			if err == nil {
				t.Errorf("%s was let through", what)
			}
		}
	})
	t.Run("what the house wrote is read and not changed", func(t *testing.T) {
		f := drop.Folder{Name: "people", Dir: filepath.Join(d.root, "people")}
		src := filepath.Join(t.TempDir(), "x")
		write(t, src, "marked")
		if err := f.Answer("a.csv", []byte(`{"state":"landed"}`), src); err != nil {
			t.Fatal(err)
		}
		in, err := ga.Open("/people/回执/a.csv.receipt.json")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if b, err := io.ReadAll(in); err != nil || string(b) != `{"state":"landed"}` {
			t.Errorf("%q, %v", b, err)
		}
		if err := ga.Remove("/people/回执/a.csv.receipt.json"); err == nil {
			t.Error("a receipt was removed")
		}
		if err := put(ga, "/people/回执/a.csv.receipt.json", "{}"); err == nil {
			t.Error("a receipt was replaced")
		}
		if _, err := ga.Open("/people/a.csv"); err == nil {
			t.Error("a file on its way in can be read")
		}
	})
	t.Run("a file above the limit is not taken", func(t *testing.T) {
		if err := put(ga, "/people/big.csv", strings.Repeat("x", 1<<20+1)); err == nil {
			t.Error("it was let through")
		}
		if got := names(t, ga, "/people"); strings.Contains(got, "big") {
			t.Errorf("it is there: %s", got)
		}
	})
}

func TestDoorErrDenied(t *testing.T) {
	d := openDoor(t, nil)
	for _, who := range [][2]string{{"ga", "key-mz"}, {"ga", "wrong"}, {"officer", "key-officer"}, {"nobody", "key-nobody"}, {"", ""}} {
		if _, _, err := d.dial(t, who[0], ssh.Password(who[1])); err == nil {
			t.Errorf("%q came in with %q", who[0], who[1])
		}
	}
	conn, err := ssh.Dial("tcp", d.Listener.Addr().String(), &ssh.ClientConfig{User: "ga", Auth: []ssh.AuthMethod{ssh.Password("key-ga")}, HostKeyCallback: ssh.FixedHostKey(d.host)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := conn.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run("id"); err == nil {
		t.Error("a command was run")
	}
	if _, err := conn.Dial("tcp", d.Listener.Addr().String()); err == nil {
		t.Error("a port was forwarded")
	}
}

// TestOpenSSH: the sftp that departments have, with a public key.
func TestOpenSSH(t *testing.T) {
	client, err := exec.LookPath("sftp")
	if err != nil {
		t.Skip("no sftp on this machine")
	}
	dir := t.TempDir()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "id"), string(pem.EncodeToMemory(block)))
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	d := openDoor(t, map[string][]ssh.PublicKey{"ga": {key}})
	f := drop.Folder{Name: "people", Dir: filepath.Join(d.root, "people")}
	if err := f.Make(); err != nil {
		t.Fatal(err)
	}
	write(t, f.Path("回执", "old.csv.receipt.json"), "{}")
	write(t, filepath.Join(dir, "人口.csv"), "id\n1\n")
	host, port, err := net.SplitHostPort(d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "known"), fmt.Sprintf("[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(d.host)))
	write(t, filepath.Join(dir, "batch"), "cd people\nput -p "+filepath.Join(dir, "人口.csv")+" 人口.csv.part\nrename 人口.csv.part 人口.csv\nls -l\nget 回执/old.csv.receipt.json "+filepath.Join(dir, "got")+"\n")
	c := exec.CommandContext(t.Context(), client, "-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile="+filepath.Join(dir, "known"), "-i", filepath.Join(dir, "id"), "-P", port, "-b", filepath.Join(dir, "batch"), "ga@"+host)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(f.Path("人口.csv")); err != nil || string(b) != "id\n1\n" {
		t.Errorf("%q, %v\n%s", b, err, out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "got")); err != nil || string(b) != "{}" {
		t.Errorf("receipt %q, %v\n%s", b, err, out)
	}
}
