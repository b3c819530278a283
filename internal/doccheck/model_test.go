package doccheck

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const models = "docs/model"

// modelTable returns the rows of the table under a heading of the models' page, cell by cell.
func modelTable(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, models, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(source), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", models, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if cells := strings.Split(strings.TrimSpace(line), " | "); strings.HasPrefix(line, "| ") && len(cells) == 3 {
			cells[0], cells[2] = strings.TrimPrefix(cells[0], "| "), strings.TrimSuffix(cells[2], " |")
			rows = append(rows, cells)
		}
	}
	if len(rows) < 2 || rows[0][0] != "model" {
		t.Fatalf("%s has no table under %q", models, heading)
	}
	return rows[1:]
}

// A place in the code is a file, mostly with a function that it has.
var place = regexp.MustCompile("`([a-z/]+\\.(?:go|lua))`(?: `([A-Za-z_.]+)`)?")

func TestModelNamesCodeThatIsThere(t *testing.T) {
	for _, row := range modelTable(t, "What each step is in the code") {
		places := place.FindAllStringSubmatch(row[2], -1)
		if len(places) == 0 {
			t.Errorf("%s, %s: no code is named", row[0], row[1])
		}
		for _, p := range places {
			if problem := lacks(p[1], p[2]); problem != "" {
				t.Errorf("%s, %s: %s", row[0], row[1], problem)
			}
		}
	}
	if lacks("redisbackend/change.go", "Fences") == "" || lacks("redisbackend/scripts/database.lua", "operations.fenc") == "" {
		t.Error("a function that is not there was found")
	}
}

// lacks says what is not there: the file, or the function in it. It returns "" if both are.
func lacks(file, function string) string {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		return err.Error()
	}
	declared := `(?m)^func (\([^)]*\) )?` + regexp.QuoteMeta(function) + `[\[(]`
	if path.Ext(file) == ".lua" {
		declared = `(?m)^(local )?function ` + regexp.QuoteMeta(function) + `\(`
	}
	if function != "" && !regexp.MustCompile(declared).Match(source) {
		return fmt.Sprintf("%s has no function %s", file, function)
	}
	return ""
}

// settings are the macros of the models that set bounds and faults.
var settings = []string{"P", "W", "R", "LATER", "TERM", "ELSEWHERE", "MEMBERS", "NOTES", "FIRST", "SECOND", "LOSS", "CRASH"}

// Each rule that can be taken out of a model is on the page, and the other way round.
func TestModelRulesAreOnThePage(t *testing.T) {
	condition := regexp.MustCompile(`(?m)^\s*#\s*(?:if|elif).*$`)
	name := regexp.MustCompile(`\b[A-Z]+\b`)
	for model, files := range map[string][]string{"begin.pml": {"begin.pml"}, "lease.pml": {"lease.pml", "hash.pml"}} {
		var there, listed []string
		for _, file := range files {
			source, err := os.ReadFile(filepath.Join(root, models, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range condition.FindAllString(string(source), -1) {
				line, _, _ = strings.Cut(line, "/*")
				there = append(there, name.FindAllString(line, -1)...)
			}
		}
		for _, row := range modelTable(t, "Rules taken out") {
			if row[0] == model {
				listed = append(listed, name.FindAllString(strings.ReplaceAll(row[1], "-D", ""), -1)...)
			}
		}
		for _, m := range there {
			if !slices.Contains(settings, m) && !slices.Contains(listed, m) {
				t.Errorf("%s has the rule %s, the page has not", model, m)
			}
		}
		for _, m := range listed {
			if !slices.Contains(there, m) {
				t.Errorf("the page has the rule %s, %s has not", m, model)
			}
		}
	}
}

func TestModelHolds(t *testing.T) {
	needSpin(t)
	for _, row := range modelTable(t, "Runs that must hold") {
		t.Run(row[0]+" "+row[1], func(t *testing.T) {
			t.Parallel()
			if errors, said := check(t, row[0], row[1], "-O1"); errors {
				t.Errorf("an assertion fails: %s\n%s", row[2], said)
			}
		})
	}
}

func TestModelFailsWithoutARule(t *testing.T) {
	needSpin(t)
	for _, row := range modelTable(t, "Rules taken out") {
		t.Run(row[0]+" "+row[1], func(t *testing.T) {
			t.Parallel()
			if errors, said := check(t, row[0], row[1], "-O0"); !errors { // most of the time goes to the compiler
				t.Errorf("no assertion fails without %s\n%s", row[2], said)
			}
		})
	}
}

// needSpin skips the test if there is no Spin, or fails if the environment has
// TXCACHE_REQUIRE_SPIN=1.
func needSpin(t *testing.T) {
	t.Helper()
	for _, command := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(command); err == nil {
			continue
		}
		if os.Getenv("TXCACHE_REQUIRE_SPIN") == "1" {
			t.Fatalf("TXCACHE_REQUIRE_SPIN=1, but there is no %s on the PATH", command)
		}
		t.Skipf("there is no %s on the PATH: the models are not run", command)
	}
}

var (
	searched = regexp.MustCompile(`State-vector \d+ byte, depth reached \d+, errors: (\d+)`)
	cut      = regexp.MustCompile(`max search depth too small|out of memory|reached -DMEMLIM|aborting`)
)

// check runs a model with settings, as they are on the page in backquotes, through all its
// states, or up to the first that fails. It reports whether an assertion fails, and returns what Spin said.
func check(t *testing.T, model, settings, optimize string) (fails bool, said string) {
	t.Helper()
	folder := t.TempDir()
	source, err := filepath.Abs(filepath.Join(root, models, model))
	if err != nil {
		t.Fatal(err)
	}
	run := func(command string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), command, args...)
		c.Dir = folder
		out, err := c.CombinedOutput()
		if err != nil && command != "./pan" {
			t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	flags := strings.Fields(strings.Trim(settings, "`"))
	run("spin", append(append([]string{"-a"}, flags...), source)...)
	run("gcc", optimize, "-w", "-DSAFETY", "-DNOFAIR", "-DCOLLAPSE", "-DVECTORSZ=2048", "-DMEMLIM=4000", "-o", "pan", "pan.c")
	said = run("./pan", "-E", "-m2000000", "-w22")
	found := searched.FindStringSubmatch(said)
	if found == nil || found[1] == "0" && cut.MatchString(said) {
		t.Fatalf("the search did not end:\n%s", said)
	}
	if found[1] != "0" && !strings.Contains(said, "assertion violated") {
		t.Fatalf("there is an error, but no assertion fails:\n%s", said)
	}
	return found[1] != "0", said
}
