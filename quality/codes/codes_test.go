package codes_test

import (
	"testing"
	"time"

	"mulu/quality/codes"
)

func at(year int) time.Time { return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC) }

func TestTables(t *testing.T) {
	tb, err := codes.Load(codes.WithSynthetic("310199"))
	if err != nil {
		t.Fatal(err)
	}
	sex, err := tb.Table("sex_gbt2261_1")
	if err != nil || !sex.Has("1", time.Time{}) || sex.Has("3", time.Time{}) {
		t.Errorf("sex table: %v", err)
	}
	division := func(code string, year int, want bool) {
		t.Helper()
		if got := tb.Division(code, at(year)); got != want {
			t.Errorf("Division(%s, %d) = %v", code, year, got)
		}
	}
	division("310107", 2024, true)
	division("310108", 2024, false) // 闸北, joined to 静安 in 2015
	division("310108", 2000, true)
	division("310107005", 2024, true)
	division("310107022", 2024, true) // 真如镇街道
	division("310107999", 2024, false)
	division("310107005001", 2024, true)
	division("310107005999", 2024, false)
	division("31010", 2024, false)
	if !tb.Region("310108", time.Time{}) || !tb.Region("830000", time.Time{}) || !tb.Region("310199", time.Time{}) || tb.Region("999999", time.Time{}) {
		t.Error("Region: an abolished, a permit, the reserved or an unknown code is judged wrong")
	}
	if plain, err := codes.Load(); err != nil || plain.Region("310199", time.Time{}) {
		t.Errorf("the reserved division is known without being asked for: %v", err)
	}
	if _, err := tb.Table("nope"); err == nil {
		t.Error("an unknown table was found")
	}
}

func TestFormsParentsAndNames(t *testing.T) {
	tb, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	table := func(name string) *codes.Table {
		t.Helper()
		x, err := tb.Table(name)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for name, code := range map[string]string{"country_gbt2659": "CHN", "country_gbt2659_alpha2": "CN", "country_gbt2659_numeric": "156"} {
		if x := table(name); !x.Has(code, time.Time{}) || x.Has("ZZZ", time.Time{}) || x.Has("", time.Time{}) {
			t.Errorf("%s does not have %s alone", name, code)
		}
	}
	industry := table("industry_gbt4754_2017")
	for code, want := range map[string]string{"0111": "011", "011": "01", "01": "A", "A": ""} {
		if got := industry.Parent(code); got != want {
			t.Errorf("above %s stands %q, want %q", code, got, want)
		}
	}
	if !table("sex_gbt2261_1").IsName("男性") || table("sex_gbt2261_1").IsName("1") {
		t.Error("a name or a code of sexes is taken for the other")
	}
}
