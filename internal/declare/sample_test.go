package declare_test

import (
	"testing"

	"mulu/deploy/sample"
	"mulu/internal/declare"
)

func TestSampleDistrict(t *testing.T) {
	set, err := declare.Load(sample.FS, declare.Known{})
	if err != nil {
		t.Fatal(err)
	}
	if got := [...]int{len(set.Orgs), len(set.Systems), len(set.Duties), len(set.Datasets), len(set.Scenarios), len(set.Weights)}; got != [...]int{36, 8, 8, 8, 1, 1} {
		t.Errorf("orgs, systems, duties, datasets, scenarios, weights = %v", got)
	}
}
