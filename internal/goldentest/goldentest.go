// Package goldentest compares what the command prints with files, for the tests of its two
// programs.
package goldentest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"
)

// Update says that files are written anew.
var Update = flag.Bool("update", false, "write the golden files and the blocks of docs/cli.md anew")

// volatile is what differs from run to run, and what stands for it.
var volatile = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "2026-01-01T12:00:00Z"},
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}`), "12:00:00.000"},
	{regexp.MustCompile(`\b1[0-9]{15}\b`), "<n>"},
	{regexp.MustCompile(`\b\d+\.\d+ ms`), "<t> ms"},
	{regexp.MustCompile(`_ms": [0-9.e-]+`), `_ms": "<t>"`},
	{regexp.MustCompile(`\b[1-9][0-9.]* (kB|B)\b`), "<n> B"},
	{regexp.MustCompile(`((?:dead_)?bytes|keys|looked)": [1-9]\d*`), `$1": "<n>"`},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:6379"},
	{regexp.MustCompile(`Redis \d+\.\d+\.\d+`), "Redis 7.0.15"},
	{regexp.MustCompile(`PostgreSQL \d+\.\d+`), "PostgreSQL 15.18"},
	{regexp.MustCompile(`(?m)^(begin|near hit|remote hit|fill|clear|delete)  +\d+  +\d+`), "$1  <n>  <n>"},
	{regexp.MustCompile(`(?m)^txcache \S.*, go\S+, \S+$`), "txcache v1.0.0, go1.26.0, linux/amd64"},
}

// token matches a token of Redis, and one of class sql: how many clears, and a sum.
var token = regexp.MustCompile(`\b([0-9a-v]{26}(\.(\d+|<n>))?|\d[0-9a-z]*-[0-9a-z]{8,13}\b)`)

// Settled returns output with its volatile parts replaced, and its tables in
// line again. Tokens are numbered as they come.
func Settled(output string) string {
	for _, v := range volatile {
		output = v.what.ReplaceAllString(output, v.with)
	}
	numbers := map[string]int{}
	output = token.ReplaceAllStringFunc(output, func(t string) string {
		if numbers[t] == 0 {
			numbers[t] = len(numbers) + 1
		}
		return fmt.Sprintf("<token %d>", numbers[t])
	})
	lines := strings.SplitAfter(output, "\n")
	var all, t strings.Builder
	flush := func() {
		var rows [][]string
		for line := range strings.Lines(t.String()) {
			rows = append(rows, regexp.MustCompile(` {2,}`).Split(strings.TrimRight(line, "\n"), -1))
		}
		for _, cells := range rows {
			for len(rows[0]) < len(cells) { // the last heading is empty
				rows[0] = append(rows[0], "")
			}
		}
		all.WriteString(aligned(rows))
		t.Reset()
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, " ") && strings.Contains(line, "  ") {
			t.WriteString(line)
			continue
		}
		flush()
		all.WriteString(line)
	}
	flush()
	return all.String()
}

// aligned returns rows as a table in columns.
func aligned(rows [][]string) string {
	var all, lines strings.Builder
	columns := tabwriter.NewWriter(&all, 0, 0, 2, ' ', 0)
	for _, cells := range rows {
		// A column ends where a line does not have it, so all lines have all.
		fmt.Fprintln(columns, strings.Join(cells, "\t")+strings.Repeat("\t", max(0, len(rows[0])-len(cells))))
	}
	columns.Flush()
	for line := range strings.Lines(all.String()) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return lines.String()
}

// Compare compares what a command line of a program gave with the file of that name, or
// writes it.
func Compare(t *testing.T, folder, name, program string, args []string, output string, code int) {
	t.Helper()
	if code != 0 {
		output += fmt.Sprintf("(exit code %d)\n", code)
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if strings.ContainsAny(arg, " '*") {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	got := Settled("$ " + program + " " + strings.Join(quoted, " ") + "\n" + output)
	path := filepath.Join(folder, name+".golden")
	if *Update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}
