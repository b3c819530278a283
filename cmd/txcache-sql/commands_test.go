package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-dad15c92/txcache/internal/command"
	"github.com/seed-dad15c92/txcache/internal/goldentest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// commands are run one after the other, each against its golden file, which is the same for
// all databases.
var commands = []struct {
	name     string
	stdin    string
	code     int
	args     string // split at spaces; "~" stands for one
	postgres bool   // the file is of PostgreSQL
}{
	{name: "sql-check", args: "check", postgres: true},
	{name: "sql-databases", args: "databases"},
	{name: "sql-databases-json", args: "databases --json"},
	{name: "sql-caches", args: "caches shop"},
	{name: "sql-caches-json", args: "caches shop --json"},
	{name: "sql-clear", args: "clear shop users labels"},
	{name: "sql-clear-unknown", args: "clear shop uesrs", code: 1},
	{name: "sql-clear-all", args: "clear a~tenant:~* --all"},
	{name: "sql-delete", args: "delete shop users i64.42"},
	{name: "sql-clear-tags", args: "clear-tags shop product:7 product:9"},
	{name: "sql-caches-later", args: "caches shop"},
	{name: "sql-get", args: "get shop users 42", code: 1},
	{name: "sql-watch", args: "watch", code: 1},
	{name: "sql-drop-asks", args: "drop shop", stdin: "shop\n"},
	{name: "sql-drop-json", args: "drop a~tenant:~* --yes --json"},
	{name: "sql-databases-dropped", args: "databases"},
}

func TestCommands(t *testing.T) {
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	onEach(t, func(t *testing.T, e *engine) {
		if *goldentest.Update && e.dialect != "postgres" {
			t.Skip("golden files are written over PostgreSQL")
		}
		e.configure(t)
		serve(t).fill(t)
		for _, c := range commands {
			t.Run(c.name, func(t *testing.T) {
				args := strings.Fields(c.args)
				for i := range args {
					args[i] = strings.ReplaceAll(args[i], "~", " ")
				}
				var terminal bytes.Buffer // which shows what is typed, too
				typed := io.TeeReader(strings.NewReader(c.stdin), &terminal)
				code := command.Run(t.Context(), "txcache-sql", args, command.Terminal{In: typed, Out: &terminal, Messages: &terminal, Asks: c.stdin != ""})
				if code != c.code {
					t.Errorf("exit code %d, expected %d", code, c.code)
				}
				if !c.postgres || e.dialect == "postgres" {
					goldentest.Compare(t, folder, c.name, "txcache-sql", args, terminal.String(), code)
				}
			})
		}
	})
}

// What the command does is seen by a transaction that begins then, in another process.
func TestEffectiveAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *engine) {
		e.configure(t)
		s := serve(t)
		if err := s.Clear(t.Context(), "shop", "users"); err != nil {
			t.Fatal(err)
		}
		for _, change := range []struct {
			line        string
			first, next bool // the users 1 and 2 are loaded again
		}{
			{"clear shop users", true, true},
			{"clear shop --all", true, true},
			{"delete shop users i64.1", true, false},
			{"clear-tags shop user:1", true, true}, // the second is not promised to stay
			{"drop shop --yes", true, true},
			{"databases", false, false},
			{"caches shop", false, false},
			{"check", false, false},
		} {
			for _, key := range []int64{1, 2} {
				s.loaded(t, key)
				if s.loaded(t, key) {
					t.Fatalf("before %s: the user %d is loaded twice", change.line, key)
				}
			}
			must(t, strings.Fields(change.line)...)
			if first, next := s.loaded(t, 1), s.loaded(t, 2); first != change.first || next != change.next && !strings.HasPrefix(change.line, "clear-tags") {
				t.Errorf("after %s: loaded %v and %v, expected %v and %v", change.line, first, next, change.first, change.next)
			}
		}
	})
}

// Names that the table has in another form are shown as they are.
func TestNames(t *testing.T) {
	e := sqlite(t)
	e.configure(t)
	s := serve(t)
	long := strings.Repeat("a long name ", 20)
	for _, name := range []string{"Ω 100%", "shop", long} {
		if err := s.Clear(t.Context(), name, "users"); err != nil {
			t.Fatal(err)
		}
	}
	out := must(t, "databases")
	for _, want := range []string{`"Ω 100%"`, "shop", "%sha256-"} {
		if !strings.Contains(out, want) {
			t.Errorf("databases prints\n%s\nwithout %s", out, want)
		}
	}
	must(t, "clear", long, "users")
	if out := must(t, "caches", long); !strings.Contains(out, "users") || !strings.Contains(out, "a long name") {
		t.Errorf("caches prints\n%s", out)
	}
	for line, want := range map[string]string{"caches Ω": `"Ω 100%"`, "caches ": "shop", "clear shop ": "users"} {
		got, _, code := run(t, "", append([]string{"__complete"}, strings.Split(line, " ")...)...)
		if quotes := strings.HasPrefix(want, `"`); code != 0 || strings.Contains(got, want) == quotes {
			t.Errorf("%q is completed with %q (exit code %d)", line, got, code)
		}
	}
}

// What a service has never used is refused, as it may be misspelt.
func TestMisspeltNamesAreNotKnown(t *testing.T) {
	e := sqlite(t)
	e.configure(t)
	serve(t).fill(t)
	before := must(t, "databases", "--json")
	for line, says := range map[string]string{
		"clear shpo users":     "did you mean shop?",
		"clear shpo --all":     "did you mean shop?",
		"clear nowhere --all":  "no database called nowhere is known",
		"clear shop lables":    "did you mean labels?",
		"delete shop prizes 1": "did you mean prices?",
		"delete shpo prices 1": "did you mean shop?",
		"clear-tags shpo a":    "did you mean shop?",
		"drop shpo --yes":      "did you mean shop?",
	} {
		expect(t, 1, says, line)
	}
	if after := must(t, "databases", "--json"); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	must(t, "clear", "shop", "uesrs", "--force")
	must(t, "clear", "shop", "uesrs") // known from now on
	must(t, "drop", "shpo", "--yes", "--force")
}

// Rows that cannot be read are told of, and drop repairs them.
func TestBadRows(t *testing.T) {
	e := sqlite(t)
	e.configure(t)
	serve(t).fill(t)
	e.exec(t, `INSERT INTO txcache_clear (database, token, n, clears) VALUES ('shop', 1, 1, 'nothing')`)
	for _, line := range []string{"databases", "caches shop"} {
		if out := must(t, strings.Fields(line)...); !strings.Contains(out, "private") {
			t.Errorf("%s prints\n%s", line, out)
		}
	}
	if _, messages, code := run(t, "", "check"); code != 1 || !strings.Contains(messages, "Of the rows of shop 1 cannot be read") {
		t.Errorf("check: exit code %d, messages %q", code, messages)
	}
	must(t, "drop", "shop", "--yes")
	if out := must(t, "check"); strings.Contains(out, "cannot be read") {
		t.Errorf("after a drop check prints\n%s", out)
	}
	e.exec(t, "DELETE FROM txcache_clear WHERE database = 'shop'")
	e.exec(t, `INSERT INTO txcache_clear (database, token, n, clears) VALUES ('shop', 1, 1, '["users"]')`)
	if out := must(t, "check"); !strings.Contains(out, "no epoch for shop") {
		t.Errorf("without an epoch check prints\n%s", out)
	}
	if out := must(t, "databases"); !strings.Contains(out, "private: no epoch") {
		t.Errorf("without an epoch databases prints\n%s", out)
	}
}
