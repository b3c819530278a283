package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var name = regexp.MustCompile(`This program is (\w+)\.`)

func TestToursSeeEachOthersCommits(t *testing.T) {
	path := configure(t, "shared", "")
	ledger := filepath.Join(t.TempDir(), "ledger")
	synctest.Test(t, func(t *testing.T) {
		var outs [2]string
		var both sync.WaitGroup
		for i := range outs {
			both.Go(func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				var code int
				var errs string
				code, outs[i], errs = tour(t.Context(), "-config", path, "-follow", "9500ms", "-ledger", ledger)
				if code != 0 || errs != "" {
					t.Errorf("exit code %d, errors %q", code, errs)
				}
			})
		}
		both.Wait()
		for i, out := range outs {
			other := name.FindStringSubmatch(outs[1-i])
			if other == nil {
				t.Fatalf("no name in\n%s", outs[1-i])
			}
			if n := strings.Count(out, "by "+other[1]+", from the database"); n < 4 {
				t.Errorf("a tour saw %d commits of the other, want 4 or more, in\n%s", n, out)
			}
			if n := strings.Count(out, "✓") - strings.Count(outs[1-i], "✓"); n != 0 {
				t.Errorf("the tours made different numbers of observations, by %d", n)
			}
		}
	})
}

func TestTourAloneRaisesTheCountByPatience(t *testing.T) {
	path := configure(t, "shared", "")
	ledger := filepath.Join(t.TempDir(), "ledger")
	synctest.Test(t, func(t *testing.T) {
		code, out, errs := tour(t.Context(), "-config", path, "-follow", "8500ms", "-ledger", ledger)
		if code != 0 || errs != "" {
			t.Fatalf("exit code %d, errors %q", code, errs)
		}
		rest := out
		for _, line := range []string{
			"0 by nobody yet, from the database",
			"1 by this program, from the database",
			"1 by this program, from the cache",
			"1 by this program, from the cache",
			"2 by this program, from the database",
		} {
			var ok bool
			if _, rest, ok = strings.Cut(rest, line); !ok {
				t.Fatalf("there is no %q, or not in its place, in\n%s", line, out)
			}
		}
	})
}

// Who commits and clears nothing is found out by those who follow.
func TestStaleCountIsToldAsWrong(t *testing.T) {
	path := configure(t, "forgetful", "")
	ledger := filepath.Join(t.TempDir(), "ledger")
	synctest.Test(t, func(t *testing.T) {
		_, out, _ := tour(t.Context(), "-config", path, "-follow", "2500ms", "-ledger", ledger)
		if want := "0 by nobody yet, from the cache (should be: at least 1)"; !strings.Contains(squeeze(out), want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	})
}

func TestLedgerThatCannotBe(t *testing.T) {
	path := configure(t, "shared", "")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := tour(t.Context(), "-config", path, "-follow", "1s", "-ledger", filepath.Join(file, "ledger"))
	if code != 1 || !strings.Contains(errs, "not a directory") {
		t.Errorf("exit code %d, errors %q; want 1 and the reason", code, errs)
	}
}
