package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// A row is what came of the histories on one cache.
type row struct {
	name, practice string
	report         history.Report
}

// write writes a table in Markdown: the violations per million hits, by promise.
func write(out io.Writer, rows []row) error {
	promises := []string{"P1", "P2", "P3, P4", "P7", "P12", "else"}
	var text strings.Builder
	fmt.Fprintf(&text, "| cache | how it works | hits checked | %s | all |\n|---|---|--:|%s--:|\n",
		strings.Join(promises, " | "), strings.Repeat("--:|", len(promises)))
	for _, r := range rows {
		fmt.Fprintf(&text, "| %s | %s | %d |", r.name, r.practice, r.report.Hits)
		by := map[string]float64{}
		all := 0.0
		for rule := range r.report.Violations {
			n := r.report.PerMillion(rule)
			by[promise(rule)] += n
			all += n
		}
		for _, p := range promises {
			fmt.Fprintf(&text, " %.0f |", by[p])
		}
		fmt.Fprintf(&text, " %.0f |\n", all)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// promise returns the column of a rule.
func promise(r history.Rule) string {
	switch name, _, _ := strings.Cut(string(r), ":"); name {
	case "P1", "P2", "P7", "P12":
		return name
	case "P3":
		return "P3, P4"
	}
	return "else"
}
