package sample

import "strconv"

// home is the truth of one address.
type home struct {
	n     int
	code  string
	road  string
	lane  int
	no    int
	floor int
	room  string // "302"
	div12 string
	grid  string
	lon   int64 // millionths of a degree
	lat   int64
	use   string
	area  int64 // hundredths of a square metre
	kind  string
	text  string // as a resident's registration writes it
	upd   int64
	lived bool
}

// person is the truth of one resident.
type person struct {
	n        int
	id       string
	female   bool
	name     string
	birth    int32
	age      int
	nation   string
	hj       string
	home     *home
	phone    string
	local    bool // 户籍 in Putuo or Shanghai
	dead     bool
	death    int32
	gone     bool // has died on goneOn, and the register of residents has not heard of it
	goneOn   int32
	upd      int64
	alone    bool
	children int
}

// A building has six floors of two flats, a lane three buildings, a road as many
// lanes as it needs: (road, lane, no, room) is a home's alone by construction.
const (
	homesPerBuilding  = 12
	buildingsPerLane  = 3
	communityStride   = 97 // coprime with 268: neighbouring lanes spread over all streets
	laneNumberStep    = 6
	firstLaneNumber   = 8
	gridsPerCommunity = 4
)

// centers are rough centres of the ten streets, in millionths of a degree, for a
// map that looks like the district. Synthetic: no real house stands there.
var centers = map[string][2]int64{
	"310107005": {121_412_000, 31_240_000},
	"310107014": {121_395_000, 31_225_000},
	"310107015": {121_437_000, 31_243_000},
	"310107016": {121_430_000, 31_267_000},
	"310107017": {121_420_000, 31_255_000},
	"310107020": {121_442_000, 31_257_000},
	"310107021": {121_398_000, 31_266_000},
	"310107022": {121_404_000, 31_251_000},
	"310107102": {121_373_000, 31_245_000},
	"310107103": {121_350_000, 31_277_000},
}

func (g *generator) address(i int) *home {
	b := i / homesPerBuilding
	inBuilding := i % homesPerBuilding
	roads := len(g.ref.roads)
	road, k := b%roads, b/roads
	lane := road + roads*(k/buildingsPerLane)
	a := &home{
		n: i, road: g.ref.roads[road], lane: firstLaneNumber + k/buildingsPerLane*laneNumberStep, no: 1 + k%buildingsPerLane,
		floor: 1 + inBuilding/2, div12: g.ref.communities[lane*communityStride%len(g.ref.communities)],
	}
	a.room = strconv.Itoa(a.floor) + "0" + strconv.Itoa(1+inBuilding%2)
	a.code = a.div12 + pad(i, 10)
	a.grid = a.div12 + pad(1+lane%gridsPerCommunity, 3)
	a.text = "普陀区" + a.road + strconv.Itoa(a.lane) + "弄" + strconv.Itoa(a.no) + "号" + a.room + "室"
	c := centers[a.div12[:9]]
	a.lon = c[0] + int64(lane*7919%13_000) - 6_500 + g.r.Int64N(400)
	a.lat = c[1] + int64(lane*6007%13_000) - 6_500 + g.r.Int64N(400)
	a.area = 3_200 + g.r.Int64N(9_800)
	a.kind = pick(g, "公寓", "新工房", "老公房", "里弄")
	a.lived = g.r.Float64() < 0.70
	a.use = "居住"
	if !a.lived && g.r.Float64() < 0.4 {
		a.use, a.kind = pick(g, "商业", "办公", "其他"), "非居住"
	}
	a.upd = g.recent(400)
	return a
}

func pick(g *generator, words ...string) string { return words[g.r.IntN(len(words))] }

// recent is a second of one of the last n days, never after AsOf.
func (g *generator) recent(n int) int64 {
	return g.AsOf.Unix() - 60 - g.r.Int64N(int64(n)*86_400)
}

