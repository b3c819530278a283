package main

import (
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// The other caches are caught, txcache is not, and the table says so.
func TestSchemes(t *testing.T) {
	if testing.Short() {
		t.Skip("a short run has the same histories in internal/history")
	}
	var out strings.Builder
	if err := schemes(t.Context(), &out, 1, 600_000); err != nil {
		t.Error(err)
	}
	tables := strings.Split(strings.TrimSpace(out.String()), "\n\n")
	if len(tables) != 2 {
		t.Fatalf("%d tables", len(tables))
	}
	for _, table := range tables {
		lines := strings.Split(table, "\n")
		last := lines[len(lines)-1]
		if !strings.Contains(last, "txcache") || !strings.HasSuffix(last, "| 0 | 0 | 0 | 0 | 0 | 0 | 0 |") {
			t.Errorf("the last line is %s", last)
		}
		for _, line := range lines[2 : len(lines)-1] {
			if strings.HasSuffix(line, "| 0 |") {
				t.Errorf("nothing was found: %s", line)
			}
		}
	}
}

// No violation is left out of the table.
func TestEveryRuleHasAColumn(t *testing.T) {
	var out strings.Builder
	report := history.Report{Hits: 1_000_000, Violations: map[history.Rule]int{}}
	for _, rule := range history.Rules() {
		report.Violations[rule] = 1
	}
	if err := write(&out, []row{{"one", "of each", report}}); err != nil {
		t.Fatal(err)
	}
	want := "| one | of each | 1000000 | 2 | 1 | 1 | 2 | 1 | 1 | 8 |\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("the table is\n%s; want %s", out.String(), want)
	}
}
