// Package ident checks identifiers by their own arithmetic: citizen numbers, social
// credit codes, organisation codes, registration numbers, phone numbers. Functions
// take bytes as they stand in a column and never allocate. They judge form and check
// characters; whether a code exists is for code tables.
package ident

// Citizen says whether s is an 18-character citizen number with a real birth date
// from 1900 on and the right check character (GB 11643-1999). A lower-case x fails:
// it is normalised and counted before, or a fault. A first digit 9 (the 2023 form of
// the foreigner's permanent residence card) has the same arithmetic.
func Citizen(s []byte) bool {
	return len(s) == 18 && citizenCheck(s) == s[17] && birthOK(s)
}

// CitizenNumber is Citizen without the floor of 1900, which is a rule of business and
// not of the standard: GB 11643's own example was born in 1880.
func CitizenNumber(s []byte) bool {
	return len(s) == 18 && citizenCheck(s) == s[17] && CitizenDate(s)
}

// CitizenForm says whether s is 17 digits and a digit, X or x.
func CitizenForm(s []byte) bool {
	return len(s) == 18 && digits(s[:17]) && (s[17]-'0' <= 9 || s[17] == 'X' || s[17] == 'x')
}

// CitizenDate says whether digits 7 to 14 of a number of the form are a date.
func CitizenDate(s []byte) bool {
	y, m, d := citizenDate(s)
	return Day(y, m, d)
}

func citizenDate(s []byte) (y, m, d int) {
	p := (*[8]byte)(s[6:14])
	return two(p[0:2])*100 + two(p[2:4]), two(p[4:6]), two(p[6:8])
}

// CitizenOld says whether s is a 15-digit number of before 1999, whose use ended in 2013:
// like Citizen's, without century and check character.
func CitizenOld(s []byte) bool {
	return len(s) == 15 && digits(s) && Day(1900+two(s[6:]), two(s[8:]), two(s[10:]))
}

// weights of GB 11643-1999, clause 6.
var weights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// citizenCheck is the check character of the first 17 digits, 0 if one is no digit.
func citizenCheck(s []byte) byte {
	p, sum := (*[17]byte)(s), 0 // one bounds check for all
	for i, w := range weights {
		d := p[i] - '0'
		if d > 9 {
			return 0
		}
		sum += int(d) * w
	}
	return "10X98765432"[sum%11]
}

func birthOK(s []byte) bool {
	y, m, d := citizenDate(s)
	return y >= 1900 && Day(y, m, d)
}

// CitizenBirth is the birth date inside a citizen number, as year, month, day.
func CitizenBirth(s []byte) (y, m, d int, ok bool) {
	if len(s) != 18 || citizenCheck(s) == 0 || !birthOK(s) {
		return 0, 0, 0, false
	}
	y, m, d = citizenDate(s)
	return y, m, d, true
}

// CitizenSex is '1' (male) or '2' (female) by the 17th digit.
func CitizenSex(s []byte) (byte, bool) {
	if len(s) != 18 || s[16]-'0' > 9 {
		return 0, false
	}
	return '2' - (s[16]-'0')&1, true
}

func two(s []byte) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

var monthDays = [12]uint8{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// Day says whether a date exists in the Gregorian calendar.
func Day(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 {
		return false
	}
	n := int(monthDays[m-1])
	if m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0) {
		n = 29
	}
	return d <= n
}

// creditAlphabet of GB 32100-2015: no I, O, S, V, Z.
const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

var creditValue = func() (v [256]int8) {
	for i := range v {
		v[i] = -1
	}
	for i := range len(creditAlphabet) {
		v[creditAlphabet[i]] = int8(i)
	}
	return v
}()

var creditWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}

// Credit says whether s is an 18-character unified social credit code with both
// check characters right: its own (GB 32100-2015) and that of the organisation code
// inside it, characters 9 to 17 (GB 11714-1997).
func Credit(s []byte) bool { return CreditDigit(s) && OrgCode(s[8:17]) }

// CreditForm says whether s is 18 characters of the standard's alphabet.
func CreditForm(s []byte) bool {
	for _, c := range s {
		if creditValue[c] < 0 {
			return false
		}
	}
	return len(s) == 18
}

// CreditDigit says whether a code's own check character, the last, is right.
func CreditDigit(s []byte) bool {
	if len(s) != 18 {
		return false
	}
	p, sum := (*[17]byte)(s), 0
	for i, w := range creditWeights {
		v := creditValue[p[i]]
		if v < 0 {
			return false
		}
		sum += int(v) * w
	}
	return creditAlphabet[(31-sum%31)%31] == s[17]
}

// OrgCode says whether s is a nine-character organisation code (GB 11714-1997),
// written without its hyphen.
func OrgCode(s []byte) bool {
	if len(s) != 9 {
		return false
	}
	sum := 0
	for i, w := range [8]int{3, 7, 9, 10, 5, 8, 4, 2} {
		switch c := s[i]; {
		case c-'0' <= 9:
			sum += int(c-'0') * w
		case c-'A' < 26:
			sum += int(c-'A'+10) * w
		default:
			return false
		}
	}
	switch c := 11 - sum%11; c {
	case 10:
		return s[8] == 'X'
	case 11:
		return s[8] == '0'
	default:
		return s[8] == byte('0'+c)
	}
}

