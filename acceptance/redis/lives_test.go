package redis_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// setFor sets a value that lives for so long, in a cache that a process has with these options.
func (b *bubble) setFor(t *testing.T, opts txcache.CacheOptions, life time.Duration) {
	s := b.store(t, redisbackend.Options{}, txcache.Options{})
	tx := storetest.BeginReadOnly(t, s, "db")
	storetest.NewCache[string, int](t, s, "c", opts).SetFor(tx, "x", 1, life)
	storetest.Commit(t, tx)
}

// A value with a life of its own lives for that, whatever the clock of the process shows that has set it,
// also where the cache has no Duration, so that readers do not know of lives before they meet one.
func TestNoOtherClockSaysHowLongALifeIs(t *testing.T) {
	const life = time.Minute
	for _, opts := range []txcache.CacheOptions{{}, {StaleFor: time.Hour}, {Duration: time.Second}, {Duration: time.Hour}, {Absent: time.Second}} {
		for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
			for _, near := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v ahead, Duration %v, StaleFor %v, Absent %v, near: %t", ahead, opts.Duration, opts.StaleFor, opts.Absent, near), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						b := newBubble(t)
						b.setFor(t, opts, life)
						set := time.Now()
						b.alter(func(data string, left time.Duration) (string, time.Duration) { return later(data, ahead), left })
						for _, at := range []time.Duration{0, life / 2, life - 2*time.Millisecond, life} {
							time.Sleep(time.Until(set.Add(at)))
							s := b.store(t, redisbackend.Options{}, txcache.Options{NoNear: !near})
							c := storetest.NewCache[string, int](t, s, "c", opts)
							tx := storetest.BeginReadOnly(t, s, "db")
							if _, ok := c.Get(t.Context(), tx, "x"); ok != (at < life) {
								t.Errorf("after %v it is there: %t", at, ok)
							}
							time.Sleep(time.Until(set.Add(life)))
							storetest.Miss(t, tx, c, "x", "it has expired since")
							set = time.Now() // another life
							b.setFor(t, opts, life)
							b.alter(func(data string, left time.Duration) (string, time.Duration) { return later(data, ahead), left })
						}
					})
				})
			}
		}
	}
}

// What stays on the server for longer than its own life is not believed.
func TestALifeThatStaysForTooLongIsAMiss(t *testing.T) {
	for _, opts := range []txcache.CacheOptions{{}, {Duration: time.Hour}, {StaleFor: time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t)
			b.setFor(t, opts, time.Minute)
			b.alter(func(data string, left time.Duration) (string, time.Duration) { return data, left + time.Second })
			s := b.store(t, redisbackend.Options{}, txcache.Options{})
			c := storetest.NewCache[string, int](t, s, "c", opts)
			storetest.Miss(t, storetest.BeginReadOnly(t, s, "db"), c, "x", "nobody has set it for so long")
		})
	}
}

// A cache pays for lives from when it meets the first: one round trip then, and a command more with each
// later one.
func TestWhatALifeCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.setFor(t, txcache.CacheOptions{}, time.Minute)
		s := b.store(t, redisbackend.Options{}, txcache.Options{NoNear: true})
		c := storetest.NewCache[string, int](t, s, "c", txcache.CacheOptions{})
		for i, want := range []struct{ roundTrips, commands uint64 }{{2, 3}, {1, 2}, {1, 2}} {
			tx := storetest.BeginReadOnly(t, s, "db")
			before := *s.Status().Backend
			storetest.Hit(t, tx, c, "x", 1, "it was set")
			after := *s.Status().Backend
			if r, n := after.RoundTrips-before.RoundTrips, after.Commands-before.Commands; r != want.roundTrips || n != want.commands {
				t.Errorf("look-up %d: %d round trips of %d commands; want %v", i, r, n, want)
			}
		}
	})
}
