package config

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Connection is how an exchange database is reached. A manifest names it; address and
// password stand here, or better in a file or the environment.
type Connection struct {
	// Driver is mysql, mariadb, postgres, kingbase, sqlserver, oracle, or one that was
	// built in (docs/ingest/table.md).
	Driver string `yaml:"driver"`
	// One of the three: the connection string, a file with it, an environment variable
	// with it.
	DSN     string `yaml:"dsn"`
	DSNFile string `yaml:"dsn_file"`
	DSNEnv  string `yaml:"dsn_env"`
}

var connectionForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)

func (c *Config) connectionFaults() (faults []error) {
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		x := c.Connections[name]
		bad := func(format string, a ...any) {
			faults = append(faults, fmt.Errorf("connections.%s: %s", name, fmt.Sprintf(format, a...)))
		}
		if !connectionForm.MatchString(name) {
			bad("名称应只含小写字母、数字和 . _ -，至多 40 个 / want lower-case letters, digits and . _ -")
		}
		if x.Driver == "" {
			bad("缺少 driver，如 mysql、postgres、sqlserver、oracle / a driver is needed")
		}
		given := 0
		for _, s := range []string{x.DSN, x.DSNFile, x.DSNEnv} {
			if s != "" {
				given++
			}
		}
		if given != 1 {
			bad("dsn、dsn_file、dsn_env 须且只能给一个，现在有 %d 个 / give exactly one of dsn, dsn_file and dsn_env", given)
		}
	}
	return faults
}

// Secret is the connection string. It is read anew each time, so that a changed password
// needs no restart.
func (x *Connection) Secret() (string, error) {
	switch {
	case x.DSNFile != "":
		b, err := os.ReadFile(x.DSNFile)
		if err != nil {
			return "", fmt.Errorf("读取连接串文件（dsn_file）/ read the connection string: %w", err)
		}
		if s := strings.TrimSpace(string(b)); s != "" {
			return s, nil
		}
		return "", fmt.Errorf("连接串文件 %s 是空的 / the file is empty", x.DSNFile)
	case x.DSNEnv != "":
		if s := os.Getenv(x.DSNEnv); s != "" {
			return s, nil
		}
		return "", fmt.Errorf("环境变量 %s 没有设置（dsn_env）/ the environment variable is not set", x.DSNEnv)
	}
	return x.DSN, nil
}
