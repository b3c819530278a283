package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// Every guard is where the list says, so that a change to the code that moves
// one turns up at once.
func TestEveryGuardIsWhereTheListSays(t *testing.T) {
	names := map[string]bool{}
	for _, g := range all() {
		t.Run(g.name, func(t *testing.T) {
			if names[g.name] {
				t.Error("another guard has this name")
			}
			names[g.name] = true
			if _, err := g.removed(root); err != nil {
				t.Error(err)
			}
			if g.text == g.gone {
				t.Error("what is there instead is the guard")
			}
			if !regexp.MustCompile(`^(P([1-9]|1[0-3])|operators)$`).MatchString(g.keeps) {
				t.Errorf("it keeps %q; want one of P1 to P13, or operators", g.keeps)
			}
			if !strings.HasSuffix(g.without, ".") || strings.Contains(g.without, "\n") {
				t.Errorf("%q is no sentence", g.without)
			}
		})
	}
}

// Every test that the list names is declared, those of one guard in one package.
func TestEveryTestOfTheListExists(t *testing.T) {
	packages, err := testPackages(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all() {
		if _, err := g.pkg(packages); err != nil {
			t.Error(err)
		}
	}
}

func TestTheNamesOfTestsSayWhereTheyAre(t *testing.T) {
	packages := map[string][]string{"TestA": {"./a"}, "TestB": {"./a", "./b"}, "TestC": {"./b"}}
	for _, c := range []struct {
		by, in, want string
	}{
		{"TestA", "", "./a"},
		{"TestB/sub|TestC", "", "./b"},
		{"TestB", "b", "./b"},
		{"TestB", "", ""},
		{"TestB", "c", ""},
		{"TestA|TestC", "", ""},
		{"TestD", "", ""},
	} {
		g := guard{by: c.by, in: c.in}
		if pkg, err := g.pkg(packages); pkg != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q in %q: %q, %v; want %q", c.by, c.in, pkg, err, c.want)
		}
	}
}

func TestTestsAreCompiledWithoutWhatTheyDoNotNeed(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"main":    "func TestMain(m *testing.M) { start() }",
		"start":   "func start() {}",
		"a":       "func TestA(t *testing.T) { var f fake; f.ask(limit) }",
		"b":       "func TestB(t *testing.T) { limit() }",
		"fake":    "type fake[K any] struct{}",
		"methods": "func (f *fake[K]) ask(int) {}",
		"limit":   "var other, limit = 1, 2",
	} {
		if err := os.WriteFile(filepath.Join(folder, name+"_test.go"), []byte("package p\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := readTestFiles(folder)
	if err != nil {
		t.Fatal(err)
	}
	for by, want := range map[string]string{
		"TestA/sub":   "b",
		"TestB":       "a fake methods",
		"TestA|TestB": "",
	} {
		var got []string
		for _, file := range files.unneeded(by) {
			got = append(got, strings.TrimSuffix(filepath.Base(file), "_test.go"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("without %q for %s; want without %q", got, by, want)
		}
	}
}

func TestQuickCoversEveryPromise(t *testing.T) {
	kept := map[string]bool{}
	n := 0
	for _, g := range all() {
		if g.quick {
			kept[g.keeps] = true
			n++
		}
	}
	if len(kept) != 10 || n > 12 {
		t.Errorf("%d quick guards of %d promises; want 12 at most of all ten", n, len(kept))
	}
}

// A campaign finds what is missed and says so where nothing is, and it changes
// no file.
func TestCampaign(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles the module several times; without -short it runs")
	}
	sound := guard{
		name: "sound", keeps: "P9", file: "internal/codec/codec.go",
		text: `string(start) != format[:len(start)] {`, gone: `string(start) == "no" {`, by: "TestHostileDataIsMalformed",
	}
	blind, broken, gone := sound, sound, sound
	blind.name, blind.by = "blind", "TestExpiryIsNotJudged"
	broken.name, broken.gone = "broken", "if nonsense {"
	gone.name, gone.text = "gone", "this is not in the file"
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, sound.file)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		guard guard
		says  string // in the output, or the error
		fails bool
	}{
		{sound, "found     P9   sound", false},
		{blind, "NOT FOUND P9   blind", true},
		{broken, "INVALID   P9   broken", true},
		{gone, "the list must be brought up to date", true},
	} {
		t.Run(c.guard.name, func(t *testing.T) {
			var out bytes.Buffer
			campaign := &campaign{root: absolute, jobs: 1, timeout: time.Minute, out: &out}
			err := campaign.removeEach(t.Context(), []guard{c.guard})
			if err != nil {
				out.WriteString(err.Error())
			}
			if (err != nil) != c.fails || !strings.Contains(out.String(), c.says) {
				t.Errorf("error %v; want one: %t, and %q in\n%s", err, c.fails, c.says, &out)
			}
		})
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed; error %v", err)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name, out string
		err       error
		want      verdict
		detail    string
	}{
		{"it passes", `{"Action":"run","Test":"TestA"}` + "\n" + `{"Action":"pass","Test":"TestA"}`, nil, passed, ""},
		{"a subtest fails", `{"Action":"run","Test":"TestA"}` + "\n" + `{"Action":"fail","Test":"TestA/b"}` + "\n" + `{"Action":"fail","Test":"TestA"}` + "\n" + `{"Action":"fail"}`, os.ErrInvalid, failed, "TestA/b"},
		{"it hangs", `{"Action":"run","Test":"TestA"}` + "\n" + `{"Action":"output","Output":"panic: test timed out after 1s\n"}` + "\n" + `{"Action":"fail","Test":"TestA"}`, os.ErrInvalid, failed, "TestA (it hangs)"},
		{"it had to be killed", `{"Action":"run","Test":"TestA"}` + "\n" + `{"Action":"output","Output":"*** Test killed with quit: ran too long\n"}`, os.ErrInvalid, invalid, "invalid argument"},
		{"it died", `{"Action":"run","Test":"TestA"}` + "\n" + `{"Action":"output","Output":"fatal error: runtime: out of memory\n"}`, os.ErrInvalid, failed, "the process ended badly"},
		{"it does not compile", `{"Action":"fail","FailedBuild":"p"}`, os.ErrInvalid, invalid, "it does not compile; the list must be brought up to date"},
		{"no test is run", `{"Action":"pass"}`, nil, invalid, "no test was run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := judge([]byte(c.out), "", c.err); r.verdict != c.want || r.detail != c.detail {
				t.Errorf("%s; want %s %s", r, c.want, c.detail)
			}
		})
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := table(&out, all()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2+len(all()) {
		t.Errorf("%d lines for %d guards", len(lines), len(all()))
	}
	for _, line := range lines {
		if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 6 {
			t.Errorf("%d bars, want 6: %s", n, line)
		}
	}
}
