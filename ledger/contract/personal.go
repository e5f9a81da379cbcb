package contract

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Machine-made tokens in which a run of digits means nothing; they are cut out
// before the search, so that a digest never refuses a command by chance.
var machineForm = regexp.MustCompile(`\b(?:sha256:|sm3:|ed25519:)[0-9a-f]{64}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32,128}\b`)

// personalForms are searched in runs of digits bounded by anything but a digit:
// a citizen identity number (GB 11643, 18 characters) with a plausible month and
// day, and a mobile number, plain or written 139-1234-5678.
var personalForms = []struct {
	name string
	form *regexp.Regexp
}{
	{"公民身份号码", regexp.MustCompile(`(?:^|[^0-9])[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?:[^0-9]|$)`)},
	{"手机号码", regexp.MustCompile(`(?:^|[^0-9])(?:\+?86)?1[3-9][0-9]{9}(?:[^0-9]|$)`)},
	{"手机号码", regexp.MustCompile(`(?:^|[^0-9])1[3-9][0-9][ -][0-9]{4}[ -][0-9]{4}(?:[^0-9]|$)`)},
}

// looksPersonal names the personal identifier s looks like, or returns "".
func looksPersonal(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= '０' && r <= '９' { // full-width digits are digits too
			return '0' + r - '０'
		}
		return r
	}, s)
	s = machineForm.ReplaceAllString(s, "·")
	for _, p := range personalForms {
		if p.form.MatchString(s) {
			return p.name
		}
	}
	return ""
}

// refusePersonal looks at every string of the command: id, actor, and each string
// anywhere in the body. It fails closed: what only looks personal is refused too.
func refusePersonal(c Command) error {
	for _, s := range []string{c.ID, c.Actor, string(c.Org)} {
		if what := looksPersonal(s); what != "" {
			return refuse(Personal, "命令中出现疑似"+what+",个人信息不得上链", "an envelope value looks like a personal identifier")
		}
	}
	var body any
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return refuse(Form, "命令内容不符", "body: %v", err)
	}
	if what := findPersonal(body); what != "" {
		return refuse(Personal, "命令中出现疑似"+what+",个人信息不得上链", "a body value looks like a personal identifier")
	}
	return nil
}

func findPersonal(v any) string {
	switch v := v.(type) {
	case string:
		return looksPersonal(v)
	case []any:
		for _, e := range v {
			if what := findPersonal(e); what != "" {
				return what
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if what := looksPersonal(k); what != "" {
				return what
			}
			if what := findPersonal(v[k]); what != "" {
				return what
			}
		}
	}
	return ""
}
