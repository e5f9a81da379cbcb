package sample

import (
	"strconv"
)

// putAddress writes the row of one home and, for some, a second code for the same
// room (alias).
func (g *generator) putAddress(a *home) error {
	g.roll(addressRates)
	if a.use != "居住" {
		g.drop("alias")
	}
	alias := g.has("alias")
	g.drop("alias") // the label belongs to the second row
	truth := "A" + pad(a.n, 6)
	if err := g.writeAddress(a, a.code, truth); err != nil || !alias {
		return err
	}
	g.dirt = append(g.dirt[:0], find(addressRates, "alias"))
	g.aliases++
	return g.writeAddress(a, a.div12+"9"+pad(a.n, 9), truth)
}

func find(rates []rate, kind string) rate {
	for _, r := range rates {
		if r.kind == kind {
			return r
		}
	}
	panic("sample: no rate for " + kind) // a spelling mistake here, found by any test
}

func (g *generator) writeAddress(a *home, code, truth string) error {
	if g.has("code_missing") {
		code = ""
	}
	room, grid, lon, lat := a.room, a.grid, a.lon, a.lat
	if g.has("room_form") {
		room = strconv.Itoa(a.floor) + "楼" + a.room[len(a.room)-2:] + "/" + a.room + "室"
	}
	if g.has("grid_missing") {
		grid = ""
	}
	switch {
	case g.has("lon_lat_swapped"):
		g.drop("out_of_district")
		lon, lat = lat, lon
	case g.has("out_of_district"):
		lon += 300_000 + g.r.Int64N(200_000)
	}
	w := &g.row
	w.start()
	w.text("addr_code", code)
	w.text("road", a.road)
	w.text("lane", strconv.Itoa(a.lane))
	w.text("no", strconv.Itoa(a.no))
	w.null("bldg")
	w.text("room", room)
	w.text("div12", a.div12)
	w.text("grid15", grid)
	w.fixed("lon", lon, 6)
	w.fixed("lat", lat, 6)
	w.text("use", a.use)
	if g.has("area_text") {
		w.text("area", "约"+strconv.FormatInt(a.area/100, 10)+"平")
	} else {
		w.fixed("area", a.area, 2)
	}
	w.text("house_type", a.kind)
	w.text("upd", isoTime(a.upd))
	w.key = append(w.key[:0], code...)
	return g.send("address", truth, w.key, w.end())
}

// putResident writes the row of one person and, for those who moved, a second one
// with the same identity number at the former address.
func (g *generator) putResident(p *person) error {
	g.roll(residentRates)
	twice := g.has("duplicate")
	g.drop("duplicate")
	truth := "P" + pad(p.n, 6)
	if err := g.writeResident(p, truth, false); err != nil || !twice {
		return err
	}
	g.dirt = append(g.dirt[:0], find(residentRates, "duplicate"))
	return g.writeResident(p, truth, true)
}

