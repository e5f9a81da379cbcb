package quality_test

import (
	"os"
	"strings"
	"testing"

	"mulu/quality"
)

// The document says of every indicator what the code says.
func TestScoreDocument(t *testing.T) {
	b, err := os.ReadFile("../docs/quality-score.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range quality.Indicators() {
		found := false
		for line := range strings.Lines(string(b)) {
			found = found || strings.HasPrefix(line, "| "+i.Code+" |") && strings.Contains(line, i.Title) && strings.Contains(line, i.Element) && strings.Contains(line, i.GB) &&
				strings.Contains(line, "〔结〕") == i.Structured && strings.Contains(line, "〔反〕") == i.Inverted && strings.Contains(line, i.GB+"?") == i.GBWeak
		}
		if !found {
			t.Errorf("docs/quality-score.md does not say of %s %s what the code does", i.Code, i.Title)
		}
	}
}
