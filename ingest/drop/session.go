package drop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pkg/sftp"

	"mulu"
	"mulu/internal/durable"
)

// session is what one signed-in system sees: "/" has a directory for each folder of its
// organisation, below which are 回执 and 退回. It may put files into a folder, rename and
// remove those it put there, and read what the house wrote.
type session struct {
	door    *Door
	account string
	org     mulu.OrgCode

	mu      sync.Mutex
	uploads map[string]*upload // by path: they have no name yet
}

// place is what a path names.
type place struct {
	folder *Folder // nil: "/"
	sub    string  // Receipts, Returned or ""
	name   string  // of a file, "" for the directory
}

func (p place) path() string { return p.folder.Path(p.sub, p.name) }

// find says what a path names. What is another organisation's does not exist.
func (s *session) find(name string) (place, error) {
	parts := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	if parts[0] == "" {
		return place{}, nil
	}
	folders, err := s.folders()
	if err != nil {
		return place{}, err
	}
	i := slices.IndexFunc(folders, func(f Folder) bool { return f.Name == parts[0] })
	if i < 0 {
		return place{}, os.ErrNotExist
	}
	at := place{folder: &folders[i]}
	rest := parts[1:]
	if len(rest) > 0 && (rest[0] == Receipts || rest[0] == Returned) {
		at.sub, rest = rest[0], rest[1:]
	}
	switch {
	case len(rest) > 1:
		return at, os.ErrNotExist
	case len(rest) == 1 && !usable(rest[0]):
		return at, os.ErrNotExist
	case len(rest) == 1:
		at.name = rest[0]
	}
	return at, nil
}

// usable says whether a name may be that of a dropped file. Hidden ones are the house's.
func usable(name string) bool {
	return len(name) <= 200 && utf8.ValidString(name) && !strings.HasPrefix(name, ".") && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '\\' })
}

func (s *session) folders() ([]Folder, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	list, err := s.door.Folders(ctx, s.org)
	if err != nil {
		s.door.Log.Warn("list drop folders", "account", s.account, "error", err)
		return nil, errors.New("暂时无法读取目录，请稍后重试 / try again later")
	}
	return list, nil
}

// Fileread opens what the house wrote.
func (s *session) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	p, err := s.find(r.Filepath)
	switch {
	case err != nil:
		return nil, err
	case p.name == "" || p.sub == "":
		return nil, os.ErrPermission
	}
	f, err := Open(p.path())
	if err != nil {
		return nil, told(err)
	}
	return f, nil
}

// told keeps the machine's paths from clients.
func told(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

// Filewrite begins an upload. It gets its name when the client closes it: one that is cut
// off is gone.
func (s *session) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	p, err := s.find(r.Filepath)
	switch flags := r.Pflags(); {
	case err != nil:
		return nil, err
	case p.name == "" || p.sub != "":
		return nil, os.ErrPermission
	case flags.Append:
		return nil, errors.New("不支持续传，请重新上传整个文件 / appending is not supported")
	case !s.mayReplace(p) || flags.Excl && exists(p.path()):
		return nil, os.ErrPermission
	}
	if err := p.folder.Make(); err != nil {
		s.door.Log.Warn("make drop folder", "error", err)
		return nil, os.ErrPermission
	}
	f, err := os.OpenFile(p.folder.Path(".upload-"+rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, told(err)
	}
	u := &upload{File: f, session: s, at: p, most: s.door.MaxBytes}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads[p.path()] = u
	return u, nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// mayReplace says whether a file of that name may be written: there is none, or this
// account put it there.
func (s *session) mayReplace(p place) bool {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	return !exists(p.path()) || s.door.owner[p.path()] == s.account
}

// upload is a file on its way in.
type upload struct {
	*os.File
	session *session
	at      place
	most    int64
	mu      sync.Mutex
	broken  bool
	closed  bool
}

// WriteAt refuses what is beyond the limit.
func (u *upload) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(b)) > u.most {
		u.fail()
		return 0, fmt.Errorf("文件超过上限 %d MiB，请分成几份 / the file is too large", u.most>>20)
	}
	n, err := u.File.WriteAt(b, off)
	if err != nil {
		u.fail()
	}
	return n, told(err)
}

func (u *upload) fail() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.broken = true
}

// TransferError is told that the client went away in the middle.
func (u *upload) TransferError(error) { u.fail() }

// Close gives the file its name.
func (u *upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	u.session.forget(u)
	err := u.Sync()
	if err = errors.Join(err, u.File.Close()); err != nil || u.broken {
		os.Remove(u.Name())
		if err == nil {
			err = errors.New("上传没有完成，未收下 / the upload was not complete")
		}
		return told(err)
	}
	return told(u.session.own(u.at, func() error {
		if err := os.Rename(u.Name(), u.at.path()); err != nil {
			return err
		}
		return durable.SyncDir(u.at.folder.Dir)
	}))
}

