package redis_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// alter changes each value that the server keeps, with its time to live.
func (b *bubble) alter(change func(data string, left time.Duration) (string, time.Duration)) {
	for _, key := range b.Keys() {
		data, err := b.Get(key)
		if err != nil || strings.HasSuffix(key, ":@") {
			continue
		}
		data, left := change(data, b.TTL(key))
		_ = b.Set(key, data)
		if left > 0 {
			b.SetTTL(key, left)
		}
	}
}

// later returns the envelope of a process whose clock is ahead by d.
func later(data string, d time.Duration) string {
	envelope := []byte(data)
	expires := int64(binary.BigEndian.Uint64(envelope[2:]))
	binary.BigEndian.PutUint64(envelope[2:], uint64(expires+int64(d)))
	return string(envelope)
}

// A value lives for its cache's Duration, in every process, whatever the clock of
// the one that has set it shows: no longer, and no shorter.
func TestNoOtherClockSaysHowLongAValueLives(t *testing.T) {
	const duration = time.Minute
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour, time.Second, -time.Second, 100_000 * time.Hour} {
		for _, staleFor := range []time.Duration{0, time.Hour} {
			for _, near := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v ahead, stale for %v, near: %t", ahead, staleFor, near), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						b := newBubble(t)
						opts := txcache.CacheOptions{Duration: duration, StaleFor: staleFor, Absent: duration}
						setter := b.store(t, redisbackend.Options{}, txcache.Options{})
						c := storetest.NewCache[string, int](t, setter, "c", opts)
						storetest.Publish(t, setter, "db", c, "x", 1)
						tx := storetest.Begin(t, setter, "db")
						c.SetAbsent(tx, "none")
						storetest.Commit(t, tx)
						set := time.Now()
						b.alter(func(data string, left time.Duration) (string, time.Duration) { return later(data, ahead), left })

						// Readers that meet the value at any age.
						var readers []*txcache.Cache[string, int]
						stores := map[*txcache.Cache[string, int]]*txcache.Store{}
						for _, at := range []time.Duration{0, duration / 2, duration - 10*time.Millisecond, duration - 2*time.Millisecond, duration, duration + time.Second} {
							time.Sleep(time.Until(set.Add(at)))
							s := b.store(t, redisbackend.Options{}, txcache.Options{NoNear: !near})
							r := storetest.NewCache[string, int](t, s, "c", opts)
							readers, stores[r] = append(readers, r), s
							for i, r := range readers {
								tx := storetest.BeginReadOnly(t, stores[r], "db")
								v, ok := r.Get(t.Context(), tx, "x")
								absent := r.Absent(t.Context(), tx, "none")
								many := r.GetMany(t.Context(), tx, []string{"x", "none", "other"})
								if want := at < duration; ok != want || ok && v != 1 || absent != want || (len(many) == 1) != want {
									t.Errorf("after %v reader %d finds %d, %t, %v, absence %t; want it to be there: %t", at, i, v, ok, many, absent, want)
								}
								tx.Rollback()
							}
						}
					})
				})
			}
		}
	}
}