// family gives the people of a home, oldest first. The kinds of household and
// their shares are ours, near the census: 2.2 people, one in seven a single old person.
func (g *generator) family(a *home) []*person {
	if !a.lived {
		return nil
	}
	local := g.r.Float64() < 0.6
	var ages []int
	between := func(lo, hi int) { ages = append(ages, lo+g.r.IntN(hi-lo+1)) }
	switch u := g.r.Float64(); {
	case u < 0.14:
		between(70, 98)
		local = g.r.Float64() < 0.95
	case u < 0.30:
		between(62, 92)
		ages = append(ages, max(55, ages[0]-g.r.IntN(6)))
		local = g.r.Float64() < 0.92
	case u < 0.58:
		between(28, 50)
		ages = append(ages, max(24, ages[0]-g.r.IntN(5)), g.r.IntN(19))
		if g.r.Float64() < 0.2 {
			ages = append(ages, g.r.IntN(12))
		}
	case u < 0.74:
		between(24, 60)
		ages = append(ages, max(22, ages[0]-g.r.IntN(5)))
	case u < 0.92:
		between(20, 65)
	default:
		between(62, 85)
		between(28, 50)
		ages = append(ages, max(24, ages[1]-g.r.IntN(5)), g.r.IntN(19))
		if g.r.Float64() < 0.5 {
			ages = append(ages, max(60, ages[0]-g.r.IntN(6)))
		}
	}
	phone := g.phone()
	surname := g.ref.surnames.draw(g.r.Float64())
	people := make([]*person, len(ages))
	for i, age := range ages {
		female := g.r.Float64() < 0.5
		if i == 1 && len(ages) > 1 {
			female = !people[0].female
		}
		if age > 75 && i == 0 {
			female = g.r.Float64() < 0.6
		}
		people[i] = g.person(a, age, female, local, surname)
		if age < 14 {
			people[i].phone = phone // a child's contact is the family's
		}
	}
	people[0].phone = phone
	people[0].alone = len(ages) == 1 && ages[0] >= 70
	return people
}

// phone is of the range 1990000xxxx; nothing is ever sent to it.
func (g *generator) phone() string { return "1990000" + pad(g.r.IntN(10_000), 4) }

func (g *generator) person(a *home, age int, female, local bool, surname string) *person {
	p := &person{n: g.people, female: female, home: a, local: local, upd: g.recent(300), phone: g.phone()}
	g.people++
	registered := g.ref.counties[g.r.IntN(len(g.ref.counties))]
	p.hj = registered
	if local {
		registered = g.ref.shanghai[g.r.IntN(len(g.ref.shanghai))]
		p.hj = registered
		if g.r.Float64() < 0.8 {
			p.hj = "310107"
		}
	}
	birth := g.today - int32(float64(age)*365.2425) - 1 - int32(g.r.IntN(364))
	p.id, p.birth = g.ids.take(female, birth, registered, g.ref.counties, g.r.IntN(len(g.ref.counties)))
	p.age = years(p.birth, g.today)
	if g.r.Float64() < 0.5 && age < 25 || g.r.Float64() < 0.3 {
		surname = g.ref.surnames.draw(g.r.Float64())
	}
	p.name = surname + g.given(female)
	p.nation = "01"
	if g.r.Float64() < 0.02 {
		p.nation = pad(2+g.r.IntN(55), 2)
	}
	p.children = g.r.IntN(4)
	// About one in a hundred of the old has died and is not yet gone from the register.
	if age >= 65 && g.r.Float64() < 0.02 {
		p.dead = true
		day := int32((p.upd + 8*3600) / 86_400)
		p.death = day - int32(g.r.IntN(20))
	}
	return p
}

func (g *generator) given(female bool) string {
	w := &g.ref.male
	if female {
		w = &g.ref.female
	}
	s := w.draw(g.r.Float64())
	if g.r.Float64() < 0.75 {
		s += w.draw(g.r.Float64())
	}
	return s
}

// years counts whole years from one day to another.
func years(from, to int32) int {
	fy, fm, fd := date(from)
	ty, tm, td := date(to)
	n := ty - fy
	if tm < fm || tm == fm && td < fd {
		n--
	}
	return n
}
