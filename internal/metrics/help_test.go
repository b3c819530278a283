package metrics

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

// A reader of one text sees no other, and no documentation. Each must say what is
// counted, of what, in which unit if that is no number, and when to worry.
func TestHelpStandsAlone(t *testing.T) {
	if n := len(All()); n < 40 {
		t.Fatalf("there are only %d metrics", n)
	}
	for _, m := range All() {
		if !sentences.MatchString(names.Replace(m.Help)) || !verdict.MatchString(m.Help) || len(m.Help) > 300 {
			t.Errorf("%s: %q is not what is counted, and when to worry", m.Prometheus+m.OpenTelemetry, m.Help)
		}
		if dangling.MatchString(m.Help) {
			t.Errorf("%s: %q begins with what another text would have to explain", m.Prometheus+m.OpenTelemetry, m.Help)
		}
		if m.Unit == "s" && !strings.Contains(strings.ToLower(m.Help), "seconds") {
			t.Errorf("%s%s: %q does not name its unit", m.Prometheus, m.Prometheus+m.OpenTelemetry, m.Help)
		}
		if m.PerCache() && !strings.Contains(m.Help, " cache") {
			t.Errorf("%s: %q does not say that it is of a cache", m.Prometheus+m.OpenTelemetry, m.Help)
		}
	}
}
