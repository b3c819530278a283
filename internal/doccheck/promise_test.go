package doccheck

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// Each file of testdata/promises lists what one text says, and what holds it: docs_sql.md.txt that of docs/sql.md.
// Under each sentence or row of a table stand the tests that fail if it is not true, after
// the folder they are in, or "no promise": it explains, advises, leads elsewhere or says
// what is not promised. A section that is said to be no promise has none in it.
const promises = "testdata/promises"

func TestEveryPromiseIsHeldByATest(t *testing.T) {
	lists, err := filepath.Glob(promises + "/*.txt")
	if err != nil || len(lists) == 0 {
		t.Fatalf("%d lists: %v", len(lists), err)
	}
	for _, path := range lists {
		list, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Replace(strings.TrimSuffix(filepath.Base(path), ".txt"), "_", "/", 1)
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".go") {
			f, err := parser.ParseFile(token.NewFileSet(), "", source, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			source = []byte(f.Doc.Text())
		}
		for _, problem := range unheld(sentences(name, source), string(list), testsOf) {
			t.Error(problem)
		}
	}
}

// A sentence is one that a text says, or a row of a table in it.
type sentence struct {
	section string // the text and its heading, as in "README.md: Guarantees"
	words   string // as they are written, but for white space
}

// end is that of a sentence: it is not the number of an item, and what follows
// does not go on in lower case.
var end = regexp.MustCompile(`((?:[^\s\d*]\d|[^\s\d])[.?!][)*]*)\s+([^\sa-z])`)

// sentences returns what a text says outside of its headings and code. A doc
// comment is close enough to Markdown.
func sentences(name string, source []byte) (said []sentence) {
	section := name
	add := func(words string) {
		if words == "∎" {
			return
		}
		said = append(said, sentence{section, strings.Join(strings.Fields(words), " ")})
	}
	document := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level > 1 || name == "doc.go" {
				section = name + ": " + string(n.Lines().Value(source))
			}
		case *ast.Paragraph, *ast.TextBlock:
			for words := range strings.SplitSeq(end.ReplaceAllString(string(n.Lines().Value(source)), "$1\x00$2"), "\x00") {
				add(words)
			}
		case *tables.TableRow:
			var cells []string
			for cell := n.FirstChild(); cell != nil; cell = cell.NextSibling() {
				cells = append(cells, string(cell.Lines().Value(source)))
			}
			add("| " + strings.Join(cells, " | ") + " |")
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return said
}

// unheld returns what is wrong with a list of promises: what the texts say and it
// does not list, what it lists and they do not say, and tests that do not exist.
func unheld(said []sentence, list string, tests func(folder string) ([]string, error)) (problems []string) {
	problem := func(format string, a ...any) { problems = append(problems, fmt.Sprintf(format, a...)) }
	listed := map[sentence]bool{} // whether anything holds it
	whole := map[string]bool{}    // sections that promise nothing
	var at sentence
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\n")
		section, isSection := strings.CutPrefix(line, "== ")
		holds, isHeld := strings.CutPrefix(line, "\t")
		switch {
		case line == "" || strings.HasPrefix(line, "# "):
		case isSection:
			section, none := strings.CutSuffix(section, " == no promise")
			at = sentence{section: section}
			whole[section] = none
		case !isHeld:
			at.words = line
			if _, twice := listed[at]; twice {
				problem("%s: this is listed twice: %s", at.section, at.words)
			}
			listed[at] = false
		case holds == "no promise":
			listed[at] = true
		default:
			listed[at] = true
			folder, names, _ := strings.Cut(holds, " ")
			have, err := tests(folder)
			if err != nil {
				problem("%v", err)
			}
			for _, name := range strings.Fields(names) {
				if !slices.Contains(have, name) {
					problem("%s: there is no %s in %s, which is to hold: %s", at.section, name, folder, at.words)
				}
			}
			if names == "" {
				problem("%s: %s is named without a test, to hold: %s", at.section, folder, at.words)
			}
		}
	}
	stands := map[sentence]bool{}
	sections := map[string]bool{}
	for _, s := range said {
		stands[s], sections[s.section] = true, true
		if _, ok := listed[s]; !ok && !whole[s.section] {
			problem("%s: no test is listed for this, nor is it said to be no promise: %s", s.section, s.words)
		}
	}
	for s, held := range listed {
		switch {
		case !stands[s]:
			problem("%s: this is listed and does not stand there: %s", s.section, s.words)
		case !held:
			problem("%s: this is listed without a test: %s", s.section, s.words)
		}
	}
	for section := range whole {
		if !sections[section] {
			problem("%s: there is no such section", section)
		}
	}
	slices.Sort(problems)
	return problems
}

var testName = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)

// testsOf returns the names of the tests in a folder.
func testsOf(folder string) (names []string, err error) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*_test.go"))
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, found := range testName.FindAllStringSubmatch(string(source), -1) {
			names = append(names, found[1])
		}
	}
	return names, err
}

func TestPromisesThatNothingHoldsAreFound(t *testing.T) {
	said := sentences("a.md", []byte("# A\n\nIt is so. It\nis *thus.* So\n\n## B\n\n| x | y |\n|---|---|\n| `1` | 2 |\n\n- Item: one.\n\n```\nCode.\n```\n\n## C\n\nWords.\n"))
	good := "# form\n== a.md\nIt is so.\n\tp TestA TestB\nIt is *thus.*\n\tno promise\nSo\n\tno promise\n\n== a.md: B\n| `1` | 2 |\n\tp TestA\nItem: one.\n\tp TestB\n== a.md: C == no promise\n"
	tests := func(folder string) ([]string, error) { return []string{"TestA", "TestB"}, nil }
	for _, c := range []struct{ old, new, want string }{
		{"", "", ""},
		{"It is so.", "It was so.", "does not stand there: It was so."},
		{"It is so.", "It was so.", "no test is listed for this, nor is it said to be no promise: It is so."},
		{"TestA TestB", "TestA TestC", "there is no TestC in p"},
		{"\tp TestB\n", "\tp\n", "without a test"},
		{"\tp TestB\n", "", "without a test: Item: one."},
		{" == no promise", "", "Words."},
		{"a.md: C", "a.md: D", "a.md: D: there is no such section"},
		{"So\n", "It is so.\n", "listed twice"},
		{"== a.md: B\n", "", "a.md: B: no test is listed"},
	} {
		got := strings.Join(unheld(said, strings.Replace(good, c.old, c.new, 1), tests), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q for %q: %q, want %q", c.new, c.old, got, c.want)
		}
	}
}
