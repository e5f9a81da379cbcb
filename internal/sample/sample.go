// Package sample makes the synthetic district: a truth of people in households at
// addresses, then the rows that departments would send, with dirt at the rates of
// domain.md §8.2 and a label for every piece of it, so that a detector's precision
// and recall can be measured. Same Options, same bytes. Everything is 演示数据:
// places are real, persons can not be (see identity.go).
package sample

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Options say which district to make.
type Options struct {
	Seed uint64
	// Scale 1 is Putuo's 1.24 million residents; 0.01, the small sample, gives about
	// 12 400 residents, 8 000 addresses, 1 500 visits and 6 000 rows of firms, licences, deaths
	// and allowances.
	Scale float64
	// AsOf is the day the district is seen on, in Beijing time; no row is newer.
	AsOf time.Time
	// Label is told every piece of dirt, after the row was emitted. nil tells nobody.
	Label func(Label) error
}

// Small is the scale of the small sample, Full that of a demonstration.
const (
	Small = 0.01
	Full  = 0.1
)

// Label says what is wrong with one emitted row, on purpose.
type Label struct {
	Dataset  string `json:"dataset"`
	Row      int64  `json:"row"`      // 0-based, in the order the dataset's rows were emitted
	Truth    string `json:"truth_id"` // "P000012", "A000031": the person or address the row is about
	Field    string `json:"field"`    // "" when the whole record is at fault
	Kind     string `json:"kind"`
	Blocking bool   `json:"blocking"` // must be rejected
}

// Stats counts what was made.
type Stats struct {
	Rows   map[string]int64            // by dataset
	Labels map[string]map[string]int64 // by dataset and kind
}

// Emit takes one source record. key and value are only valid during the call.
type Emit func(dataset string, key, value []byte) error

// rate is a kind of dirt, the field it spoils, and how many rows of a thousand it is in.
type rate struct {
	kind     string
	field    string
	per1000  float64
	blocking bool
}

// Rates of domain.md §8.2 (D1, D3, D11). Rows of class "broken" and "type" are ours:
// a source that sends what can not be read at all.
var (
	residentRates = []rate{
		{"id_checksum", "id_no", 4, true},
		{"div12_unknown", "div12", 2, true},
		{"birth_impossible", "birth", 1, true},
		{"broken", "", 0.5, true},
		{"birth_mismatch", "birth", 5, false},
		{"sex_text", "sex", 3, false},
		{"addr_unmatched", "addr_code", 60, false},
		{"phone_blank", "phone", 120, false},
		{"name_placeholder", "name", 1, false},
		{"death_late", "death_date", 5, false},
		{"div12_wrong", "div12", 18, false},
		{"duplicate", "", 12, false},
		// Rejected, since a key in two spellings would be two people. Stands after the
		// others, so it is not rolled: writeResident looks for numbers that end in X.
		{"id_lower_x", "id_no", 3, true},
	}
	addressRates = []rate{
		{"code_missing", "addr_code", 30, true},
		{"area_text", "area", 3, true},
		{"room_form", "room", 80, false},
		{"lon_lat_swapped", "lon", 3, false},
		{"out_of_district", "lon", 5, false},
		{"alias", "", 20, false},
		{"grid_missing", "grid15", 50, false},
	}
	visitRates = []rate{
		{"visit_future", "visit", 3, true},
		{"children_text", "children_n", 4, true},
		{"text_only", "findings", 200, false},
		{"stale", "visit", 180, false},
		{"risk_blank", "risk_lv", 90, false},
	}
)

// districtRates are the rates of each dataset.
var districtRates = map[string][][]rate{
	"resident": {residentRates, residentCross}, "address": {addressRates}, "visit": {visitRates},
	"enterprise": {enterpriseRates}, "food_licence": {licenceRates, licenceCross}, "death": {deathRates}, "allowance": {allowanceRates, allowanceCross},
}

// Rates gives, by dataset and kind, the share of rows that carry each kind of dirt.
func Rates() map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	for dataset, lists := range districtRates {
		out[dataset] = map[string]float64{}
		for _, rates := range lists {
			for _, r := range rates {
				out[dataset][r.kind] = r.per1000 / 1000
			}
		}
	}
	return out
}

// Datasets lists the datasets Generate makes.
func Datasets() []string {
	return []string{"division", "address", "resident", "visit", "enterprise", "food_licence", "death", "allowance"}
}

// addressesAtOne is the number of addresses at scale 1: 8 000 at the small scale.
const addressesAtOne = 800_000

