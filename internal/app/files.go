package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"mulu"
	"mulu/ingest/drop"
	"mulu/ingest/file"
	"mulu/internal/config"
	"mulu/pipeline"
)

// Clocks of the file service.
const (
	filesEvery = time.Second
	inboxEvery = 3 * time.Second
)

// inboxRoot is where the drop folders lie.
func inboxRoot(c *config.Config) string {
	if c.Ingest.Inbox != "" {
		return c.Ingest.Inbox
	}
	return c.Path("inbox")
}

// openFiles readies what takes files in. What runs in the background ends with the
// workers, and needs what they need.
func (a *App) openFiles() {
	a.files = &pipeline.Files{
		Desk: a.submit, Version: a.rules.of, Newest: a.lib.Dataset, Codes: a.codesOf, Dir: a.cfg.Path("submissions"), Inbox: inboxRoot(&a.cfg),
		MaxBytes: a.cfg.Ingest.FileMB << 20, Keep: time.Duration(a.cfg.Ingest.FileDays) * 24 * time.Hour, Now: time.Now, Log: a.log, Life: a.workCtx,
	}
	a.onClose("files", func(context.Context) error { a.files.Wait(); return nil })
}

// codesOf lists a code table for the drop-downs of a template.
func (a *App) codesOf(table string) []file.Code {
	t, err := a.rules.plain.Table(table)
	if err != nil {
		return nil
	}
	list := t.Codes(time.Now())
	out := make([]file.Code, len(list))
	for i, c := range list {
		out[i] = file.Code{Code: c.Code, Title: c.Name}
	}
	return out
}

// startFiles runs the file service: sending, drop folders, the SFTP door.
func (a *App) startFiles() {
	a.every(filesEvery, "send files", a.files.Turn)
	inbox := &drop.Inbox{Root: a.files.Inbox, Ways: a.submit, Taker: a.files, Settle: a.cfg.Ingest.InboxSettle, Keep: a.files.Keep, Now: time.Now, Log: a.log}
	a.every(inboxEvery, "look into drop folders", inbox.Turn)
}

// openDoor opens the SFTP door, if the configuration asks for one.
func (a *App) openDoor() error {
	c := &a.cfg.Ingest.SFTP
	if c.Listen == "" {
		return nil
	}
	allowed := map[string][]ssh.PublicKey{}
	for i, k := range c.Keys {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k.Key))
		if err != nil {
			return fmt.Errorf("ingest.sftp.keys[%d]（%s）不是 authorized_keys 格式的公钥 / not a public key: %w", i, k.Account, err)
		}
		allowed[k.Account] = append(allowed[k.Account], key)
	}
	host, err := drop.HostKey(a.cfg.Path("sftp_host_key"))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("SFTP 地址 %s 无法监听（可能已被占用，请改 ingest.sftp.listen）/ address not available: %w", c.Listen, err)
	}
	door := &drop.Door{Listener: l, HostKey: host, Auth: a.auth, Allowed: allowed, Folders: a.foldersOf, MaxBytes: a.cfg.Ingest.FileMB << 20, Log: a.log}
	a.sftp = l.Addr().String()
	a.log.Info("SFTP door is open", "address", a.sftp, "fingerprint", ssh.FingerprintSHA256(host.PublicKey()))
	a.work.Go(door.Serve)
	a.onClose("SFTP", func(context.Context) error {
		if err := door.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// SFTP is the address of the SFTP door, "" if there is none.
func (a *App) SFTP() string { return a.sftp }

// foldersOf lists the drop folders of an organisation's datasets.
func (a *App) foldersOf(ctx context.Context, org mulu.OrgCode) ([]drop.Folder, error) {
	ways, err := a.submit.Ways(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []drop.Folder
	for i := range ways {
		if ds := a.lib.Dataset(ways[i].Dataset); ways[i].Kind == mulu.WayFile && ds != nil && ds.Owner == org {
			out = append(out, drop.FolderOf(a.files.Inbox, &ways[i]))
		}
	}
	return out, nil
}
