package histories_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

// authorities are the kinds of faulty authorities within the process.
var authorities = []struct {
	name         string
	remote, near bool
}{
	{"generations", false, true},
	{"generations and values, near", true, true},
	{"generations and values", true, false},
}

// unhurried is for histories in a bubble, whose time flies.
const unhurried = 1e6 * time.Hour

// Whatever becomes of the calls to an authority, and of what it knows, it costs
// hits, or has a commit refused, and no more.
func TestNoFaultOfAnAuthorityViolatesAPromise(t *testing.T) {
	factor := historyFactor(t)
	for _, a := range authorities {
		for _, d := range drivers {
			for _, world := range []history.World{history.DefaultWorld(), smallWorld()} {
				t.Run(fmt.Sprintf("%s/%s/%d caches", a.name, d.name, len(world.Caches)), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						open, faults := subject.Faulty(a.remote, a.near)
						world.Faults = faults
						histories{open: open, world: world, drive: d.drive, steps: factor * 15_000, patience: unhurried}.check(t)
					})
				})
			}
		}
	}
}

// smallWorld returns one where in the moment of a fault many are there.
func smallWorld() history.World {
	return history.World{
		Databases: []string{"a"}, Keys: []string{"k", "l"}, People: []history.Who{{}},
		Caches: []history.CacheSpec{{Name: "b", ContextFree: true}, {Name: "warm", Table: 1, ContextFree: true, Tagged: true, Warm: true},
			{Name: "loaded", ContextFree: true, Tagged: true, Lease: 5 * time.Millisecond, Verify: 0.2},
			{Name: "early", Table: 1, ContextFree: true, Lease: 5 * time.Millisecond, Duration: 10 * time.Millisecond, Jitter: 0.5, StaleFor: time.Hour, Refresh: true},
		},
	}
}

// After each of these faults the caches are in use again within a few leases:
// one for a fence that lost its owner, and what the next try takes by then.
func TestCachesAreUsedAgainAfterEachFaultOfAnAuthority(t *testing.T) {
	for _, a := range authorities {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open, faults := subject.Faulty(a.remote, a.near)
				longest, fault, err := history.Recover(t.Context(), open, history.World{Faults: faults}, 3*subject.Lease)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("the longest took %v: %s", longest, fault)
			})
		})
	}
}
