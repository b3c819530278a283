package histories_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// terms are for how long a server uses a state in these histories: for about as long as a transaction
// takes, and for much longer.
var terms = []time.Duration{5 * time.Millisecond, 200 * time.Millisecond}

// fewest is the least share of hits: a sixth is usual where changes wait for members that do not hear.
const fewest = 0.08

// A termCount counts what terms were good for in the histories of a test.
type termCount struct{ begins, unasked, waits atomic.Uint64 }

// counted returns one that fails the test if terms did not matter.
func counted(t *testing.T) *termCount {
	c := &termCount{}
	t.Cleanup(func() {
		t.Logf("%d of %d begins were served without a question, %d changes waited", c.unasked.Load(), c.begins.Load(), c.waits.Load())
		if c.begins.Load() > 0 && (c.unasked.Load() == 0 || c.waits.Load() == 0) {
			t.Error("that shows nothing of terms")
		}
	})
	return c
}

// check checks histories, and counts.
func (c *termCount) check(t *testing.T, h histories) {
	t.Helper()
	counts := h.check(t).Counts
	c.begins.Add(counts["Begins"])
	c.unasked.Add(counts["Unasked"])
	c.waits.Add(counts["Waits"])
}

// Servers that use a state for a term whenever they can violate no promise: nothing is late,
// not even if what is announced is lost.
func TestNoHistoryOfTermsViolatesAPromise(t *testing.T) {
	onEachServer(t, func(t *testing.T, addr string) {
		c := counted(t)
		for _, near := range []bool{true, false} {
			for _, driver := range drivers {
				for name, lose := range map[string]int{"": 0, "/deaf": 1, "/hard of hearing": 2, "/fences alone": subject.FencesAlone} {
					for _, term := range terms {
						t.Run(nearName(near)+"/"+driver.name+name+"/"+term.String(), func(t *testing.T) {
							open := subject.Eager([]string{addr}, near, 5*time.Second, term, lose)
							c.check(t, histories{open: open, world: history.World{Servers: 3}, drive: driver.drive, steps: 1000, hits: fewest})
						})
					}
				}
			}
		}
	})
}

func TestNoFaultBesideTermsViolatesAPromise(t *testing.T) {
	storetest.Slow(t)
	t.Parallel()
	c := counted(t)
	for _, driver := range drivers {
		for _, term := range terms {
			t.Run(driver.name+"/"+term.String(), func(t *testing.T) {
				t.Parallel()
				world, uris := redisTrouble(t, 2, shortly, long)
				for i, uri := range uris {
					uris[i] = strings.TrimSuffix(strings.TrimPrefix(uri, "redis://"), "/0")
				}
				c.check(t, amidFaults(t, subject.Eager(uris, true, 400*time.Millisecond, term, 0), world, driver.drive))
			})
		}
	}
}
