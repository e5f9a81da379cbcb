package drop

import (
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
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"mulu"
	"mulu/internal/durable"
)

// Keys knows who a system is by its API key.
type Keys interface {
	Key(ctx context.Context, key string) (mulu.Actor, error)
	Actor(ctx context.Context, id string) (mulu.Actor, error)
}

// Folders lists the folders of an organisation's datasets.
type Folders func(ctx context.Context, org mulu.OrgCode) ([]Folder, error)

// Door is an SFTP server to the drop folders. A system signs in under its account with
// its API key as password, or with a public key that the configuration gives it; it
// sees the folders of its organisation's datasets and nothing else.
type Door struct {
	Listener net.Listener
	HostKey  ssh.Signer
	Auth     Keys
	Allowed  map[string][]ssh.PublicKey // by account
	Folders  Folders
	MaxBytes int64 // of one file
	Log      *slog.Logger

	mu    sync.Mutex
	conns map[net.Conn]bool
	owner map[string]string // path of a file in a folder → who put it there, as long as this process lives
	shut  bool
	wg    sync.WaitGroup
}

// Bounds of the door.
const (
	mostConns   = 64
	handshakeIn = 20 * time.Second
	idleFor     = 15 * time.Minute
	askWithin   = 10 * time.Second
)

// accountExt names, among a connection's permissions, who it is.
const accountExt = "mulu-account"

// Serve accepts connections until Close.
func (d *Door) Serve() error {
	d.mu.Lock()
	d.conns, d.owner = map[net.Conn]bool{}, map[string]string{}
	d.mu.Unlock()
	config := d.config()
	for {
		c, err := d.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve SFTP: %w", err)
		}
		if !d.enter(c) {
			c.Close()
			continue
		}
		d.wg.Go(func() {
			defer d.leave(c)
			if err := d.serve(c, config); err != nil {
				d.Log.Info("SFTP connection ended", "from", c.RemoteAddr().String(), "error", err)
			}
		})
	}
}

// Close ends every connection: what is half uploaded is gone, and nothing of it is taken.
func (d *Door) Close() error {
	err := d.Listener.Close()
	d.mu.Lock()
	d.shut = true
	for c := range d.conns {
		c.Close()
	}
	d.mu.Unlock()
	d.wg.Wait()
	return err
}

func (d *Door) enter(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut || len(d.conns) >= mostConns {
		return false
	}
	d.conns[c] = true
	return true
}

func (d *Door) leave(c net.Conn) {
	c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
}

func (d *Door) config() *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		MaxAuthTries: 3, ServerVersion: "SSH-2.0-mulu",
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			ctx, cancel := context.WithTimeout(context.Background(), askWithin)
			defer cancel()
			a, err := d.Auth.Key(ctx, string(password))
			if err == nil && a.ID != c.User() {
				err = fmt.Errorf("the key is another account's: %w", mulu.ErrDenied)
			}
			return d.admit(c, a, err)
		},
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			for _, k := range d.Allowed[c.User()] {
				if string(k.Marshal()) == string(key.Marshal()) {
					ctx, cancel := context.WithTimeout(context.Background(), askWithin)
					defer cancel()
					a, err := d.Auth.Actor(ctx, c.User())
					return d.admit(c, a, err)
				}
			}
			return nil, fmt.Errorf("unknown public key: %w", mulu.ErrDenied)
		},
	}
	config.AddHostKey(d.HostKey)
	return config
}

// admit lets systems in, and nobody else: a person uses the console.
func (d *Door) admit(c ssh.ConnMetadata, a mulu.Actor, err error) (*ssh.Permissions, error) {
	if err == nil && a.Role != mulu.RoleSystem {
		err = fmt.Errorf("%s is no system: %w", a.ID, mulu.ErrDenied)
	}
	if err != nil {
		d.Log.Warn("SFTP sign-in refused", "account", c.User(), "from", c.RemoteAddr().String(), "error", err)
		return nil, err
	}
	return &ssh.Permissions{Extensions: map[string]string{accountExt: a.ID, "org": string(a.Org.Code)}}, nil
}

// serve is one connection.
func (d *Door) serve(c net.Conn, config *ssh.ServerConfig) error {
	if err := c.SetDeadline(time.Now().Add(handshakeIn)); err != nil {
		return err
	}
	live := &idle{Conn: c}
	conn, channels, requests, err := ssh.NewServerConn(live, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	live.known.Store(true)
	if err := c.SetDeadline(time.Now().Add(idleFor)); err != nil {
		return err
	}
	go ssh.DiscardRequests(requests)
	who := conn.Permissions.Extensions
	s := &session{door: d, account: who[accountExt], org: mulu.OrgCode(who["org"]), uploads: map[string]*upload{}}
	var wg sync.WaitGroup
	defer wg.Wait()
	for ch := range channels {
		if ch.ChannelType() != "session" {
			ch.Reject(ssh.UnknownChannelType, "only SFTP is served here") //nolint:errcheck // it goes away by itself
			continue
		}
		channel, asks, err := ch.Accept()
		if err != nil {
			return err
		}
		wg.Go(func() {
			defer channel.Close()
			d.channel(channel, asks, s)
		})
	}
	return nil
}

// channel serves SFTP, and neither a shell nor a command.
func (d *Door) channel(channel ssh.Channel, asks <-chan *ssh.Request, s *session) {
	for ask := range asks {
		ok := ask.Type == "subsystem" && len(ask.Payload) > 4 && string(ask.Payload[4:]) == "sftp"
		ask.Reply(ok, nil) //nolint:errcheck // the next read tells
		if !ok {
			continue
		}
		go ssh.DiscardRequests(asks)
		server := sftp.NewRequestServer(channel, sftp.Handlers{FileGet: s, FilePut: s, FileCmd: s, FileList: s})
		err := server.Serve()
		if errors.Is(err, io.EOF) {
			err = nil
		}
		code := uint32(0)
		if err != nil {
			d.Log.Info("SFTP session ended", "account", s.account, "error", err)
			code = 1
		}
		channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code})) //nolint:errcheck // a client that went away
		return
	}
}

// idle ends a connection on which nothing moves. Before it is known who it is, the
// deadline of the handshake stands.
type idle struct {
	net.Conn
	known atomic.Bool
}

func (i *idle) Read(b []byte) (int, error) {
	if i.known.Load() {
		if err := i.SetReadDeadline(time.Now().Add(idleFor)); err != nil {
			return 0, err
		}
	}
	return i.Conn.Read(b)
}

func (i *idle) Write(b []byte) (int, error) {
	if i.known.Load() {
		if err := i.SetWriteDeadline(time.Now().Add(idleFor)); err != nil {
			return 0, err
		}
	}
	return i.Conn.Write(b)
}

// HostKey reads the door's key, or makes it: departments remember it, so it is kept.
func HostKey(path string) (ssh.Signer, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		b, err = newHostKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("SFTP 主机密钥 / host key: %w", err)
	}
	s, err := ssh.ParsePrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("SFTP 主机密钥 %s 无法读取；请从备份恢复，或删除后重新启动（各部门须重新确认指纹）/ host key: %w", path, err)
	}
	return s, nil
}

func newHostKey(path string) ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "mulu")
	if err != nil {
		return nil, err
	}
	b := pem.EncodeToMemory(block)
	return b, durable.WriteFile(path, b, 0o600)
}
