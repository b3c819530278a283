package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// table prints guards as a table in Markdown.
func table(out io.Writer, guards []guard) error {
	var text strings.Builder
	text.WriteString("| guard | promise | without it | code | tests that fail then |\n|---|---|---|---|---|\n")
	for _, g := range guards {
		fmt.Fprintf(&text, "| %s | %s | %s | `%s` | %s |\n", cell(g.name), g.keeps, cell(g.without), g.file, tests(g.by))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// tests lists what guard.by names, without the subtests.
func tests(by string) string {
	var names []string
	for test := range strings.SplitSeq(by, "|") {
		name, _, _ := strings.Cut(test, "/")
		if name = "`" + name + "`"; len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// sum prints how many guards of each promise were removed, how many of them were found,
// and how long that took. It returns how many were found.
func sum(removals []*removal, print func(format string, args ...any)) (found int) {
	type line struct {
		guards, found int
		took          time.Duration
	}
	lines := map[string]*line{}
	for _, r := range removals {
		l := lines[r.keeps]
		if l == nil {
			l = &line{}
			lines[r.keeps] = l
		}
		l.guards++
		l.took += r.took
		if r.found {
			l.found++
			found++
		}
	}
	promises := slices.SortedFunc(maps.Keys(lines), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // P2 before P10
	})
	print("\n%-9s %6s %6s %8s", "promise", "guards", "found", "time")
	for _, promise := range promises {
		l := lines[promise]
		print("%-9s %6d %6d %8s", promise, l.guards, l.found, seconds(l.took))
	}
	return found
}
