package txprometheus

import (
	"regexp"
	"strings"
	"testing"
)

// A reader of one help text sees no other, and no documentation: each says what is
// counted, of what, in which unit if that is no number, and when to worry.
func TestHelpStandsAlone(t *testing.T) {
	helps := map[string]string{}
	for _, m := range ofCache {
		helps[m.name] = m.help
	}
	for _, m := range ofStore {
		helps[m.name] = m.help
	}
	for _, m := range ofBackend {
		helps[m.name] = m.help
	}
	if len(helps) < 35 {
		t.Fatalf("there are only %d texts", len(helps))
	}
	verdict := regexp.MustCompile(`[.] (Worry [a-z]|No reason to worry[.;:]|More is better[;:])`)
	sentences := regexp.MustCompile(`^[A-Z1][^.]*[.] [A-Z][^.]*([.][A-Z][^.]*)?[.]$`)
	for name, help := range helps {
		whole := strings.NewReplacer("Store.Drop", "Store", "CacheOptions.Verify", "CacheOptions").Replace(help)
		if !sentences.MatchString(whole) || !verdict.MatchString(help) || len(help) > 300 {
			t.Errorf("%s: %q is not what is counted, and when to worry", name, help)
		}
		if regexp.MustCompile(`^(Those|These|They|It|Its|Others|The)\b`).MatchString(help) {
			t.Errorf("%s: %q begins with what another text would have to explain", name, help)
		}
		for _, m := range ofCache {
			if m.name == name && !strings.Contains(help, " cache") {
				t.Errorf("%s: %q does not say that it is of a cache", name, help)
			}
		}
		if timed := strings.Contains(name, "second") || strings.Contains(name, "time") || strings.Contains(name, "staleness"); timed && !strings.Contains(strings.ToLower(help), "seconds") {
			t.Errorf("%s: %q does not name its unit", name, help)
		}
	}
}
