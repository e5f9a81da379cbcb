package sample_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mulu/internal/sample"
	"mulu/quality/ident"
)

var asOf = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

type district struct {
	rows   map[string][]string
	labels []sample.Label
	stats  sample.Stats
	digest string
}

func generate(t *testing.T, seed uint64, scale float64) *district {
	t.Helper()
	d := &district{rows: map[string][]string{}}
	h := sha256.New()
	o := sample.Options{Seed: seed, Scale: scale, AsOf: asOf, Label: func(l sample.Label) error {
		d.labels = append(d.labels, l)
		fmt.Fprint(h, l)
		return nil
	}}
	var err error
	d.stats, err = sample.Generate(o, func(dataset string, key, value []byte) error {
		d.rows[dataset] = append(d.rows[dataset], string(value))
		fmt.Fprintf(h, "%s %d %s %d %s\n", dataset, len(key), key, len(value), value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.digest = fmt.Sprintf("%x", h.Sum(nil))
	return d
}

func TestDeterminism(t *testing.T) {
	a, b, c := generate(t, 7, 0.001), generate(t, 7, 0.001), generate(t, 8, 0.001)
	if a.digest != b.digest {
		t.Error("the same seed gave other bytes")
	}
	if a.digest == c.digest {
		t.Error("another seed gave the same bytes")
	}
}

// Ages are drawn back from AsOf, so on some days somebody is born on day 0 of the
// epoch; his birthday was taken for none, and the row was dirt without a label.
func TestBornOnDayZero(t *testing.T) {
	born := 0
	_, err := sample.Generate(sample.Options{Seed: 1, Scale: sample.Small, AsOf: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}, func(dataset string, _, value []byte) error {
		if dataset != "resident" {
			return nil
		}
		var row map[string]any
		if json.Unmarshal(value, &row) != nil {
			return nil // cut off on purpose
		}
		if row["birth"] == nil {
			t.Errorf("no birthday: %s", value)
		} else if row["birth"] == "1970-01-01" {
			born++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if born == 0 {
		t.Error("nobody was born on 1970-01-01: choose another AsOf, this proves nothing")
	}
}

func TestSmallDistrict(t *testing.T) {
	d := generate(t, 1, sample.Small)
	t.Run("has the proportions of domain.md §8.2", func(t *testing.T) { proportions(t, d) })
	t.Run("division is the published table", func(t *testing.T) { divisions(t, d) })
	t.Run("clean rows are clean, no number is a real person's", func(t *testing.T) { identities(t, d) })
	t.Run("every label's dirt is there", func(t *testing.T) { labels(t, d) })
	t.Run("rates are within tolerance", func(t *testing.T) { rates(t, d) })
	t.Run("every street has dozens of SC-2 hits", func(t *testing.T) { scenario(t, d) })
}

func proportions(t *testing.T, d *district) {
	for dataset, want := range map[string]float64{"resident": 12_400, "address": 8_000, "visit": 1_500, "enterprise": 2_250, "food_licence": 900, "allowance": 3_250, "death": 160} {
		if got := float64(len(d.rows[dataset])); math.Abs(got-want) > want*0.08+20 {
			t.Errorf("%s has %v rows, want about %v", dataset, got, want)
		}
		if int64(len(d.rows[dataset])) != d.stats.Rows[dataset] {
			t.Errorf("%s: Stats says %d rows, %d were emitted", dataset, d.stats.Rows[dataset], len(d.rows[dataset]))
		}
	}
}

func divisions(t *testing.T, d *district) {
	if n := len(d.rows["division"]); n != 41_352 {
		t.Errorf("division has %d rows, want 41352", n)
	}
	rec, err := csv.NewReader(strings.NewReader(d.rows["division"][0])).Read()
	if err != nil || len(rec) != 5 || rec[0] != "110101001" || rec[1] != "东华门街道" {
		t.Errorf("first division row = %q, %v", rec, err)
	}
}

func dirty(d *district, dataset string) map[int64]bool {
	rows := map[int64]bool{}
	for _, l := range d.labels {
		if l.Dataset == dataset {
			rows[l.Row] = true
		}
	}
	return rows
}

func identities(t *testing.T, d *district) {
	bad := dirty(d, "resident")
	seen := map[string]bool{}
	for i, raw := range d.rows["resident"] {
		var r map[string]any
		err := json.Unmarshal([]byte(raw), &r)
		if bad[int64(i)] {
			if err == nil && !sample.Impossible(r["id_no"].(string)) {
				t.Fatalf("row %d: %s could belong to somebody", i, raw)
			}
			continue
		}
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		id := r["id_no"].(string)
		birth := strings.ReplaceAll(r["birth"].(string), "-", "")
		sex := map[bool]string{true: "1", false: "2"}[(id[16]-'0')%2 == 1]
		switch {
		case !sample.ValidID(id):
			t.Fatalf("row %d: check digit of %s is wrong", i, id)
		case !sample.Impossible(id):
			t.Fatalf("row %d: %s could belong to somebody", i, id)
		case id[6:14] != birth || sex != r["sex"]:
			t.Fatalf("row %d: %s disagrees with birth %s or sex %s", i, id, birth, r["sex"])
		case seen[id]:
			t.Fatalf("row %d: %s was given twice", i, id)
		case !strings.HasPrefix(r["phone"].(string), "1990000"):
			t.Fatalf("row %d: phone %s is outside the range", i, r["phone"])
		}
		seen[id] = true
	}
	rooms := map[string]bool{}
	bad = dirty(d, "address")
	for i, raw := range d.rows["address"] {
		var r map[string]any
		if err := json.Unmarshal([]byte(raw), &r); err != nil {
			t.Fatalf("address row %d: %v", i, err)
		}
		k := fmt.Sprint(r["road"], r["lane"], r["no"], r["room"])
		if !bad[int64(i)] && rooms[k] {
			t.Fatalf("address row %d: %s has two codes without a label", i, k)
		}
		rooms[k] = true
	}
}

// labels proves each label by the row itself.
func labels(t *testing.T, d *district) {
	ids := map[string]int{}
	for _, raw := range d.rows["resident"] {
		var r struct {
			ID string `json:"id_no"`
		}
		if json.Unmarshal([]byte(raw), &r) == nil {
			ids[r.ID]++
		}
	}
	died, firms := byKey(d, "death", "id_no"), byKey(d, "enterprise", "uscc")
	months := map[string]int{}
	for _, raw := range d.rows["allowance"] {
		var r struct {
			ID    string `json:"id_no"`
			Month string
		}
		if json.Unmarshal([]byte(raw), &r) == nil {
			months[r.ID+r.Month]++
		}
	}
	for _, l := range d.labels {
		raw := d.rows[l.Dataset][l.Row]
		var r map[string]any
		if err := json.Unmarshal([]byte(raw), &r); (err != nil) != (l.Kind == "broken") {
			t.Fatalf("%+v: %s: %v", l, raw, err)
		}
		str := func(k string) string { s, _ := r[k].(string); return s }
		num := func(k string) float64 { f, _ := r[k].(float64); return f }
		since := func(k string) float64 {
			at, err := time.Parse("2006-01-02", str(k))
			if err != nil {
				t.Fatalf("%+v: %s", l, raw)
			}
			return asOf.Sub(at).Hours() / 24
		}
		ok := false
		switch l.Kind {
		case "broken":
			ok = true
		case "id_checksum":
			ok = !sample.ValidID(str("id_no"))
		case "div12_unknown":
			ok = strings.HasSuffix(str("div12"), "999")
		case "birth_impossible":
			_, err := time.Parse("2006-01-02", str("birth"))
			ok = err != nil
		case "id_lower_x":
			ok = strings.HasSuffix(str("id_no"), "x")
		case "birth_mismatch":
			ok = strings.ReplaceAll(str("birth"), "-", "") != str("id_no")[6:14]
		case "sex_text":
			ok = str("sex") == "男" || str("sex") == "女"
		case "addr_unmatched":
			ok = str("addr_code") == ""
		case "phone_blank":
			ok = str("phone") == ""
		case "name_placeholder":
			ok = strings.Contains("不详暂无测试", str("name"))
		case "death_late":
			ok = str("status") == "死亡" && since("death_date")-asOf.Sub(when(t, str("upd"))).Hours()/24 >= 30
		case "div12_wrong":
			ok = str("addr_code") == "" || !strings.HasPrefix(str("addr_code"), str("div12"))
		case "duplicate":
			ok = ids[str("id_no")] == 2 || ids[str("id_no")] == 1 // its twin may have been spoilt
		case "code_missing":
			ok = str("addr_code") == ""
		case "area_text":
			ok = strings.HasPrefix(str("area"), "约")
		case "room_form":
			ok = strings.Contains(str("room"), "楼")
		case "lon_lat_swapped":
			ok = num("lon") < 40 && num("lat") > 100
		case "out_of_district":
			ok = num("lon") > 121.47 || num("lon") < 121.32
		case "alias":
			ok = str("addr_code")[12] == '9'
		case "grid_missing":
			ok = str("grid15") == ""
		case "visit_future":
			ok = since("visit") < 0
		case "children_text":
			_, ok = r["children_n"].(string)
		case "text_only":
			ok = r["live_alone"] == nil && r["risk_lv"] == nil && str("findings") != ""
		case "stale":
			ok = since("visit") > 180
		case "risk_blank":
			ok = r["risk_lv"] == nil
		case "death_unpropagated":
			ok = str("status") == "正常" && died[str("id_no")] != nil || spoilt(d, "death", l.Truth)
		case "paid_after_death":
			ok = str("pay_status") == "已发放" && (died[str("id_no")] != nil && died[str("id_no")]["death_date"].(string) < str("month") || spoilt(d, "death", l.Truth))
		case "firm_cancelled":
			ok = str("status") == "有效" && (firms[str("uscc")] != nil && firms[str("uscc")]["status"] == "注销" || spoilt(d, "enterprise", l.Truth))
		case "addr_differs":
			ok = firms[str("uscc")] != nil && firms[str("uscc")]["addr"] != str("addr") || spoilt(d, "enterprise", l.Truth)
		case "month_twice":
			ok = months[str("id_no")+str("month")] >= 1 // its twin may have been spoilt
		case "reported_before":
			ok = str("reported") < str("death_date")
		case "reported_late":
			ok = since("death_date")-since("reported") > 20
		case "cert_blank":
			ok = str("cert_no") == ""
		case "acct_check":
			ok = !ident.Luhn([]byte(str("acct_no")))
		case "band_wrong":
			at, err := time.Parse("20060102", str("id_no")[6:14])
			month, err2 := time.Parse("2006-01-02", str("month"))
			age := month.Year() - at.Year()
			if month.YearDay() < at.YearDay() {
				age--
			}
			low, _ := strconv.Atoi(strings.TrimSuffix(strings.Split(str("age_band"), "-")[0], "+"))
			ok = err == nil && err2 == nil && (age < low-1 || age > low+10 || low == 65 && age > 70)
		case "uscc_missing":
			ok = str("uscc") == ""
		case "uscc_check":
			ok = len(str("uscc")) == 18 && !ident.Credit([]byte(str("uscc")))
		case "industry_old":
			ok = slices.Contains([]string{"1364", "1810", "2450", "3035", "3150"}, str("industry"))
		case "name_width":
			ok = strings.Contains(str("name"), "Ａ")
		case "capital_unit":
			ok = num("reg_cap") < 10_000
		case "rep_masked":
			ok = strings.Contains(str("rep_id"), "*")
		case "lic_length":
			ok = len(str("lic_no")) == 15
		case "category_items":
			ok = map[byte]string{'1': "预包装食品销售", '2': "热食类食品制售", '3': "单位食堂供餐"}[str("lic_no")[2]] != str("items")
		}
		if !ok {
			t.Fatalf("%+v is not in %s", l, raw)
		}
	}
}

// byKey are the rows of a dataset by a text field.
func byKey(d *district, dataset, key string) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, raw := range d.rows[dataset] {
		var r map[string]any
		if json.Unmarshal([]byte(raw), &r) == nil {
			out[r[key].(string)] = r
		}
	}
	return out
}

// spoilt says whether what is known of that truth in a dataset has a wrong or no number.
func spoilt(d *district, dataset, truth string) bool {
	return slices.ContainsFunc(d.labels, func(l sample.Label) bool { return l.Dataset == dataset && l.Truth == truth && l.Blocking })
}

func when(t *testing.T, s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func rates(t *testing.T, d *district) {
	for dataset, kinds := range sample.Rates() {
		n := float64(d.stats.Rows[dataset])
		for kind, p := range kinds {
			got, want := float64(d.stats.Labels[dataset][kind]), n*p
			// four standard deviations, and a quarter for kinds that only some rows can carry
			if math.Abs(got-want) > 4*math.Sqrt(want)+want/4 {
				t.Errorf("%s %s: %v rows, want about %.0f", dataset, kind, got, want)
			}
		}
	}
}

// scenario counts SC-2 as a reader would: the latest visit by id, age, status.
func scenario(t *testing.T, d *district) {
	alone := map[string]struct {
		at string
		is bool
	}{}
	for _, raw := range d.rows["visit"] {
		var v struct {
			ID    string `json:"id_no"`
			Visit string `json:"visit"`
			Alone *bool  `json:"live_alone"`
			N     any    `json:"children_n"`
		}
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			t.Fatal(err)
		}
		if _, text := v.N.(string); text || v.Visit > "2026-11-23" || v.Visit < alone[v.ID].at {
			continue
		}
		e := alone[v.ID]
		e.at, e.is = v.Visit, v.Alone != nil && *v.Alone
		alone[v.ID] = e
	}
	streets := map[string]int{}
	for _, raw := range d.rows["resident"] {
		var r struct {
			ID, Birth, Status, Div12 string
			IDNo                     string `json:"id_no"`
		}
		if json.Unmarshal([]byte(raw), &r) == nil && r.Status == "正常" && r.Birth <= "1956-11-23" && alone[r.IDNo].is {
			streets[r.Div12[:9]]++
		}
	}
	if len(streets) != 10 {
		t.Errorf("hits in %d streets, want 10: %v", len(streets), streets)
	}
	for s, n := range streets {
		if n < 24 {
			t.Errorf("street %s has %d hits, want dozens", s, n)
		}
	}
	t.Log(streets)
}

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	stats, err := sample.WriteFiles(dir, sample.Options{Seed: 3, Scale: 0.0005, AsOf: asOf})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"division.csv": 41_352, "resident.ndjson": stats.Rows["resident"], "address.ndjson": stats.Rows["address"], "visit.ndjson": stats.Rows["visit"]} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := int64(bytes.Count(b, []byte("\n"))); got != want {
			t.Errorf("%s has %d lines, want %d", name, got, want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "README.md")); err != nil || !bytes.Contains(b, []byte("演示数据")) {
		t.Errorf("README.md: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "labels.jsonl")); err != nil || !bytes.Contains(b, []byte(`"kind":"phone_blank"`)) {
		t.Errorf("labels.jsonl: %v", err)
	}
}

func TestGenerateStopsOnError(t *testing.T) {
	stop := fmt.Errorf("stop")
	_, err := sample.Generate(sample.Options{Scale: 0.001, AsOf: asOf}, func(string, []byte, []byte) error { return stop })
	if err == nil || !strings.Contains(err.Error(), "stop") {
		t.Errorf("Generate: %v, want the callback's error", err)
	}
}

func BenchmarkGenerate(b *testing.B) {
	rows := int64(0)
	for b.Loop() {
		s, err := sample.Generate(sample.Options{Seed: 1, Scale: 0.02, AsOf: asOf}, func(string, []byte, []byte) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		rows += s.Rows["resident"] + s.Rows["address"] + s.Rows["visit"]
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