// What stays on the server for longer than a value of the cache lives is not
// believed, and overwritten: the server's clock was set back, or another version of
// the program has set it.
func TestAValueThatStaysForTooLongIsAMiss(t *testing.T) {
	for _, c := range []struct {
		name  string
		stays time.Duration
		opts  txcache.CacheOptions
		key   string
	}{
		{"longer", time.Minute + time.Millisecond, txcache.CacheOptions{Duration: time.Minute}, "x"},
		{"a quarter of an hour longer", 16 * time.Minute, txcache.CacheOptions{Duration: time.Minute}, "x"},
		{"for ever", 0, txcache.CacheOptions{Duration: time.Minute}, "x"},
		{"longer, with StaleFor", 2*time.Minute + time.Millisecond, txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Minute}, "x"},
		{"an absence", 2 * time.Second, txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Minute, Absent: time.Second}, "none"},
		{"an absence, in a cache without Duration", 2 * time.Second, txcache.CacheOptions{Absent: time.Second}, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				var caches [3]*txcache.Cache[string, int]
				var stores [3]*txcache.Store
				for i := range caches {
					stores[i] = b.store(t, redisbackend.Options{}, txcache.Options{})
					caches[i] = storetest.NewCache[string, int](t, stores[i], "c", c.opts)
				}
				fill := func(i int) {
					tx := storetest.Begin(t, stores[i], "db")
					if c.key == "none" {
						caches[i].SetAbsent(tx, c.key)
					} else {
						caches[i].Set(tx, c.key, 1)
					}
					storetest.Commit(t, tx)
				}
				known := func(i int) bool {
					tx := storetest.BeginReadOnly(t, stores[i], "db")
					defer tx.Rollback()
					_, ok := caches[i].Get(t.Context(), tx, c.key)
					return ok || caches[i].Absent(t.Context(), tx, c.key)
				}
				fill(0)
				b.alter(func(data string, left time.Duration) (string, time.Duration) {
					return later(data, 100*time.Hour), c.stays
				})
				if known(1) {
					t.Error("what stays for too long is believed")
				}
				fill(1)
				if !known(2) {
					t.Error("what was set anew is not")
				}
			})
		})
	}
}

// A process with a shorter Duration than the one that has set a value goes by its own.
func TestAProcessGoesByItsOwnDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		setter, reader := b.store(t, redisbackend.Options{}, txcache.Options{}), b.store(t, redisbackend.Options{}, txcache.Options{})
		for i, opts := range []txcache.CacheOptions{{Duration: time.Hour}, {}} {
			name := fmt.Sprint("c", i)
			c := storetest.NewCache[string, int](t, setter, name, opts)
			d := storetest.NewCache[string, int](t, reader, name, txcache.CacheOptions{Duration: time.Second})
			storetest.Publish(t, setter, "db", c, "x", 1)
			for range 20 {
				storetest.Miss(t, storetest.Begin(t, reader, "db"), d, "x", "it lives for longer than values of this process may")
				time.Sleep(100 * time.Millisecond)
			}
			storetest.Publish(t, reader, "db", d, "x", 2)
			storetest.Hit(t, storetest.Begin(t, reader, "db"), d, "x", 2, "it is its own")
			time.Sleep(time.Second)
			storetest.Miss(t, storetest.Begin(t, reader, "db"), d, "x", "it has expired")
		}
	})
}

// A backend that does not tell how old a value is: the setter's clock is all there
// is, but no process uses a value for longer than the cache's Duration.
func TestAValueOfUnknownAgeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		all := storetest.Stores(t, 2, txcache.Options{}, v)
		opts := txcache.CacheOptions{Duration: time.Second}
		c, d := storetest.NewCache[string, int](t, all[0], "c", opts), storetest.NewCache[string, int](t, all[1], "c", opts)
		storetest.Publish(t, all[0], "db", c, "x", 1)
		for key, kept := range v.Kept {
			v.Kept[key] = storetest.KeptValue{Data: []byte(later(string(kept.Data), time.Hour)), Expires: kept.Expires}
		}
		time.Sleep(900 * time.Millisecond)
		storetest.Hit(t, storetest.Begin(t, all[1], "db"), d, "x", 1, "the backend keeps it")
		time.Sleep(time.Second)
		storetest.Miss(t, storetest.Begin(t, all[1], "db"), d, "x", "it has been used for a second here")
	})
}

