package sample

import (
	"strconv"
	"time"
)

// Identity numbers that can not belong to anybody (domain.md §1.6). A woman's has
// the sequence number 000, which is not issued; its 17th digit is 0, even, as a
// woman's must be. A man's needs an odd digit, so it stands in division 310199,
// which does not exist. Both have a correct check digit.
const (
	NoDivision = "310199"
	noSequence = "000"
)

// identities gives each number once. Women share their sequence number, so two
// with one birthday need two divisions; men count through a day's odd numbers.
type identities struct {
	women map[uint64]struct{} // division<<20 | day
	men   map[int32]uint16    // day → numbers given
}

func newIdentities() *identities {
	return &identities{women: map[uint64]struct{}{}, men: map[int32]uint16{}}
}

// take gives a number for somebody born about birth, in division or, when that is
// taken, in the next of others, else a day later. It returns the birthday it used.
func (s *identities) take(female bool, birth int32, division string, others []string, start int) (string, int32) {
	for {
		if !female {
			if n := s.men[birth]; n < 500 {
				s.men[birth] = n + 1
				return withCheck(NoDivision + compact(birth) + pad(int(n)*2+1, 3)), birth
			}
			birth--
			continue
		}
		for i := range 9 {
			if i > 0 {
				division = others[(start+i)%len(others)]
			}
			code, _ := strconv.ParseUint(division, 10, 32) //nolint:errcheck // a table's six digits
			k := code<<20 | uint64(birth+40_000)
			if _, taken := s.women[k]; !taken {
				s.women[k] = struct{}{}
				return withCheck(division + compact(birth) + noSequence), birth
			}
		}
		birth--
	}
}

var idWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// checkDigit is GB 11643-1999's for the first 17 digits.
func checkDigit(first17 string) byte {
	sum := 0
	for i, w := range idWeights {
		sum += int(first17[i]-'0') * w
	}
	return "10X98765432"[sum%11]
}

func withCheck(first17 string) string { return first17 + string(checkDigit(first17)) }

// ValidID says whether id is well formed and its check digit right.
func ValidID(id string) bool {
	if len(id) != 18 {
		return false
	}
	for i := range 17 {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return checkDigit(id) == id[17]
}

// Impossible says whether id lies in the space that belongs to nobody.
func Impossible(id string) bool {
	return len(id) == 18 && (id[:6] == NoDivision || id[14:17] == noSequence)
}

var beijing = time.FixedZone("+08:00", 8*3600) // no daylight saving since 1992, and rows are newer

// dayOf counts days since 1970-01-01 of t's Beijing date.
func dayOf(t time.Time) int32 { return int32((t.In(beijing).Unix() + 8*3600) / 86_400) }

func date(day int32) (y, m, d int) {
	yy, mm, dd := time.Unix(int64(day)*86_400, 0).UTC().Date()
	return yy, int(mm), dd
}

func compact(day int32) string {
	y, m, d := date(day)
	return pad(y, 4) + pad(m, 2) + pad(d, 2)
}

func isoDate(day int32) string {
	y, m, d := date(day)
	return pad(y, 4) + "-" + pad(m, 2) + "-" + pad(d, 2)
}

// isoTime writes seconds since 1970 as Beijing time.
func isoTime(sec int64) string {
	return time.Unix(sec, 0).In(beijing).Format("2006-01-02T15:04:05+08:00")
}

func pad(n, width int) string {
	s := strconv.Itoa(n)
	for len(s) < width {
		s = "0" + s
	}
	return s
}

// IdentityOf gives the nth identity number of nobody born on that day, n below 500.
func IdentityOf(born time.Time, n int) string {
	return withCheck(NoDivision + born.Format("20060102") + pad(2*n+1, 3))
}