// Registration says whether s is a 15-digit business registration number with the
// right check digit (GB/T 17710-1999, ISO 7064 MOD 11,10).
func Registration(s []byte) bool { return len(s) == 15 && mod1110(s) }

// Mod1110 says whether the last digit of s is the check digit of the others (ISO 7064 MOD
// 11,10).
func Mod1110(s []byte) bool { return mod1110(s) }

func mod1110(s []byte) bool {
	p := 10
	for i, c := range s {
		d := int(c - '0')
		if d > 9 {
			return false
		}
		if i == len(s)-1 {
			return (11-p)%10 == d
		}
		p = (p + d) % 10
		if p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	return false
}

// Mobile says whether s is a mainland mobile number of 11 digits, and not one of
// those people type to get past a form: 13800138000, or eleven times nearly the
// same digit.
func Mobile(s []byte) bool {
	if !MobileForm(s) || string(s) == "13800138000" {
		return false
	}
	for _, c := range s[3:] {
		if c != s[2] {
			return true
		}
	}
	return false
}

// MobileForm says whether s is 11 digits that begin like a mobile number's.
func MobileForm(s []byte) bool {
	return len(s) == 11 && s[0] == '1' && s[1] >= '3' && s[1] <= '9' && digits(s)
}

// Luhn says whether the last digit of 13 to 19 is right (ISO/IEC 7812-1).
func Luhn(s []byte) bool { return len(s) >= 13 && len(s) <= 19 && LuhnDigit(s) }

// LuhnDigit says whether the last digit of a number of any length is right.
func LuhnDigit(s []byte) bool {
	if len(s) < 2 || !digits(s) {
		return false
	}
	sum := 0
	for i, c := range s {
		d := int(c - '0')
		if (len(s)-i)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func digits(s []byte) bool {
	for _, c := range s {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

// Passport says whether s is the number of an ordinary passport: E or G and eight digits,
// or E, a letter without I and O, and seven.
func Passport(s []byte) bool {
	if len(s) != 9 || s[0] != 'E' && s[0] != 'G' || !digits(s[2:]) {
		return false
	}
	c := s[1]
	return c-'0' <= 9 || s[0] == 'E' && c >= 'A' && c <= 'Z' && c != 'I' && c != 'O'
}

// HongKongMacao says whether s is the number of the 通行证 of a resident of Hong Kong or
// Macao: H or M, eight digits, and two more that count its renewals.
func HongKongMacao(s []byte) bool {
	return (len(s) == 9 || len(s) == 11) && (s[0] == 'H' || s[0] == 'M') && digits(s[1:])
}

// Taiwan says whether s is the number of the 通行证 of a resident of Taiwan: eight digits.
func Taiwan(s []byte) bool { return len(s) == 8 && digits(s) }

// Disability says whether s is a disability certificate: a citizen number, one digit of
// category (1 to 7), one of degree (1 to 4), and B with a digit once it was issued again.
func Disability(s []byte) bool {
	if len(s) == 22 && s[20] == 'B' && s[21]-'0' <= 9 {
		s = s[:20]
	}
	return len(s) == 20 && Citizen(s[:18]) && s[18] >= '1' && s[18] <= '7' && s[19] >= '1' && s[19] <= '4'
}

// Landline says whether s is a fixed telephone number: the area code or not, with or
// without hyphen, as many digits as wanted of which the first is 2 to 8, and perhaps an
// extension of one to six digits after a hyphen.
func Landline(s []byte, area string, n int) bool {
	if len(s) > len(area) && string(s[:len(area)]) == area {
		if s = s[len(area):]; s[0] == '-' {
			s = s[1:]
		}
	}
	if len(s) < n || s[0] < '2' || s[0] > '8' || !digits(s[:n]) {
		return false
	}
	s = s[n:]
	return len(s) == 0 || s[0] == '-' && len(s) >= 2 && len(s) <= 7 && digits(s[1:])
}

// FoodBusiness says whether s has the form of a food business licence: JY, what it is
// (1 sale, 2 catering, 3 canteen), and 13 digits.
func FoodBusiness(s []byte) bool {
	return len(s) == 16 && s[0] == 'J' && s[1] == 'Y' && s[2] >= '1' && s[2] <= '3' && digits(s[3:])
}

// FoodProduction says whether s has the form of a food production licence: SC and 14 digits.
func FoodProduction(s []byte) bool {
	return len(s) == 16 && s[0] == 'S' && s[1] == 'C' && digits(s[2:])
}

// Placeholder says whether s, apart from blanks around it, is empty or one of the
// words that mean nothing was filled in: such a value counts as unassigned.
func Placeholder(s []byte) bool {
	if len(s) > 6 && s[0] > ' ' && s[len(s)-1] > ' ' {
		return false // longer than any of the words, and nothing to cut off
	}
	return placeholder(s)
}

func placeholder(s []byte) bool {
	for len(s) > 0 && s[0] <= ' ' {
		s = s[1:]
	}
	for len(s) > 0 && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	switch string(s) {
	case "", "无", "不详", "暂无", "未知", "空", "-", "--", "0", "null", "NULL", "Null", "N/A", "n/a", "测试", "/", "?":
		return true
	}
	return false
}
