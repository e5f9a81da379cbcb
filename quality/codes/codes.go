// Package codes carries the code tables (值域) that data is checked against:
// national standards and administrative divisions, embedded, each with the years
// it was valid in. Origin and licence of every table: ORIGIN.md.
package codes

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mulu"
	sampledata "mulu/deploy/sample"
)

//go:embed data/*.csv
var files embed.FS

// Names of the tables that rules refer to by meaning, not by their file's name.
const (
	History  = "gbt2260_history" // county and above, 1981–2024
	Putuo    = "division_putuo"  // Putuo District, its ten townships, its communities of 2020
	Township = "division_town"   // every township of China, nine digits
)

// row is one time that a code was valid in. Years are exclusive at the end; 0 is open.
type row struct {
	from, to int
}

// Table is one code table.
type Table struct {
	Name  string
	rows  map[string][]row
	list  []string // codes in the order of the file
	names map[string]string
	above map[string]string

	once   sync.Once
	titles map[string]bool // of names, made when first asked for
}

// Tables are all code tables. They are read-only and safe for concurrent use.
type Tables struct {
	byName    map[string]*Table
	synthetic map[string]bool
}

// Option changes what Load offers.
type Option func(*Tables)

// WithSynthetic makes reserved divisions known that exist nowhere, so that
// demonstration data can hold well-formed identity numbers of nobody.
func WithSynthetic(divisions ...string) Option {
	return func(t *Tables) {
		for _, d := range divisions {
			t.synthetic[d] = true
		}
	}
}

// Load reads every embedded table.
func Load(opts ...Option) (*Tables, error) {
	t := &Tables{byName: map[string]*Table{}, synthetic: map[string]bool{}}
	for _, o := range opts {
		o(t)
	}
	entries, err := files.ReadDir("data")
	if err != nil {
		return nil, fmt.Errorf("list code tables: %w", err)
	}
	for _, e := range entries {
		b, err := files.ReadFile("data/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read code table: %w", err)
		}
		if err := t.add(strings.TrimSuffix(e.Name(), ".csv"), bytes.NewReader(b)); err != nil {
			return nil, err
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(sampledata.Streets))
	if err != nil {
		return nil, fmt.Errorf("read code table %s: %w", Township, err)
	}
	return t, t.add(Township, z)
}

// others are codes of another form that a table may carry; each makes a table of its own.
var others = []string{"alpha2", "numeric"}

func (t *Tables) add(name string, r io.Reader) error {
	c := csv.NewReader(r)
	lines, err := c.ReadAll()
	if err == nil && len(lines) == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("read code table %s: %w", name, err)
	}
	if err := t.addColumn(name, "code", lines); err != nil {
		return err
	}
	for _, form := range others {
		if slices.Contains(lines[0], form) {
			if err := t.addColumn(name+"_"+form, form, lines); err != nil {
				return err
			}
		}
	}
	return nil
}

// addColumn makes a table whose codes stand in one column.
func (t *Tables) addColumn(name, form string, lines [][]string) error {
	head := lines[0]
	code := slices.Index(head, form)
	from, to := slices.Index(head, "valid_from"), slices.Index(head, "valid_to")
	if code < 0 {
		return fmt.Errorf("read code table %s: no column code", name)
	}
	title, parent := slices.Index(head, "name"), slices.Index(head, "parent")
	table := &Table{Name: name, rows: map[string][]row{}, names: map[string]string{}, above: map[string]string{}}
	for _, rec := range lines[1:] {
		if rec[code] == "" {
			continue // has none of this form
		}
		r := row{}
		if from >= 0 {
			r.from = year(rec[from])
		}
		if to >= 0 {
			r.to = year(rec[to])
			if len(rec[to]) > 4 && r.to > 0 {
				r.to++ // a full date ends inside its year: the whole year still counts
			}
		}
		if table.rows[rec[code]] == nil {
			table.list = append(table.list, rec[code])
		}
		if title >= 0 {
			table.names[rec[code]] = rec[title] // the latest one stands last
		}
		if parent >= 0 {
			table.above[rec[code]] = rec[parent]
		}
		table.rows[rec[code]] = append(table.rows[rec[code]], r)
	}
	t.byName[name] = table
	return nil
}

// year takes the leading year of "2017", "2017-10" or "2017-10-01"; 0 if there is none.
func year(s string) int {
	n, err := strconv.Atoi(s[:min(4, len(s))])
	if err != nil {
		return 0
	}
	return n
}

// Names lists the tables in alphabetical order.
func (t *Tables) Names() []string {
	names := make([]string, 0, len(t.byName))
	for n := range t.byName {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Table returns the named table, or mulu.ErrNotFound.
func (t *Tables) Table(name string) (*Table, error) {
	if table := t.byName[name]; table != nil {
		return table, nil
	}
	return nil, fmt.Errorf("code table %q: %w", name, mulu.ErrNotFound)
}

// Code is a value of a table and its name.
type Code struct{ Code, Name string }

// Codes lists what is in the table at that time, in the table's own order.
func (t *Table) Codes(at time.Time) []Code {
	var out []Code
	for _, c := range t.list {
		if t.Has(c, at) {
			out = append(out, Code{c, t.names[c]})
		}
	}
	return out
}

// Parent is the code above a code, "" at the top.
func (t *Table) Parent(code string) string { return t.above[code] }

// IsName says whether a value is the name of a code, as people write it in its place.
func (t *Table) IsName(v string) bool {
	t.once.Do(func() {
		t.titles = make(map[string]bool, len(t.names))
		for _, n := range t.names {
			t.titles[n] = true
		}
	})
	return t.titles[v]
}

// Has says whether the code was in the table at that time; a zero time asks
// whether it ever was.
func (t *Table) Has(code string, at time.Time) bool {
	for _, r := range t.rows[code] {
		if at.IsZero() || (at.Year() >= r.from && (r.to == 0 || at.Year() < r.to)) {
			return true
		}
	}
	return false
}

// Division says whether a division code of 6, 9 or 12 digits was valid at that time
// and its parents exist. Townships and communities have no history here; the known
// communities are Putuo's.
func (t *Tables) Division(code string, at time.Time) bool {
	switch len(code) {
	case 6:
		return t.Region(code, at)
	case 9:
		return (t.byName[Township].Has(code, time.Time{}) || t.byName[Putuo].Has(code, time.Time{})) && t.Region(code[:6], at)
	case 12:
		return t.byName[Putuo].Has(code, time.Time{}) && t.Division(code[:9], at)
	}
	return false
}

// Region says whether six digits name a division at that time; a zero time asks
// whether they ever did, which is what an identity number's first six digits need
// (the place of first registration may have been abolished since). The codes of
// residence permits for Hong Kong, Macao and Taiwan residents count.
func (t *Tables) Region(code string, at time.Time) bool {
	switch code {
	case "810000", "820000", "830000":
		return true
	}
	return t.synthetic[code] || t.byName[History].Has(code, at)
}
