package histories_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

// loadingWorld returns one where most is loaded, by many who want the same, and
// where what is loaded does not last.
func loadingWorld() history.World {
	return history.World{
		Servers: 4, Databases: []string{"a"}, Keys: []string{"k", "l"}, People: []history.Who{{}}, Open: 8,
		Caches: []history.CacheSpec{
			{Name: "leased", ContextFree: true, Lease: 10 * time.Millisecond, Verify: 0.2},
			{Name: "early", Table: 1, ContextFree: true, Duration: 500 * time.Microsecond, Jitter: 0.5, StaleFor: time.Hour, Refresh: true},
			{Name: "both", Table: 1, ContextFree: true, Duration: time.Millisecond, StaleFor: time.Hour, Refresh: true, Lease: 5 * time.Millisecond},
			{Name: "user", Tagged: true, Duration: time.Millisecond, StaleFor: time.Hour, Absent: 100 * time.Microsecond},
		},
	}
}

// However loaders fail, panic, take their time or lose their callers, whoever
// loads for whom, and whatever expires, is loaded again early, is absent or is
// old: no promise is violated. Each of that does happen.
func TestNoLoadViolatesAPromise(t *testing.T) {
	type site struct {
		name   string
		loads  loads
		open   func(t *testing.T) (history.Open, []history.Fault)
		bubble bool
	}
	factor := historyFactor(t)
	sites := []site{{"memory", loads{steps: factor * 40_000}, func(*testing.T) (history.Open, []history.Fault) { return subject.Memory(), nil }, false}}
	for _, a := range authorities {
		sites = append(sites, site{a.name, loads{steps: factor * 20_000, leases: a.remote},
			func(*testing.T) (history.Open, []history.Fault) { return subject.Faulty(a.remote, a.near) }, true})
	}
	for _, r := range redisSites[:2] {
		for _, near := range []bool{true, false} {
			sites = append(sites, site{r.name + ", " + nearName(near), loads{steps: 4000, leases: true, realTime: true}, func(t *testing.T) (history.Open, []history.Fault) {
				return subject.Redis(redisSettings(r.start(t), config.SyncBegin, near)), nil
			}, false})
		}
	}
	var mu sync.Mutex
	ran, sum := 0, map[string]uint64{}
	t.Cleanup(func() {
		for _, what := range []string{"Waited", "EarlyRefreshes", "ExpiredHits"} { // which is seldom, the last in real time
			if ran == len(sites) && sum[what] == 0 {
				t.Errorf("there were no %s", what)
			}
		}
	})
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			play := func(t *testing.T) {
				open, faults := s.open(t)
				counts := s.loads.check(t, open, faults)
				mu.Lock()
				defer mu.Unlock()
				ran++
				for what, n := range counts {
					sum[what] += n
				}
			}
			if s.bubble {
				synctest.Test(t, play)
			} else {
				play(t)
			}
		})
	}
}

// loads are histories of the loading world.
type loads struct {
	steps  int
	leases bool // there are some

	realTime bool // values expire when the machine gets there
}

// check plays them by both drivers, and returns what was counted. Of what is
// usual there must be some.
func (l loads) check(t *testing.T, open history.Open, faults []history.Fault) map[string]uint64 {
	t.Helper()
	h := histories{open: open, world: loadingWorld(), steps: l.steps, hits: 0.05}
	if h.world.Faults = faults; faults != nil {
		h.patience = unhurried
	}
	usual := []string{"LoadErrors", "AbsentHits", "Shared", "Verified"}
	if !l.realTime {
		usual = append(usual, "ExpiredHits")
	}
	sum := map[string]uint64{}
	for i, d := range drivers {
		if i == len(drivers)-1 { // not all of it comes up in each
			h.enough = func(r history.Report) bool { return len(missing(missing(usual, sum), r.Counts)) == 0 }
		}
		h.drive = d.drive
		for what, n := range h.check(t).Counts {
			sum[what] += n
		}
	}
	t.Log(sum)
	for _, what := range missing(usual, sum) {
		t.Errorf("there were no %s", what)
	}
	if got := sum["Leased"] > 0; got != l.leases {
		t.Errorf("%d keys were loaded under a lease", sum["Leased"])
	}
	// What package history is told of is judged there; a store that is opened by
	// its configuration only counts.
	if faults == nil && sum["Mismatches"] > 0 {
		t.Errorf("%d hits were believed to be stale although nobody forgot to clear", sum["Mismatches"])
	}
	return sum
}
