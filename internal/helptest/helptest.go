// Package helptest checks the help texts of metrics, for tests of the packages
// that export them.
package helptest

import (
	"regexp"
	"strings"
	"testing"
)

var (
	verdict   = regexp.MustCompile(`[.] (Worry [a-z]|No reason to worry[.;:]|More is better[;:])`)
	sentences = regexp.MustCompile(`^[A-Z1][^.]*[.] [A-Z][^.]*([.][A-Z][^.]*)?[.]$`)
	dangling  = regexp.MustCompile(`^(Those|These|They|It|Its|Others|The)\b`)
	names     = strings.NewReplacer("Store.Drop", "Store", "CacheOptions.Verify", "CacheOptions") // whose dot ends no sentence
)

// StandAlone fails t unless each text can be read alone: a reader of one sees no
// other, and no documentation. Each must say what is counted, of what, in which
// unit if that is no number, and when to worry. The texts go by the names of the
// metrics; ofCache are those of one cache.
func StandAlone(t *testing.T, ofCache, others map[string]string) {
	t.Helper()
	if n := len(ofCache) + len(others); n < 35 {
		t.Fatalf("there are only %d texts", n)
	}
	for name, help := range ofCache {
		check(t, name, help)
		if !strings.Contains(help, " cache") {
			t.Errorf("%s: %q does not say that it is of a cache", name, help)
		}
	}
	for name, help := range others {
		check(t, name, help)
	}
}

func check(t *testing.T, name, help string) {
	t.Helper()
	if !sentences.MatchString(names.Replace(help)) || !verdict.MatchString(help) || len(help) > 300 {
		t.Errorf("%s: %q is not what is counted, and when to worry", name, help)
	}
	if dangling.MatchString(help) {
		t.Errorf("%s: %q begins with what another text would have to explain", name, help)
	}
	timed := strings.Contains(name, "second") || strings.Contains(name, "time") || strings.Contains(name, "staleness")
	if timed && !strings.Contains(strings.ToLower(help), "seconds") {
		t.Errorf("%s: %q does not name its unit", name, help)
	}
}
