package command

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files and the blocks of docs/cli.md anew")

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
	{regexp.MustCompile(`(?m)^(begin|near hit|remote hit|fill|clear|delete)  +\d+  +\d+`), "$1  <n>  <n>"},
	{regexp.MustCompile(`(?m)^txcache \S.*, go\S+, \S+$`), "txcache v1.0.0, go1.26.0, linux/amd64"},
}

var token = regexp.MustCompile(`\b[0-9a-v]{26}(\.(\d+|<n>))?`)

// settled returns output with its volatile parts replaced, and its tables in
// line again. Tokens are numbered as they come.
func settled(output string) string {
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
		var rows table
		for line := range strings.Lines(t.String()) {
			rows = append(rows, regexp.MustCompile(` {2,}`).Split(strings.TrimRight(line, "\n"), -1))
		}
		for _, cells := range rows {
			for len(rows[0]) < len(cells) { // the last heading is empty
				rows[0] = append(rows[0], "")
			}
		}
		rows.write(&all)
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

// golden compares what a command line gave with the golden file of that name,
// or writes it.
func golden(t *testing.T, folder, name string, args []string, output string, code int) {
	t.Helper()
	if code != exitOK {
		output += fmt.Sprintf("(exit code %d)\n", code)
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if strings.ContainsAny(arg, " '*") {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	got := settled("$ txcache " + strings.Join(quoted, " ") + "\n" + output)
	path := filepath.Join(folder, name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./internal/command -update writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

var block = regexp.MustCompile("(?s)(<!-- ([a-z-]+) -->\n```console\n)(.*?)(```\n)")

// What docs/cli.md shows is what the commands print.
func TestPageShowsWhatCommandsPrint(t *testing.T) {
	const path = "../../docs/cli.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	rewritten := block.ReplaceAllFunc(page, func(b []byte) []byte {
		parts := block.FindSubmatch(b)
		name := string(parts[2])
		shown[name] = true
		want, err := os.ReadFile(filepath.Join("testdata", name+".golden"))
		if err != nil {
			t.Error(err)
			return b
		}
		if !bytes.Equal(parts[3], want) && !*update {
			t.Errorf("%s: the block %s shows\n%s\nand the command prints\n%s", path, name, parts[3], want)
		}
		return bytes.Join([][]byte{parts[1], want, parts[4]}, nil)
	})
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files, %v", err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".golden"); !shown[name] {
			t.Errorf("%s does not show %s", path, name)
		}
	}
	if *update {
		if err := os.WriteFile(path, rewritten, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
