package debugpage

import (
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// Every state that is not good says what follows from it; the others say nothing.
func TestStatesSayWhatFollows(t *testing.T) {
	for state, c := range map[string]struct {
		status txcache.Status
		says   string
	}{
		"Out of reach":  {txcache.Status{Backend: &backend.Stats{Open: true}, Waiting: 1}, "read the database"},
		"Clears wait":   {txcache.Status{Backend: &backend.Stats{}, Waiting: 2}, "Do not end the process"},
		"Not listening": {txcache.Status{Backend: &backend.Stats{Staleness: 1}}, "asks the backend"},
		"In reach":      {txcache.Status{Backend: &backend.Stats{}}, ""},
		"No counts":     {txcache.Status{}, ""},
	} {
		v := newStatus(c.status).Verdict()
		if v.State != state || !strings.Contains(v.Follows, c.says) || (v.Follows == "") != (v.Tone == "good") {
			t.Errorf("%s: %q, tone %s, says %q", state, v.State, v.Tone, v.Follows)
		}
	}
}
