package debugpage

import (
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

func TestP99IsWhatAllButOneOfAHundredTook(t *testing.T) {
	const second, last = 15, len(backend.Durations{}) - 1
	for _, c := range []struct {
		of   backend.Durations
		want float64 // seconds, 0 if it is not told
	}{
		{backend.Durations{}, 0},
		{backend.Durations{second: 1}, 1},
		{backend.Durations{second: 99, second + 1: 1}, 1},
		{backend.Durations{second: 98, second + 1: 2}, 2},
		{backend.Durations{second: 98, second + 1: 1, last: 1}, 2},
		{backend.Durations{second: 198, last: 2}, 1},
		{backend.Durations{second: 98, last: 2}, 0},
		{backend.Durations{last: 1}, 0},
	} {
		switch got := p99(c.of); {
		case got == nil && c.want != 0, got != nil && *got != c.want:
			t.Errorf("of %v: %v, want %v", c.of, got, c.want)
		}
	}
}

func TestTheTotalHasAllDurations(t *testing.T) {
	one := txcache.Stats{LoadDurations: backend.Durations{3: 1}}
	if got := sum([]txcache.Stats{one, one}).LoadDurations; got[3] != 2 || got.Total() != 2 {
		t.Errorf("%v, want two at 3", got)
	}
}
