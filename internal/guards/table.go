package main

import (
	"fmt"
	"io"
	"strings"
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
