package histories_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// historyFactor returns by how much longer than usual histories are played that
// need no server: what TXCACHE_HISTORY says, 1 without it.
func historyFactor(t *testing.T) int {
	text := os.Getenv("TXCACHE_HISTORY")
	if text == "" {
		return 1
	}
	factor, err := strconv.Atoi(text)
	if err != nil || factor < 1 {
		t.Fatalf("TXCACHE_HISTORY is %q, want a number of times", text)
	}
	return factor
}

// checked are the hits of all histories so far, and those in worlds with faults.
var checked, checkedWithFaults atomic.Int64

// histories are histories of one kind.
type histories struct {
	open     history.Open
	seed     uint64 // that of the environment, or a random one
	world    history.World
	steps    int // 2500
	length   int // the default of package history
	drive    history.Driver
	hits     float64 // at least, of the look-ups; 0.15
	enough   func(history.Report) bool
	patience time.Duration // the default of package history
}

// check plays histories. Each test has servers of its own, so that it can be
// played again alone.
func (h histories) check(t *testing.T) history.Report {
	t.Helper()
	if h.steps == 0 {
		h.steps = 2500
	}
	if h.hits == 0 {
		h.hits = 0.15
	}
	if h.seed == 0 {
		h.seed = storetest.Seed(t)
	}
	report, err := history.Check(t.Context(), h.open, history.Options{
		Seed: h.seed, Steps: h.steps, Length: h.length, World: h.world, Driver: h.drive, Patience: h.patience, Enough: h.enough,
	})
	if err != nil {
		t.Fatalf("to play it again: TXCACHE_SEED=<its seed> go test -run '%s' ./acceptance/histories\n%v", t.Name(), err)
	}
	withFaults := int64(0)
	if len(h.world.Faults) > 0 {
		withFaults = int64(report.Hits)
	}
	t.Logf("seed %d: %v; so far %d hits altogether, %d of them with faults", h.seed, report,
		checked.Add(int64(report.Hits)), checkedWithFaults.Add(withFaults))
	// A share says something only of many look-ups; of few, some must hit.
	if report.Hits == 0 || report.Lookups >= 500 && float64(report.Hits) < h.hits*float64(report.Lookups) {
		t.Errorf("seed %d: %d hits in %d look-ups; a cache that misses proves nothing", h.seed, report.Hits, report.Lookups)
	}
	return report
}

var drivers = []struct {
	name  string
	drive history.Driver
}{{"interleaved", history.Interleave}, {"racing", history.Race}}

// The promises P1 to P4 and P7 hold in every history, and P12 where transactions are enlisted
// in those of the database; package history says how they are checked.
func TestNoHistoryViolatesAPromise(t *testing.T) {
	const fewestHits = 0.1 // a sixth to a fourth is usual
	deletes := []string{"Deletes", "Deleted"}
	left := append([]string{"Left"}, deletes...)
	floors := append([]string{"Floored", "Floors"}, deletes...)
	factor := historyFactor(t)
	const many = 200_000 // steps: values leave with their databases, so a look-up seldom finds what was deleted
	type play struct {
		name  string
		open  history.Open
		seed  uint64
		steps int
		drive history.Driver
		does  []string // counts of what must have come up
		world history.World
	}
	plays := []play{
		{"interleaved, fixed", subject.Memory(), 1, 60_000, history.Interleave, deletes, history.World{}},
		{"interleaved, random", subject.Memory(), 0, factor * 50_000, history.Interleave, deletes, history.World{}},
		{"racing, random", subject.Memory(), 0, factor * 200_000, history.Race, deletes, history.World{}},
		{"floors, interleaved", subject.Forgetful(), 0, factor * 30_000, history.Interleave, floors, history.World{}},
		{"floors, racing", subject.Forgetful(), 0, factor * 30_000, history.Race, floors, history.World{}},
		{"databases leave, interleaved", subject.Scarce(), 0, max(many, factor*50_000), history.Interleave, left, manyDatabases()},
		{"databases leave, racing", subject.Scarce(), 0, max(many, factor*100_000), history.Race, left, manyDatabases()},
		{"values, interleaved", overValues(false), 0, factor * 30_000, history.Interleave, deletes, history.World{}},
		{"values without near, interleaved", overValues(true), 0, factor * 30_000, history.Interleave, deletes, history.World{}},
		{"values without near, racing", overValues(true), 0, factor * 30_000, history.Race, deletes, history.World{}},
	}
	enlist := func(name string, world history.World, remote, near, faulty bool) {
		for _, d := range drivers {
			open, faults := subject.Enlisted(remote, near)
			if world.Behind = 10; faulty {
				world.Faults = faults
			}
			plays = append(plays, play{"enlisted, " + name + ", " + d.name, open, 0, factor * 15_000, d.drive, deletes, world})
		}
	}
	enlist("near", history.DefaultWorld(), false, true, true)
	enlist("near and remote", history.DefaultWorld(), true, true, true)
	enlist("remote", history.DefaultWorld(), true, false, true)
	enlist("no faults", history.DefaultWorld(), true, true, false)
	enlist("crowded", history.CrowdedWorld(), false, true, true)
	enlist("crowded, remote", history.CrowdedWorld(), true, true, true)
	for _, play := range plays {
		t.Run(play.name, func(t *testing.T) {
			t.Parallel()
			enough := func(report history.Report) bool { return len(missing(play.does, report.Counts)) == 0 }
			report := histories{open: play.open, seed: play.seed, steps: play.steps, drive: play.drive, hits: fewestHits, world: play.world, enough: enough}.check(t)
			if exact := play.world.Behind > 0; exact != (report.Exact > 0) {
				t.Errorf("%d hits were compared with the transaction's own snapshot", report.Exact) // P12
			}
			for _, what := range missing(play.does, report.Counts) {
				t.Errorf("%s: none, so nothing was shown of them: %v", what, report.Counts)
			}
		})
	}
}

// missing returns those of which none was counted.
func missing(of []string, counts map[string]uint64) []string {
	return slices.DeleteFunc(slices.Clone(of), func(what string) bool { return counts[what] > 0 })
}

// manyDatabases is a world in which not all databases are in use at once.
func manyDatabases() history.World {
	world := history.DefaultWorld()
	world.Databases = []string{"a", "a:b", "b", "c"}
	return world
}

// overValues opens stores over a backend in the process that keeps values.
func overValues(noNear bool) history.Open {
	return subject.Of(func(_ context.Context, servers int) ([]*txcache.Store, error) {
		values := storetest.NewValues()
		stores := make([]*txcache.Store, servers)
		for i := range stores {
			o := subject.Options()
			o.NoNear = noNear
			var err error
			if stores[i], err = txcache.New(storetest.Shared(values), o); err != nil {
				return nil, err
			}
		}
		return stores, nil
	})
}

// P11: a clear, a delete or a tag takes away nothing else. What a transaction has hit, a
// later one on the same server hits again, unless that, its cache or one of its tags
// was cleared meanwhile.
func TestNoHistoryLosesWhatNobodyTookAway(t *testing.T) {
	factor := historyFactor(t)
	for name, open := range map[string]history.Open{"memory": subject.Memory(), "values": overValues(false)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enough := func(report history.Report) bool { return report.Demanded >= 100 }
			report := histories{open: open, world: history.World{Kept: true}, steps: factor * 60_000, enough: enough}.check(t)
			t.Logf("%d hits were demanded", report.Demanded)
			if !enough(report) {
				t.Errorf("%d hits were demanded, so nothing was shown", report.Demanded)
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
