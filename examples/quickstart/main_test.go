package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
)

// tour runs the program and returns its exit code and what it printed.
func tour(ctx context.Context, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(ctx, args, &o, &e)
	return code, o.String(), e.String()
}

// configure writes a configuration for the class, which the test has for
// itself, and returns its path.
func configure(t *testing.T, class, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "txcache.toml")
	text := fmt.Sprintf("[cache]\nclass = %q\nprefix = %q\n%s\n", class, t.Name(), more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// squeeze takes the dots out of a line, so that tests need not count them.
func squeeze(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\n' })
		for i := len(fields) - 1; i >= 0; i-- {
			if strings.Trim(fields[i], ".") == "" {
				fields[i] = ":"
			}
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	return strings.Join(lines, "\n")
}

// told are lines that every tour prints, in this order.
var told = []string{
	"1. Private until commit",
	"A sets pen = 250",
	"✓ A looks for pen : 250",
	"✓ B looks for pen : nothing",
	"A commits",
	"✓ B looks for pen : 250",
	"2. A clear is part of the commit",
	"✓ B reads book : 10 from the cache",
	"✓ before the database does, B reads book : 10 from the database",
	"✓ after that, B reads book : 12 from the database",
	"✓ B reads book : 12 from the cache",
	"3. A rollback leaves no trace",
	"A rolls back",
	"✓ B reads book : 12 from the cache",
	"4. An old transaction cannot refill",
	"✓ B, as it began before, reads lamp : 30 from the database",
	"✓ A reads lamp : 35 from the database",
	"✓ B reads lamp : 35 from the cache",
	"5. User contexts",
	"✓ B reads the greeting in en : good morning from the cache",
	"✓ B reads the greeting in fr : bonjour from the cache",
	"6. Savepoints",
	"✓ B looks for ink : 20",
	"✓ B reads the greeting in fr : bonjour from the cache",
	"7. One query for a thousand requests",
	"✓ requests that got atlas = 80 : 1000",
	"✓ queries made : 1",
	"8. A database is an island",
	"✓ B reads lamp : 35 from the database",
	"✓ B reads book of the neighbour : 12 from the cache",
	"9. Statistics",
	"server cache hits misses loads shared clears values",
	"✓ loads of prices : 10",
}

func TestTour(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		says []string // besides
	}{
		{"in memory", nil, []string{"the servers share them"}},
		{"from a file in memory", []string{"-config", configure(t, "memory", "")}, []string{"the servers share them"}},
		{"over a shared backend", []string{"-config", configure(t, "shared", ""), "-follow", "0"},
			[]string{"the caches of both servers"}},
		{"with settings of another story", []string{"-config", configure(t, "shared", `sync = "1h"
context_ignored_keys = ["language"]
redis.near = false`), "-follow", "0"},
			[]string{`sync = "begin" in place of "1h"`, "ignores no context keys", "near = true"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errs := tour(t.Context(), test.args...)
			if code != 0 || errs != "" || strings.Contains(out, "✗") {
				t.Fatalf("exit code %d, errors %q, output\n%s", code, errs, out)
			}
			rest := squeeze(out)
			for _, line := range told {
				_, after, ok := strings.Cut(rest, line)
				if !ok {
					t.Fatalf("there is no %q, or not in its place, in\n%s", line, out)
				}
				rest = after
			}
			for _, text := range test.says {
				if !strings.Contains(out, text) {
					t.Errorf("there is no %q in\n%s", text, out)
				}
			}
		})
	}
}

// A backend that breaks its promises is found out.
func TestTourTellsWhatIsWrong(t *testing.T) {
	code, out, errs := tour(t.Context(), "-config", configure(t, "forgetful", ""), "-follow", "0")
	if code != 1 || !strings.Contains(errs, "observations were not as told") {
		t.Errorf("exit code %d, errors %q; want 1 and a count", code, errs)
	}
	if want := "✗ B reads book : 10 from the cache (should be: 12 from the database)"; !strings.Contains(squeeze(out), want) {
		t.Errorf("there is no %q in\n%s", want, out)
	}
}

func TestTourCannotBegin(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown flag", []string{"-colour"}, 2, "-colour"},
		{"argument", []string{"fast"}, 2, `unexpected argument "fast"`},
		{"no such file", []string{"-config", filepath.Join(t.TempDir(), "none.toml")}, 1, "none.toml"},
		{"unknown class", []string{"-config", configure(t, "unheard", "")}, 1, `unknown class "unheard"`},
		{"follow alone", []string{"-follow", "5s"}, 1, "needs a backend that processes share"},
		{"in a database", []string{"-config", configure(t, "sql", "sql.dialect = \"sqlite\"\nsql.dsn = \"shop.db\"")}, 1, "go -C examples/shop"},
		{"backend away", []string{"-config", configure(t, "away", "")}, 1, "backend is unavailable"},
		{"second store", []string{"-config", configure(t, "once", "")}, 1, "no second one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errs := tour(t.Context(), test.args...)
			if code != test.code || !strings.Contains(errs, test.want) {
				t.Errorf("exit code %d, errors %q; want %d and %q", code, errs, test.code, test.want)
			}
			if strings.Contains(out, "✓") {
				t.Errorf("it told\n%s", out)
			}
		})
	}
}

func TestTourLeavesNothing(t *testing.T) {
	if code, out, _ := tour(t.Context(), "-config", configure(t, "shared", ""), "-follow", "0"); code != 0 {
		t.Fatal(out)
	}
	if n := sharedBy(t.Name()).count(); n != 0 {
		t.Errorf("%d values are left in the backend", n)
	}
}

func TestInterruptedTour(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, _, errs := tour(ctx); code != 1 || !strings.Contains(errs, context.Canceled.Error()) {
		t.Errorf("exit code %d, errors %q; want 1 and the reason", code, errs)
	}
}

var errAway = errors.New("connection refused")

func init() {
	txcache.Register("shared", openShared)
	txcache.Register("forgetful", openForgetful)
	txcache.Register("away", openAway)
	txcache.Register("once", openOnce)
}
