package mulu

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// RulesDigest names what a version's row rules judge by: versions with equal digests
// set the same bits on the same rows. Titles, indicators and Mostly change no bit.
func (d *Dataset) RulesDigest() string {
	type judged struct {
		Kind     string
		Columns  []string
		Params   map[string]string `json:",omitempty"`
		Blocking bool              // a soft rule passes over placeholders
		When     string            `json:",omitempty"`
	}
	list := make([]judged, len(d.Rules))
	for i, r := range d.Rules {
		list[i] = judged{r.Kind, r.Columns, r.Params, r.Blocking, r.When}
	}
	body, err := json.Marshal(list) // map keys come sorted
	if err != nil {
		panic(err) // strings and booleans
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}
