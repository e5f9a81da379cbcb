package sample

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mulu/deploy/sample"
)

//go:embed data/*.csv
var tables embed.FS

// reference is what the truth is made of.
type reference struct {
	communities []string // 12 digits
	roads       []string
	surnames    weighted
	male        weighted // characters of given names
	female      weighted
	counties    []string // county codes outside Shanghai
	shanghai    []string
}

// weighted draws words by weight: total is the last of the running sums.
type weighted struct {
	words []string
	sums  []float64
}

func (w *weighted) add(word string, weight float64) {
	last := 0.0
	if n := len(w.sums); n > 0 {
		last = w.sums[n-1]
	}
	w.words, w.sums = append(w.words, word), append(w.sums, last+weight)
}

// draw gives the word at u in [0,1).
func (w *weighted) draw(u float64) string {
	u *= w.sums[len(w.sums)-1]
	lo, hi := 0, len(w.sums)-1
	for lo < hi {
		if mid := (lo + hi) / 2; w.sums[mid] > u {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return w.words[lo]
}

func loadReference() (*reference, error) {
	ref := &reference{}
	each := func(name string, f func(rec []string) error) error {
		file, err := tables.Open("data/" + name)
		if err != nil {
			return fmt.Errorf("open %s: %w", name, err)
		}
		defer file.Close() //nolint:errcheck // read only
		all, err := csv.NewReader(file).ReadAll()
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		for _, rec := range all[1:] {
			if err := f(rec); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
		}
		return nil
	}
	steps := []struct {
		name string
		put  func([]string) error
	}{
		{"communities.csv", func(r []string) error { ref.communities = append(ref.communities, r[0]); return nil }},
		{"roads.csv", func(r []string) error { ref.roads = append(ref.roads, r[0]); return nil }},
		{"surnames.csv", func(r []string) error {
			w, err := strconv.ParseFloat(r[1], 64)
			ref.surnames.add(r[0], w)
			return err
		}},
		{"given.csv", func(r []string) error {
			w, err := strconv.ParseFloat(r[2], 64)
			if r[1] != "F" {
				ref.male.add(r[0], w)
			}
			if r[1] != "M" {
				ref.female.add(r[0], w)
			}
			return err
		}},
		{"counties.csv", func(r []string) error {
			if strings.HasPrefix(r[0], "31") {
				ref.shanghai = append(ref.shanghai, r[0])
			} else {
				ref.counties = append(ref.counties, r[0])
			}
			return nil
		}},
	}
	for _, s := range steps {
		if err := each(s.name, s.put); err != nil {
			return nil, err
		}
	}
	return ref, nil
}

// divisions emits the national division table line by line as it was published,
// without its header line. It is real data and gets no dirt.
func (g *generator) divisions() error {
	z, err := gzip.NewReader(bytes.NewReader(sample.Streets))
	if err != nil {
		return fmt.Errorf("open division table: %w", err)
	}
	g.dirt = g.dirt[:0]
	lines := bufio.NewScanner(z)
	for first := true; lines.Scan(); first = false {
		line := bytes.TrimRight(lines.Bytes(), "\r")
		if first || len(line) == 0 {
			continue
		}
		code, _, _ := bytes.Cut(line, []byte(","))
		if err := g.send("division", "", code, line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && err != io.EOF {
		return fmt.Errorf("read division table: %w", err)
	}
	return nil
}
