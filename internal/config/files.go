package config

import (
	"net"
	"time"
)

// Files is how departments deliver files.
type Files struct {
	// Inbox is the root of the drop folders; "" is inbox in Data.
	Inbox string `yaml:"inbox"`
	// InboxSettle is how long a dropped file must not change to be taken for complete.
	InboxSettle time.Duration `yaml:"inbox_settle"`
	// FileMB bounds one file.
	FileMB int64 `yaml:"file_mb"`
	// FileDays is how long a file and its marked copy are kept after it has landed.
	FileDays int64 `yaml:"file_days"`
	SFTP     SFTP  `yaml:"sftp"`
}

// SFTP is a door to the drop folders.
type SFTP struct {
	// Listen is its address; "" is no door.
	Listen string `yaml:"listen"`
	// Keys let systems in without a password.
	Keys []SFTPKey `yaml:"keys"`
}

// SFTPKey is a public key of a system's account.
type SFTPKey struct {
	Account string `yaml:"account"`
	Key     string `yaml:"key"` // as in authorized_keys
}

var defaultFiles = Files{InboxSettle: 5 * time.Second, FileMB: 512, FileDays: 30}

func (f *Files) validate(bad func(string, ...any)) {
	if f.InboxSettle < time.Second {
		bad("ingest.inbox_settle: 至少 1s，否则会取走没有写完的文件 / at least 1s")
	}
	if f.FileMB < 1 || f.FileDays < 1 {
		bad("ingest: file_mb 和 file_days 至少为 1 / file_mb and file_days must be at least 1")
	}
	if f.SFTP.Listen != "" {
		if _, _, err := net.SplitHostPort(f.SFTP.Listen); err != nil {
			bad("ingest.sftp.listen: %q 不是 host:port / is not host:port", f.SFTP.Listen)
		}
	}
	for i, k := range f.SFTP.Keys {
		if k.Account == "" || k.Key == "" {
			bad("ingest.sftp.keys[%d]: 需要 account 和 key / both account and key are needed", i)
		}
	}
}
