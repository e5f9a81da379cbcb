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
	check("CitizenNumber", ident.CitizenNumber, []string{"11010519491231002X", "440524188001010014", "911124198108030024", "810000199408230021"}, []string{"", "110105194912310021", "310107199902300007"})
	check("CitizenForm", ident.CitizenForm, []string{"11010519491231002x", "999999999999999999"}, []string{"", "110105194912310", "1101051949123100XX"})
	check("CitizenOld", ident.CitizenOld, []string{"110105491231002"}, []string{"", "110105491331002", "11010549123100X", "11010519491231002X"})
	check("CreditDigit", ident.CreditDigit, []string{"91310107MA1G00001U"}, []string{"91310107MA1G00001V", ""})
	check("Mod1110", ident.Mod1110, []string{"07945", "110108000000016"}, []string{"07944", "0794X", ""})
	check("LuhnDigit", ident.LuhnDigit, []string{"79927398713"}, []string{"79927398710", "7", "7992739871x"})
	check("Passport", ident.Passport, []string{"E12345678", "G12345678", "EA1234567"}, []string{"", "E1234567", "EI1234567", "EO1234567", "GA1234567", "P12345678"})
	check("HongKongMacao", ident.HongKongMacao, []string{"H12345678", "M1234567801"}, []string{"", "H1234567", "H123456780", "C12345678"})
	check("Taiwan", ident.Taiwan, []string{"12345678"}, []string{"", "1234567", "1234567a"})
	check("Disability", ident.Disability, []string{"11010519491231002X11", "11010519491231002X74B2"}, []string{"", "11010519491231002X81", "11010519491231002X15", "11010519491231002X74BX", "11010519491231002174"})
	check("Landline", func(s []byte) bool { return ident.Landline(s, "021", 8) }, []string{"52661234", "021-52661234", "02152661234-80"}, []string{"", "021", "021-", "021-1", "12661234", "52661234-"})
	check("FoodBusiness", ident.FoodBusiness, []string{"JY13101070000002"}, []string{"", "JY43101070000002", "JY1310107000000"})
	check("FoodProduction", ident.FoodProduction, []string{"SC10131010700003"}, []string{"", "SC1013101070000"})
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