func (g *generator) writeResident(p *person, truth string, moved bool) error {
	id, name, sex, phone := p.id, p.name, "1", p.phone
	if p.female {
		sex = "2"
	}
	birth, death, upd := p.birth, p.death, p.upd
	addr, code, div12 := p.home.text, p.home.code, p.home.div12
	if moved {
		addr = "普陀区" + g.ref.roads[(p.n+1)%len(g.ref.roads)] + strconv.Itoa(firstLaneNumber) + "弄1号101室"
		upd -= 86_400 * (30 + g.r.Int64N(300))
		code = ""
	}
	if g.has("id_checksum") {
		id = id[:17] + string("10X98765432"[(g.r.IntN(10)+1+indexOf(id[17]))%11])
	}
	// One number in eleven ends in X: eleven times the rate of all rows.
	if id[17] == 'X' && len(g.dirt) == 0 && !moved && g.r.Float64() < 0.033 {
		id = id[:17] + "x"
		g.dirt = append(g.dirt, find(residentRates, "id_lower_x"))
	}
	if g.has("birth_mismatch") {
		birth -= 1 + int32(g.r.IntN(300))
	}
	if g.has("sex_text") {
		sex = map[string]string{"1": "男", "2": "女"}[sex]
	}
	if g.has("addr_unmatched") {
		addr, code = "普陀区"+p.home.road+"附近", ""
	}
	if g.has("phone_blank") {
		phone = ""
	}
	if g.has("name_placeholder") {
		name = pick(g, "不详", "暂无", "测试")
	}
	if g.has("div12_wrong") {
		div12 = g.otherCommunity(div12)
	}
	if g.has("div12_unknown") {
		div12 = div12[:9] + "999"
	}
	status := "正常"
	if p.age < 20 {
		g.drop("death_late")
	}
	if g.has("death_late") {
		death = int32((upd+8*3600)/86_400) - 31 - int32(g.r.IntN(120))
		p.dead, p.death = true, death
	}
	if p.dead {
		status = "死亡"
	}
	w := &g.row
	w.start()
	w.text("id_no", id)
	w.text("name", name)
	w.text("sex", sex)
	if g.has("birth_impossible") {
		y, _, _ := date(birth)
		w.text("birth", pad(y, 4)+"-02-30")
	} else {
		w.text("birth", isoDate(birth)) // 1970-01-01 is a birthday like others
	}
	w.text("nation", p.nation)
	w.text("hj_div", p.hj)
	w.text("live_addr", addr)
	w.text("addr_code", code)
	w.text("div12", div12)
	w.text("phone", phone)
	if p.local {
		w.text("live_type", "户籍")
	} else {
		w.text("live_type", "来沪")
	}
	w.text("status", status)
	w.day("death_date", death)
	w.text("upd", isoTime(upd))
	value := w.end()
	if g.has("broken") {
		value = value[:len(value)-2-g.r.IntN(len(value)/2)] // cut off in transit, perhaps inside a character
	}
	if p.gone && !p.dead && !g.blocked() {
		g.dirt = append(g.dirt, residentCross[0])
	}
	w.key = append(w.key[:0], id...)
	return g.send("resident", truth, w.key, value)
}

func indexOf(check byte) int {
	for i := range 11 {
		if "10X98765432"[i] == check {
			return i
		}
	}
	return 0
}

func (g *generator) otherCommunity(not string) string {
	for {
		if c := g.ref.communities[g.r.IntN(len(g.ref.communities))]; c != not {
			return c
		}
	}
}

// putVisits writes the visits to one person: to nearly every old person who lives
// alone, and to some others of 75 and more.
func (g *generator) putVisits(p *person) error {
	switch {
	case p.dead || p.age < 70:
		return nil
	case p.alone && g.r.Float64() < 0.95:
	case p.age >= 75 && g.r.Float64() < 0.14:
	default:
		return nil
	}
	day := g.today - int32(g.r.IntN(60))
	n := 1
	for n < 3 && g.r.Float64() < 0.45 {
		n++
	}
	for ; n > 0; n-- {
		if err := g.writeVisit(p, day); err != nil {
			return err
		}
		day -= 7 + int32(g.r.IntN(30))
	}
	return nil
}

func (g *generator) writeVisit(p *person, day int32) error {
	g.roll(visitRates)
	textOnly := g.has("text_only")
	if textOnly {
		g.drop("risk_blank")
	}
	if g.has("stale") {
		day = g.today - 181 - int32(g.r.IntN(300))
	}
	if g.has("visit_future") {
		day = g.today + 1 + int32(g.r.IntN(300))
	}
	w := &g.row
	w.start()
	w.text("id_no", p.id)
	risk := g.r.IntN(4)
	if textOnly {
		w.null("live_alone")
		w.null("children_n")
		w.null("health_lv")
	} else {
		w.bool("live_alone", p.alone)
		if g.has("children_text") {
			w.text("children_n", pick(g, "一个", "两个", "三个"))
		} else {
			w.int("children_n", p.children)
		}
		w.text("health_lv", strconv.Itoa(1+risk))
	}
	w.day("visit", day)
	w.text("visitor", g.ref.surnames.draw(g.r.Float64())+"社工")
	if textOnly {
		w.text("findings", pick(g, "独居，身体尚可，子女每周探望", "与老伴同住，需协助配药", "精神良好，希望增加助餐服务"))
		w.null("risk_lv")
	} else {
		w.text("findings", pick(g, "情况稳定", "需协助配药", "希望增加助餐服务", "已提醒用气安全"))
		if g.has("risk_blank") {
			w.null("risk_lv")
		} else {
			w.int("risk_lv", risk)
		}
	}
	w.text("div12", p.home.div12)
	w.key = append(append(append(w.key[:0], p.id...), '|'), isoDate(day)...)
	return g.send("visit", "P"+pad(p.n, 6), w.key, w.end())
}
