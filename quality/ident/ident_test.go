package ident_test

import (
	"testing"

	"pgregory.net/rapid"

	"mulu/quality/ident"
)

func TestVectors(t *testing.T) {
	check := func(name string, f func([]byte) bool, good, bad []string) {
		t.Helper()
		for _, s := range good {
			if !f([]byte(s)) {
				t.Errorf("%s refuses %q", name, s)
			}
		}
		for _, s := range bad {
			if f([]byte(s)) {
				t.Errorf("%s takes %q", name, s)
			}
		}
	}
	check("Citizen", ident.Citizen, []string{"11010519491231002X"},
		[]string{"", "11010519491231002x", "110105194912310021", "440524188001010014", "11010519490231002X", "1101051949123100"})
	check("Credit", ident.Credit, []string{"91350100M000100Y43", "91310000631696382C", "91310107MA1G000032", "92310107MA1L00008Q", "91310107MAC0000X9D", "11310107MBQ000016U", "11310107MBQ0000599"},
		[]string{"", "91350100M000100Y44", "91310000631696382D", "91350100M000100Y4I"})
	check("OrgCode", ident.OrgCode, []string{"D2143569X", "631696382"}, []string{"D21435690", "63169638X"})
	check("Registration", ident.Registration, []string{"110108000000016"}, []string{"110108000000017", "11010800000001"})
	check("Mobile", ident.Mobile, []string{"19900001234", "13912345678"}, []string{"13800138000", "11111111111", "1391234567", "12912345678", "1391234567a", "19999999999"})
	check("Luhn", ident.Luhn, []string{"4111111111111111"}, []string{"4111111111111112", "79927398713"})
	check("Placeholder", ident.Placeholder, []string{"", "  ", "无", " 不详 ", "null", "-", "0"}, []string{"张三", "10", "无锡路"})
}

func TestBirthAndSex(t *testing.T) {
	y, m, d, ok := ident.CitizenBirth([]byte("11010519491231002X"))
	if !ok || y != 1949 || m != 12 || d != 31 {
		t.Errorf("CitizenBirth = %d-%d-%d, %v", y, m, d, ok)
	}
	if s, ok := ident.CitizenSex([]byte("11010519491231002X")); !ok || s != '2' {
		t.Errorf("CitizenSex = %c, %v; want 2", s, ok)
	}
}

// Any single wrong digit, and any swap of two neighbours that differ, must show.
func TestCitizenCatchesTypingErrors(t *testing.T) {
	valid := []byte("11010519491231002X")
	rapid.Check(t, func(t *rapid.T) {
		s := append([]byte(nil), valid...)
		i := rapid.IntRange(0, 16).Draw(t, "i")
		s[i] = byte('0' + (int(s[i]-'0')+rapid.IntRange(1, 9).Draw(t, "d"))%10)
		if ident.Citizen(s) {
			t.Fatalf("%s passes", s)
		}
	})
	for i := range 16 {
		s := append([]byte(nil), valid...)
		s[i], s[i+1] = s[i+1], s[i]
		if s[i] != s[i+1] && ident.Citizen(s) {
			t.Errorf("swapped %s passes", s)
		}
	}
}

func TestCreditCatchesTypingErrors(t *testing.T) {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	rapid.Check(t, func(t *rapid.T) {
		s := []byte("91310000631696382C")
		i, c := rapid.IntRange(0, 17).Draw(t, "i"), alphabet[rapid.IntRange(0, 30).Draw(t, "c")]
		if s[i] == c {
			return
		}
		s[i] = c
		if ident.Credit(s) {
			t.Fatalf("%s passes", s)
		}
	})
}
