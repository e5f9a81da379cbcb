package sample

import (
	"strconv"
	"strings"
)

// Firms and their food licences (D2, D13 of domain.md §8.2). A firm's credit code stands
// in division 310199, which does not exist, so that it can not be anybody's.
var (
	enterpriseRates = []rate{
		{"uscc_missing", "uscc", 15, true},
		{"uscc_check", "uscc", 3, true},
		{"industry_old", "industry", 40, false},
		{"name_width", "name", 20, false},
		{"capital_unit", "reg_cap", 10, false},
		{"rep_masked", "rep_id", 50, false},
	}
	licenceRates = []rate{
		{"lic_length", "lic_no", 6, true},
		{"category_items", "items", 10, false},
		{"addr_differs", "addr", 70, false},
	}
	// licenceCross is of licences that live although their firm is cancelled.
	licenceCross = []rate{{"firm_cancelled", "status", 18, false}}
)

// Industries of firms by GB/T 4754-2017; those that serve or sell food first. The old
// ones are codes that only the table of 2011 has.
var (
	industries    = []string{"6210", "6220", "6231", "5221", "5211", "5212", "6432", "7020", "7221", "8199"}
	foodIndustry  = 4
	oldIndustries = []string{"1364", "1810", "2450", "3035", "3150"}
)

const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// creditCode is the credit code of the nth firm of nobody, both check characters right.
func creditCode(n int) string {
	org := "MAY" + pad(n, 5)
	sum := 0
	for i, w := range [8]int{3, 7, 9, 10, 5, 8, 4, 2} {
		v := int(org[i] - '0')
		if org[i] >= 'A' {
			v = int(org[i]-'A') + 10
		}
		sum += v * w
	}
	switch c := 11 - sum%11; c {
	case 10:
		org += "X"
	case 11:
		org += "0"
	default:
		org += strconv.Itoa(c)
	}
	s := "91" + NoDivision + org
	sum = 0
	for i, w := range [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28} {
		sum += strings.IndexByte(creditAlphabet, s[i]) * w
	}
	return s + string(creditAlphabet[(31-sum%31)%31])
}

// withMod1110 appends the check digit of ISO 7064 MOD 11,10.
func withMod1110(digits string) string {
	p := 10
	for i := range len(digits) {
		if p = (p + int(digits[i]-'0')) % 10; p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	return digits + strconv.Itoa((11-p)%10)
}

// firm is the truth of one.
type firm struct {
	n                        int
	uscc, name, addr, status string
	rep                      *person
	industry                 string
	food                     bool
	capital                  int64 // 分
	found, validTo           int32
}

// putFirm writes the firm of one grown-up in three, and its food licence.
func (g *generator) putFirm(p *person) error {
	if p.dead || p.gone || p.age < 25 || p.age > 60 || g.aside.Float64() >= 0.33 {
		return nil
	}
	f := &firm{n: g.firms, rep: p, uscc: creditCode(g.firms), status: "存续"}
	g.firms++
	at := g.aside.IntN(len(industries))
	f.industry, f.food = industries[at], at < foodIndustry
	kind := "商贸"
	if f.food {
		kind = []string{"餐饮", "餐饮", "茶饮", "食品"}[at]
	}
	f.name = "上海普测" + g.ref.male.draw(g.aside.Float64()) + g.ref.female.draw(g.aside.Float64()) + kind + "有限公司"
	f.addr = "普陀区" + g.ref.roads[g.aside.IntN(len(g.ref.roads))] + strconv.Itoa(100+g.aside.IntN(900)) + "号"
	switch u := g.aside.Float64(); {
	case u < 0.10:
		f.status = "注销"
	case u < 0.12:
		f.status = "吊销"
	}
	f.capital = (1 + g.aside.Int64N(50)) * 10_000_000 // 10 to 500 万元
	f.found = g.today - 200 - int32(g.aside.IntN(5_000))
	if g.aside.Float64() < 0.4 {
		f.validTo = f.found + 7_305
	}
	if err := g.writeFirm(f); err != nil || !f.food {
		return err
	}
	return g.writeLicence(f)
}

func (g *generator) writeFirm(f *firm) error {
	g.rollWith(g.aside, enterpriseRates)
	uscc, name, industry, capital, rep := f.uscc, f.name, f.industry, f.capital, f.rep.id
	if g.has("uscc_missing") {
		uscc = ""
	}
	if g.has("uscc_check") {
		i := strings.IndexByte(creditAlphabet, uscc[17])
		uscc = uscc[:17] + string(creditAlphabet[(i+1+g.aside.IntN(30))%31])
	}
	if g.has("industry_old") {
		industry = oldIndustries[g.aside.IntN(len(oldIndustries))]
	}
	if g.has("name_width") {
		name = strings.Replace(name, "有限公司", "ＡＢ有限公司", 1)
	}
	if g.has("capital_unit") {
		capital /= 10_000 // 万元 where 元 should be
	}
	if g.has("rep_masked") {
		rep = rep[:3] + "***********" + rep[14:]
	}
	w := &g.row
	w.start()
	w.text("uscc", uscc)
	w.text("reg_no", withMod1110(NoDivision+pad(f.n, 8)))
	w.text("name", name)
	w.text("type", "有限责任公司")
	w.text("legal_rep", f.rep.name)
	w.text("rep_id", rep)
	w.fixed("reg_cap", capital, 2)
	w.text("found", isoDate(f.found))
	w.day("valid_to", f.validTo)
	w.text("addr", f.addr)
	w.text("div9", f.rep.home.div12[:9])
	w.text("industry", industry)
	w.text("status", f.status)
	w.text("upd", isoTime(f.rep.upd))
	w.key = append(w.key[:0], uscc...)
	return g.send("enterprise", "F"+pad(f.n, 6), w.key, w.end())
}

// categories of a food licence, and what each may do.
var categories = []string{"预包装食品销售", "热食类食品制售", "单位食堂供餐"}

func (g *generator) writeLicence(f *firm) error {
	category := 1
	if f.industry == "5221" {
		category = 0
	}
	cancelled := f.status == "注销"
	g.rollWith(g.aside, licenceRates)
	status := "有效"
	if cancelled {
		status = "注销"
		if g.aside.Float64() < 0.18 && !g.blocked() {
			status = "有效"
			g.dirt = append(g.dirt, licenceCross[0])
		}
	}
	number := "JY" + withMod1110(strconv.Itoa(category+1)+NoDivision+pad(f.n, 6))
	if g.has("lic_length") {
		number = number[:len(number)-1]
	}
	items, addr := categories[category], f.addr
	if g.has("category_items") {
		items = categories[(category+1+g.aside.IntN(2))%3]
	}
	if g.has("addr_differs") {
		addr = "普陀区" + g.ref.roads[g.aside.IntN(len(g.ref.roads))] + strconv.Itoa(1000+g.aside.IntN(900)) + "号"
	}
	issue := max(f.found+30, g.today-int32(g.aside.IntN(1_700)))
	w := &g.row
	w.start()
	w.text("lic_no", number)
	w.text("uscc", f.uscc)
	w.text("shop", f.name)
	w.text("addr", addr)
	w.text("items", items)
	w.text("issue", isoDate(issue))
	w.text("expire", isoDate(issue+1_826))
	w.text("status", status)
	w.text("inspector", g.ref.surnames.draw(g.aside.Float64())+"监管员")
	w.text("grade", string("ABC"[g.aside.IntN(3)]))
	w.text("upd", isoTime(f.rep.upd))
	w.key = append(w.key[:0], number...)
	return g.send("food_licence", "F"+pad(f.n, 6), w.key, w.end())
}
