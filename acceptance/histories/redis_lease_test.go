package histories_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// For how long a server uses a state in these histories. A long term lasts for many steps. Fences of
// keys do not end it, and where a server hears of nothing but fences, keys stay marked to its end.
const (
	shortTerm = 20 * time.Millisecond
	longTerm  = 200 * time.Millisecond
)

// Servers that use a state for a term whenever they can violate no promise: nothing is late,
// not even if what is announced is lost.
func TestNoHistoryOfTermsViolatesAPromise(t *testing.T) {
	onEachServer(t, func(t *testing.T, addr string) {
		for _, near := range []bool{true, false} {
			for _, driver := range drivers {
				for _, c := range []struct {
					name string
					term time.Duration
					lose int
				}{{"", shortTerm, 0}, {"/deaf", shortTerm, 1}, {"/hard of hearing", shortTerm, 2}, {"/long terms", longTerm, 0}, {"/fences alone", longTerm, subject.FencesAlone}} {
					t.Run(nearName(near)+"/"+driver.name+c.name, func(t *testing.T) {
						open := subject.Eager([]string{addr}, near, 5*time.Second, c.term, c.lose)
						histories{open: open, world: history.World{Servers: 3}, drive: driver.drive, steps: 1500}.check(t)
					})
				}
			}
		}
	})
}

func TestNoFaultBesideTermsViolatesAPromise(t *testing.T) {
	storetest.Slow(t)
	t.Parallel()
	for _, driver := range drivers {
		t.Run(driver.name, func(t *testing.T) {
			t.Parallel()
			world, uris := redisTrouble(t, 2, shortly, long)
			for i, uri := range uris {
				uris[i] = strings.TrimSuffix(strings.TrimPrefix(uri, "redis://"), "/0")
			}
			histories{
				open:     subject.Eager(uris, true, 400*time.Millisecond, shortTerm, 0),
				world:    world,
				drive:    driver.drive,
				steps:    1000 * min(5, historyFactor(t)),
				length:   500,
				hits:     0.05,
				patience: time.Minute,
			}.check(t)
		})
	}
}
