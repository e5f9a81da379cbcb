package embedded

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
)

const (
	configFile    = "engine.xml"
	usersFile     = "users.xml"
	defaultMemory = 2 << 30
)

// writeConfig writes the engine's own configuration into dir. Always naming a file
// keeps it from silently reading ./config.xml of the working directory. Caches are
// small because they count against the same memory as the rows.
func writeConfig(dir string, memory int64) error {
	if memory <= 0 {
		memory = defaultMemory
	}
	backups := filepath.Join(dir, "backups")
	if err := os.MkdirAll(backups, 0o700); err != nil {
		return err
	}
	type backupPath struct {
		Path string `xml:"allowed_path"`
	}
	config := struct {
		XMLName   xml.Name   `xml:"clickhouse"`
		Memory    int64      `xml:"max_server_memory_usage"`
		Marks     int64      `xml:"mark_cache_size"`
		IndexMark int64      `xml:"index_mark_cache_size"`
		Primary   int64      `xml:"primary_index_cache_size"`
		Raw       int64      `xml:"uncompressed_cache_size"`
		Merges    int        `xml:"background_pool_size"`
		Schedule  int        `xml:"background_schedule_pool_size"`
		Users     string     `xml:"users_config"`
		Backups   backupPath `xml:"backups"`
	}{Memory: memory, Marks: 128 << 20, IndexMark: 16 << 20, Primary: 64 << 20, Raw: 0, Merges: 4, Schedule: 8,
		Users: filepath.Join(dir, usersFile), Backups: backupPath{backups}}
	out, err := xml.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, configFile), string(out)+"\n"); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, usersFile), strings.TrimLeft(users, "\n"))
}

// users names the one user every session is. What a statement may do is decided
// by the compiler of package library, not here.
const users = `
<clickhouse>
  <profiles><default><async_insert>0</async_insert><implicit_select>0</implicit_select></default></profiles>
  <quotas><default/></quotas>
  <users>
    <default><password></password><networks><ip>127.0.0.1</ip><ip>::1</ip></networks><profile>default</profile><quota>default</quota></default>
  </users>
</clickhouse>
`