// Generate makes the district: the national division table first, then address by
// address with its residents and the visits to them. It keeps only the identity
// numbers given so far in memory. An error of emit or Label stops it.
func Generate(o Options, emit Emit) (Stats, error) {
	if o.Scale <= 0 || o.Scale > 1 {
		return Stats{}, fmt.Errorf("generate sample: scale %v is not in (0, 1]", o.Scale)
	}
	ref, err := loadReference()
	if err != nil {
		return Stats{}, fmt.Errorf("generate sample: %w", err)
	}
	src, aside := new(rand.PCG), new(rand.PCG)
	g := &generator{
		Options: o, ref: ref, emit: emit, pcg: src, r: rand.New(src), pcgAside: aside, aside: rand.New(aside),
		today: dayOf(o.AsOf), ids: newIdentities(),
		stats: Stats{Rows: map[string]int64{}, Labels: map[string]map[string]int64{}},
	}
	if err := g.divisions(); err != nil {
		return Stats{}, fmt.Errorf("generate division: %w", err)
	}
	n := max(1, int(o.Scale*addressesAtOne+0.5))
	for i := range n {
		g.pcg.Seed(o.Seed, uint64(i)) // each address has its own stream: one more row in one does not move the others
		g.pcgAside.Seed(^o.Seed, uint64(i))
		if err := g.household(i); err != nil {
			return Stats{}, fmt.Errorf("generate address %d: %w", i, err)
		}
	}
	return g.stats, nil
}

type generator struct {
	Options
	ref  *reference
	emit Emit
	pcg  *rand.PCG
	r    *rand.Rand
	// aside draws for datasets that came later, so that the rows of the first ones stay
	// what they were, byte for byte.
	pcgAside *rand.PCG
	aside    *rand.Rand
	firms    int
	today    int32
	ids      *identities
	people   int
	aliases  int
	stats    Stats
	row      row
	dirt     []rate // of the row being written
}

// household makes one address and whoever lives there.
func (g *generator) household(i int) error {
	a := g.address(i)
	people := g.family(a)
	g.untold(people)
	if err := g.putAddress(a); err != nil {
		return err
	}
	for _, p := range people {
		if err := g.putResident(p); err != nil {
			return err
		}
	}
	for _, p := range people {
		if err := g.putVisits(p); err != nil {
			return err
		}
	}
	for _, p := range people {
		for _, put := range []func(*person) error{g.putFirm, g.putDeath, g.putAllowance} {
			if err := put(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// roll decides which dirt the next row gets: at most one blocking kind, and then
// nothing else, so that the reason of a reject is never in doubt.
func (g *generator) roll(rates []rate) { g.rollWith(g.r, rates) }

func (g *generator) rollWith(rnd *rand.Rand, rates []rate) {
	g.dirt = g.dirt[:0]
	u := rnd.Float64() * 1000
	for _, r := range rates {
		if !r.blocking {
			break // blocking kinds stand first
		}
		if u < r.per1000 {
			g.dirt = append(g.dirt, r)
			return
		}
		u -= r.per1000
	}
	for _, r := range rates {
		if !r.blocking && rnd.Float64()*1000 < r.per1000 {
			g.dirt = append(g.dirt, r)
		}
	}
}

// has says whether the row being written was rolled that kind.
func (g *generator) has(kind string) bool {
	for i := range g.dirt {
		if g.dirt[i].kind == kind {
			return true
		}
	}
	return false
}

// drop takes a kind back that does not fit the row after all.
func (g *generator) drop(kind string) {
	for i := range g.dirt {
		if g.dirt[i].kind == kind {
			g.dirt = append(g.dirt[:i], g.dirt[i+1:]...)
			return
		}
	}
}

// send emits the row and its labels.
func (g *generator) send(dataset, truth string, key []byte, value []byte) error {
	n := g.stats.Rows[dataset]
	if err := g.emit(dataset, key, value); err != nil {
		return err
	}
	g.stats.Rows[dataset] = n + 1
	for _, d := range g.dirt {
		if g.stats.Labels[dataset] == nil {
			g.stats.Labels[dataset] = map[string]int64{}
		}
		g.stats.Labels[dataset][d.kind]++
		if g.Label == nil {
			continue
		}
		if err := g.Label(Label{Dataset: dataset, Row: n, Truth: truth, Field: d.field, Kind: d.kind, Blocking: d.blocking}); err != nil {
			return err
		}
	}
	return nil
}
