package sample

import (
	"strconv"
	"time"
)

// Deaths and allowances of the old (D17, D10 of domain.md §8.2), and the facts between
// them and the register of residents that no dataset shows by itself.
var (
	// residentCross is of residents whom another dataset knows to be dead.
	residentCross = []rate{{"death_unpropagated", "status", 3, false}}
	deathRates    = []rate{
		{"id_checksum", "id_no", 4, true},
		{"reported_before", "reported", 8, false},
		{"reported_late", "reported", 50, false},
		{"cert_blank", "cert_no", 15, false},
	}
	allowanceRates = []rate{
		{"id_checksum", "id_no", 3, true},
		{"acct_check", "acct_no", 6, false},
		{"band_wrong", "age_band", 4, false},
		{"month_twice", "", 1, false},
	}
	allowanceCross = []rate{{"paid_after_death", "pay_status", 2, false}}
)

// untold decides who has died without the register of residents knowing.
func (g *generator) untold(people []*person) {
	for _, p := range people {
		if !p.dead && p.age >= 65 && g.aside.Float64() < 0.012 {
			p.gone, p.goneOn = true, g.today-1-int32(g.aside.IntN(25))
		}
	}
}

// blocked says whether the row being written carries a blocking kind of dirt.
func (g *generator) blocked() bool {
	for _, d := range g.dirt {
		if d.blocking {
			return true
		}
	}
	return false
}

// spoilt gives an identity number another check digit.
func (g *generator) spoilt(id string) string {
	return id[:17] + string("10X98765432"[(g.aside.IntN(10)+1+indexOf(id[17]))%11])
}

func (g *generator) putDeath(p *person) error {
	if !p.dead && !p.gone {
		return nil
	}
	died := p.death
	if !p.dead {
		died = p.goneOn
	}
	g.rollWith(g.aside, deathRates)
	reported := died + int32(g.aside.IntN(20))
	if g.has("reported_late") {
		g.drop("reported_before")
		if reported = died + 21 + int32(g.aside.IntN(60)); reported > g.today {
			g.drop("reported_late")
			reported = died
		}
	}
	if g.has("reported_before") {
		reported = died - 1 - int32(g.aside.IntN(9))
	}
	reported = min(reported, g.today)
	id := p.id
	if g.has("id_checksum") {
		id = g.spoilt(id)
	}
	cert := "SW" + compact(died) + pad(p.n%1_000_000, 6)
	if g.has("cert_blank") {
		cert = ""
	}
	w := &g.row
	w.start()
	w.text("id_no", id)
	w.text("name", p.name)
	w.text("cert_no", cert)
	w.text("death_date", isoDate(died))
	w.text("place", []string{"医疗机构", "家中", "养老机构"}[g.aside.IntN(3)])
	w.text("reported", isoDate(reported))
	w.key = append(w.key[:0], id...)
	return g.send("death", "P"+pad(p.n, 6), w.key, w.end())
}

// bands are the ages of the allowance and what is paid a month. Synthetic.
var bands = []struct {
	from, amount int
	name         string
}{{65, 75, "65-69"}, {70, 150, "70-79"}, {80, 180, "80-89"}, {90, 350, "90-99"}, {100, 600, "100+"}}

// putAllowance writes the last one or two months of whoever is entitled: registered in
// Shanghai, 65 at the first of the month, alive.
func (g *generator) putAllowance(p *person) error {
	if !p.local || p.age < 65 {
		return nil
	}
	y, m, _ := date(g.today)
	months := 1
	if g.aside.Float64() < 0.3 {
		months = 2
	}
	after := p.dead && g.aside.Float64() < 0.06
	bank := g.aside.IntN(4)
	for back := months; back > 0; back-- {
		first := int32(time.Date(y, time.Month(m-back), 1, 0, 0, 0, 0, time.UTC).Unix() / 86_400)
		age := years(p.birth, first)
		if age < 65 || p.dead && p.death < first && !after {
			continue
		}
		g.rollWith(g.aside, allowanceRates)
		if p.dead && p.death < first && !g.blocked() {
			g.dirt = append(g.dirt, allowanceCross[0])
		}
		twice := g.has("month_twice")
		g.drop("month_twice")
		if err := g.writeAllowance(p, first, age, bank); err != nil {
			return err
		}
		if twice {
			g.dirt = append(g.dirt[:0], find(allowanceRates, "month_twice"))
			if err := g.writeAllowance(p, first, age, bank); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *generator) writeAllowance(p *person, month int32, age, bank int) error {
	at := 0
	for i, b := range bands {
		if age >= b.from {
			at = i
		}
	}
	if g.has("band_wrong") {
		at = (at + 1 + g.aside.IntN(len(bands)-1)) % len(bands)
	}
	id := p.id
	if g.has("id_checksum") {
		id = g.spoilt(id)
	}
	// 19 digits of an issuer that does not exist, with a right check digit.
	acct := "62000" + strconv.Itoa(bank) + pad(p.n, 12)
	check := luhnDigit(acct)
	if g.has("acct_check") {
		check = (check + 1 + g.aside.IntN(9)) % 10
	}
	w := &g.row
	w.start()
	w.text("id_no", id)
	w.text("name", p.name)
	w.text("month", isoDate(month))
	w.text("age_band", bands[at].name)
	w.text("acct_bank", []string{"甲银行（演示）", "乙银行（演示）", "丙银行（演示）", "丁银行（演示）"}[bank])
	w.text("acct_no", acct+strconv.Itoa(check))
	w.fixed("amount", int64(bands[at].amount)*100, 2)
	w.text("pay_status", "已发放")
	w.text("div12", p.home.div12)
	w.key = append(append(append(w.key[:0], id...), '|'), isoDate(month)...)
	return g.send("allowance", "P"+pad(p.n, 6), w.key, w.end())
}

// luhnDigit is the check digit that follows these digits.
func luhnDigit(s string) int {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return (10 - sum%10) % 10
}
