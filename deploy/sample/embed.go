// Package sample carries the declarations of the sample district and the national
// table of township-level divisions. Everything in it is 演示数据; sources and
// licences are named in README.md.
package sample

import "embed"

// FS holds the declarations (*.yaml).
//
//go:embed *.yaml
var FS embed.FS

// Streets is streets.csv of modood/Administrative-divisions-of-China (commit
// 57a0aa9, WTFPL), gzip; the first line names the columns.
//
//go:embed streets.csv.gz
var Streets []byte