// A process that waits for a value which another process loads learns how long that
// value lives.
func TestAValueThatWasWaitedForLivesAsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		opts := txcache.CacheOptions{Duration: 10 * time.Second, Lease: time.Minute, StaleFor: time.Hour}
		var caches [2]*txcache.Cache[string, int]
		var loads atomic.Int32
		var loaded time.Time
		done := make(chan struct{})
		stores := [2]*txcache.Store{}
		for i := range caches {
			stores[i] = b.store(t, redisbackend.Options{}, txcache.Options{})
			caches[i] = storetest.NewCache[string, int](t, stores[i], "c", opts)
		}
		load := func(i int) {
			v, err := caches[i].Load(t.Context(), storetest.BeginReadOnly(t, stores[i], "db"), "x", func(context.Context) (int, error) {
				loads.Add(1)
				time.Sleep(5 * time.Second)
				loaded = time.Now()
				return 7, nil
			})
			if v != 7 || err != nil {
				t.Errorf("Load = %d, %v", v, err)
			}
		}
		go func() { defer close(done); load(0) }()
		time.Sleep(time.Second)
		load(1)
		<-done
		if n := loads.Load(); n != 1 || time.Since(loaded) > time.Second {
			t.Fatalf("%d loads; the second process had the value %v after it was loaded", n, time.Since(loaded))
		}
		time.Sleep(time.Until(loaded.Add(opts.Duration - 10*time.Millisecond)))
		storetest.Hit(t, storetest.BeginReadOnly(t, stores[1], "db"), caches[1], "x", 7, "it has not expired")
		time.Sleep(10 * time.Millisecond)
		storetest.Miss(t, storetest.BeginReadOnly(t, stores[1], "db"), caches[1], "x", "it has expired")
	})
}

// The time of a value costs no round trip, and where values live as long as the
// backend keeps them, no command either.
func TestWhatTheTimeOfAValueCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			opts     txcache.CacheOptions
			commands uint64
		}{{txcache.CacheOptions{}, 1}, {txcache.CacheOptions{Duration: time.Minute}, 2}} {
			b := newBubble(t)
			setter, reader := b.store(t, redisbackend.Options{}, txcache.Options{}), b.store(t, redisbackend.Options{}, txcache.Options{})
			storetest.Publish(t, setter, "db", storetest.NewCache[string, int](t, setter, "c", c.opts), "x", 1)
			r := storetest.NewCache[string, int](t, reader, "c", c.opts)
			tx := storetest.Begin(t, reader, "db")
			var before, after backend.Stats = *reader.Status().Backend, backend.Stats{}
			storetest.Hit(t, tx, r, "x", 1, "it was published")
			after = *reader.Status().Backend
			if after.RoundTrips-before.RoundTrips != 1 || after.Commands-before.Commands != c.commands {
				t.Errorf("with Duration %v a remote hit takes %d round trips of %d commands; want 1 of %d", c.opts.Duration, after.RoundTrips-before.RoundTrips, after.Commands-before.Commands, c.commands)
			}
		}
	})
}

// A load that fails puts what has expired back: for what it had left, so that no
// number of failures makes it last beyond StaleFor.
func TestFailedLoadsDoNotProlongWhatHasExpired(t *testing.T) {
	for _, size := range []int{1, 200_000} { // the latter is kept in parts
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t)
			opts := txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Minute, Lease: time.Second}
			s := b.store(t, redisbackend.Options{}, txcache.Options{NoNear: true})
			c := storetest.NewCache[string, string](t, s, "c", opts)
			storetest.Publish(t, s, "db", c, "x", strings.Repeat("v", size))
			set := time.Now()
			time.Sleep(opts.Duration)
			for time.Since(set) < 4*time.Minute {
				time.Sleep(5 * time.Second)
				tx := storetest.BeginReadOnly(t, s, "db")
				_, err := c.Load(t.Context(), tx, "x", func(context.Context) (string, error) { return "", errors.New("away") })
				tx.Rollback()
				if age := time.Since(set); (err == nil) != (age < opts.Duration+opts.StaleFor) {
					t.Fatalf("%d bytes: after %v: %v", size, age, err)
				}
			}
		})
	}
}
