package backendtest_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/seed-dad15c92/txcache/backend/backendtest"
)

// The mistakes in docs/writing-a-backend.md name rules that are there.
func TestMistakesOnThePageBreakRules(t *testing.T) {
	page, err := os.ReadFile("../../docs/writing-a-backend.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| [^`\n]* \\| .* \\| `([a-z-]+)` \\|$").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 10 {
		t.Errorf("%d mistakes name a rule", len(rows))
	}
	for _, row := range rows {
		if !slices.ContainsFunc(backendtest.Rules(), func(r backendtest.Rule) bool { return r.Name == row[1] }) {
			t.Errorf("there is no rule %s", row[1])
		}
	}
}
