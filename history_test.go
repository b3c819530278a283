package txcache_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

// historySeed returns the seed that TXCACHE_SEED gives, to play one history
// again, or a random one.
func historySeed(t *testing.T) uint64 {
	text := os.Getenv("TXCACHE_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("TXCACHE_SEED: %v", err)
	}
	return seed
}

// The promises P1 to P4 and P7 hold in every history; package history says how
// they are checked.
func TestNoHistoryViolatesAPromise(t *testing.T) {
	const fewestHits = 0.2 // of the look-ups; a third is usual
	for _, play := range []struct {
		name  string
		seed  uint64
		steps int
		drive history.Driver
	}{
		{"interleaved, fixed", 1, 60_000, history.Interleave},
		{"interleaved, random", historySeed(t), 120_000, history.Interleave},
		{"racing, random", historySeed(t), 20_000, history.Race},
	} {
		t.Run(play.name, func(t *testing.T) {
			t.Parallel()
			report, err := history.Check(t.Context(), subject.Memory(), history.Options{Seed: play.seed, Steps: play.steps, Driver: play.drive})
			if err != nil {
				t.Fatalf("to play it again: TXCACHE_SEED=<its seed> go test -run %s\n%v", t.Name(), err)
			}
			t.Logf("seed %d: %v", play.seed, report)
			if float64(report.Hits) < fewestHits*float64(report.Lookups) {
				t.Errorf("%d hits in %d look-ups; a cache that misses proves nothing", report.Hits, report.Lookups)
			}
		})
	}
}

// Where nothing stands in the way, what one transaction loaded the next one
// hits.
func TestQuietHistoriesHit(t *testing.T) {
	if _, err := history.Quiet(t.Context(), subject.Memory()); err != nil {
		t.Error(err)
	}
}