func (s *session) forget(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploads[u.at.path()] == u {
		delete(s.uploads, u.at.path())
	}
}

// own does something that makes the file at p this account's.
func (s *session) own(p place, do func() error) error {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	if exists(p.path()) && s.door.owner[p.path()] != s.account {
		return os.ErrPermission
	}
	if err := do(); err != nil {
		return err
	}
	s.door.owner[p.path()] = s.account
	if len(s.door.owner) > mostOwned { // most of them were taken long ago
		maps.DeleteFunc(s.door.owner, func(name, _ string) bool { return !exists(name) })
	}
	return nil
}

// mostOwned is how many names are remembered before those that are gone are forgotten.
const mostOwned = 10_000

// Filecmd renames and removes what this account put into a folder. Clients that set
// times and modes are let go on: neither means anything here.
func (s *session) Filecmd(r *sftp.Request) error {
	p, err := s.find(r.Filepath)
	if err != nil {
		return err
	}
	switch r.Method {
	case "Setstat":
		return nil
	case "Rename", "PosixRename":
		to, err := s.find(r.Target)
		if err != nil {
			return err
		}
		return s.rename(p, to)
	case "Remove":
		return s.remove(p)
	case "Mkdir", "Rmdir", "Link", "Symlink":
		return os.ErrPermission
	}
	return sftp.ErrSSHFxOpUnsupported
}

func (s *session) rename(from, to place) error {
	if from.name == "" || from.sub != "" || to.name == "" || to.sub != "" || from.folder.Name != to.folder.Name {
		return os.ErrPermission
	}
	if !s.mine(from) {
		return os.ErrPermission
	}
	err := s.own(to, func() error { return os.Rename(from.path(), to.path()) })
	if err == nil {
		s.disown(from)
	}
	return told(err)
}

func (s *session) remove(p place) error {
	if p.name == "" || p.sub != "" || !s.mine(p) {
		return os.ErrPermission
	}
	err := os.Remove(p.path())
	if err == nil {
		s.disown(p)
	}
	return told(err)
}

func (s *session) mine(p place) bool {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	return s.door.owner[p.path()] == s.account
}

func (s *session) disown(p place) {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	delete(s.door.owner, p.path())
}

// Filelist lists a directory or looks at one file.
func (s *session) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	p, err := s.find(r.Filepath)
	if err != nil {
		return nil, err
	}
	switch r.Method {
	case "List":
		return s.list(p)
	case "Stat", "Lstat":
		return s.stat(p)
	}
	return nil, sftp.ErrSSHFxOpUnsupported
}

func (s *session) list(p place) (sftp.ListerAt, error) {
	if p.name != "" {
		return nil, os.ErrNotExist
	}
	var out listing
	if p.folder == nil {
		folders, err := s.folders()
		if err != nil {
			return nil, err
		}
		for _, f := range folders {
			out = append(out, directory(f.Name))
		}
		return out, nil
	}
	if err := p.folder.Make(); err != nil {
		s.door.Log.Warn("make drop folder", "error", err)
		return nil, os.ErrPermission
	}
	entries, err := os.ReadDir(p.path())
	if err != nil {
		return nil, told(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && usable(e.Name()) && (info.Mode().IsRegular() || info.IsDir() && p.sub == "") {
			out = append(out, info)
		}
	}
	return out, nil
}

func (s *session) stat(p place) (sftp.ListerAt, error) {
	if p.folder == nil {
		return listing{directory("/")}, nil
	}
	if err := p.folder.Make(); err != nil {
		return nil, os.ErrPermission
	}
	info, err := os.Lstat(p.path())
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = os.ErrNotExist
	}
	if errors.Is(err, os.ErrNotExist) {
		s.mu.Lock()
		u := s.uploads[p.path()]
		s.mu.Unlock()
		if u != nil {
			info, err = u.Stat()
		}
	}
	if err != nil {
		return nil, told(err)
	}
	return listing{info}, nil
}

// listing gives entries as the server asks for them.
type listing []os.FileInfo

// ListAt copies entries from one on.
func (l listing) ListAt(to []os.FileInfo, from int64) (int, error) {
	if from >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[from:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}

// directory is one that is named in the root.
type directory string

func (d directory) Name() string     { return string(d) }
func (directory) Size() int64        { return 0 }
func (directory) Mode() os.FileMode  { return os.ModeDir | 0o750 }
func (directory) ModTime() time.Time { return time.Time{} }
func (directory) IsDir() bool        { return true }
func (directory) Sys() any           { return nil }
