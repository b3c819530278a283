package loads_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A verification is a store with a cache that verifies every hit, and what
// OnStale was told.
type verification struct {
	*txcache.Store
	c   *txcache.Cache[string, int]
	hit []txcache.StaleHit
	log bytes.Buffer
}

func verifying(t *testing.T, s storetest.Setup) *verification {
	v := &verification{}
	v.Store = s.Open(t, 1, txcache.Options{
		OnStale: func(_ context.Context, hit txcache.StaleHit) { v.hit = append(v.hit, hit) },
		Logger:  slog.New(slog.NewTextHandler(&v.log, nil)),
	})[0]
	v.c = storetest.NewCache[string, int](t, v.Store, "prices", txcache.CacheOptions{Verify: 1})
	return v
}

// quiet fails the test if any hit was reported.
func (v *verification) quiet(t *testing.T, verified uint64) {
	t.Helper()
	if s := v.c.Stats(); s.Verified != verified || s.Mismatches != 0 {
		t.Errorf("%d hits verified, %d mismatches; want %d and none", s.Verified, s.Mismatches, verified)
	}
	if len(v.hit) > 0 || v.log.Len() > 0 {
		t.Errorf("reported %+v\n%s", v.hit, v.log.String())
	}
}

func TestVerifyFindsAForgottenClear(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		v := verifying(t, s)
		storetest.Publish(t, v.Store, "shop", v.c, "a secret key", 4711)
		v.quiet(t, 0)
		for range 2 { // the second time there is nothing to find any more
			tx := storetest.BeginReadOnly(t, v.Store, "shop")
			if got, err := v.c.Load(t.Context(), tx, "a secret key", storetest.Constant(4712, nil)); got != 4712 || err != nil {
				t.Errorf("Load = %d, %v; want what was loaded", got, err)
			}
			storetest.Commit(t, tx)
		}
		want := txcache.StaleHit{Database: "shop", Cache: "prices", Key: "a secret key", Cached: 4711, Loaded: 4712}
		if len(v.hit) != 1 || v.hit[0] != want {
			t.Errorf("OnStale got %+v; want %+v, once", v.hit, want)
		}
		if s := v.c.Stats(); s.Hits != 2 || s.Verified != 2 || s.Mismatches != 1 || s.Loads != 2 {
			t.Errorf("Stats = %+v; want 2 hits, verified by 2 loads, and 1 mismatch", s)
		}
		log := v.log.String()
		if strings.Count(log, "stale hit") != 1 || !strings.Contains(log, "prices") || strings.Contains(log, "secret") || strings.Contains(log, "471") {
			t.Errorf("the log has %q; want the cache once, and neither key nor value", log)
		}
	})
}

// A difference that a clear explains is none: the transaction began before it.
func TestVerifyComparesHitsOfLoadMany(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		v := verifying(t, s)
		storetest.Publish(t, v.Store, "shop", v.c, "a", 1)
		tx := storetest.BeginReadOnly(t, v.Store, "shop")
		defer tx.Rollback()
		got, err := v.c.LoadMany(t.Context(), tx, []string{"a"}, func(context.Context, []string) (map[string]int, error) { return map[string]int{"a": 2}, nil })
		if got["a"] != 2 || err != nil || len(v.hit) != 1 || v.hit[0].Cached != 1 {
			t.Errorf("LoadMany = %v, %v, and OnStale got %+v; want what was loaded, and one report", got, err, v.hit)
		}
	})
}

func TestVerifyKnowsClears(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, when := range []string{"committed", "committing", "dropped"} {
			t.Run(when, func(t *testing.T) {
				v := verifying(t, s)
				storetest.Publish(t, v.Store, "shop", v.c, "pen", 1)
				reader := storetest.BeginReadOnly(t, v.Store, "shop")
				read := func() {
					if got, err := v.c.Load(t.Context(), reader, "pen", storetest.Constant(2, nil)); err != nil {
						t.Errorf("Load = %d, %v", got, err)
					}
				}
				// It has the hit when it asks its loader.
				_, err := v.c.Load(t.Context(), reader, "pen", func(context.Context) (int, error) {
					switch when {
					case "committed":
						publishClear(t, v.Store, v.c, func() {})
					case "committing":
						publishClear(t, v.Store, v.c, read)
					case "dropped":
						if err := v.Drop(t.Context(), "shop"); err != nil {
							t.Error(err)
						}
					}
					return 2, nil
				})
				if err != nil {
					t.Error(err)
				}
				v.quiet(t, 1)
			})
		}
	})
}

// publishClear commits a clear in which the database's commit is a function.
func publishClear(t *testing.T, s *txcache.Store, c *txcache.Cache[string, int], database func()) {
	t.Helper()
	tx := storetest.Begin(t, s, "shop")
	storetest.Clear(t, tx, c)
	if err := tx.CommitWith(t.Context(), func(context.Context) error { database(); return nil }); err != nil {
		t.Error(err)
	}
}

// Another server's clear, which this one has not heard of, explains a
// difference too.
func TestVerifyKnowsClearsOfOthers(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, poll := range []time.Duration{0, time.Hour} {
			stale := 0
			servers := s.Open(t, 2, txcache.Options{Poll: poll, OnStale: func(context.Context, txcache.StaleHit) { stale++ }, Logger: storetest.Silent})
			mine := storetest.NewCache[string, int](t, servers[0], "prices", txcache.CacheOptions{Verify: 1})
			others := storetest.NewCache[string, int](t, servers[1], "prices", txcache.CacheOptions{})
			storetest.Publish(t, servers[0], "shop", mine, "pen", 1)
			reader := storetest.BeginReadOnly(t, servers[0], "shop")
			publishClear(t, servers[1], others, func() {})
			if got, err := mine.Load(t.Context(), reader, "pen", storetest.Constant(2, nil)); got != 1 || err != nil {
				t.Errorf("Load = %d, %v; want the hit", got, err)
			}
			if s := mine.Stats(); s.Verified != 1 || s.Mismatches != 0 || stale != 0 {
				t.Errorf("Stats = %+v, OnStale called %d times; want one hit verified and found good", s, stale)
			}
		}
	})
}

func TestVerifyReturnsTheHit(t *testing.T) {
	failure := errors.New("no such row")
	for name, test := range map[string]struct {
		readOnly bool
		load     func(context.Context) (int, error)
		loads    uint64
		verified uint64
	}{
		"if it is good":                  {true, storetest.Constant(1, nil), 1, 1},
		"if the loader fails":            {true, storetest.Constant(0, failure), 1, 0},
		"in a read-write transaction":    {false, storetest.Constant(2, nil), 0, 0},
		"without asking a loader of nil": {false, nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := verifying(t, storetest.Setups[0])
			storetest.Publish(t, v.Store, "shop", v.c, "pen", 1)
			tx := storetest.Begin(t, v.Store, "shop")
			if test.readOnly {
				tx = storetest.BeginReadOnly(t, v.Store, "shop")
			}
			if got, err := v.c.Load(t.Context(), tx, "pen", test.load); got != 1 || err != nil {
				t.Errorf("Load = %d, %v; want the hit", got, err)
			}
			if loads := v.c.Stats().Loads; loads != test.loads {
				t.Errorf("%d loads; want %d", loads, test.loads)
			}
			v.quiet(t, test.verified)
		})
	}
}

// Without the backend nobody knows whether a difference is explained.
func TestVerifyDuringAnOutage(t *testing.T) {
	b := storetest.NewOutage()
	stale := 0
	store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent, OnStale: func(context.Context, txcache.StaleHit) { stale++ }})
	c := storetest.NewCache[string, int](t, store, "prices", txcache.CacheOptions{Verify: 1})
	storetest.Publish(t, store, "shop", c, "pen", 1)
	tx := storetest.BeginReadOnly(t, store, "shop")
	b.SetDown(true)
	if got, err := c.Load(t.Context(), tx, "pen", storetest.Constant(2, nil)); got != 1 || err != nil {
		t.Errorf("Load = %d, %v; want the hit", got, err)
	}
	if s := c.Stats(); s.Verified != 1 || s.Mismatches != 0 || stale != 0 {
		t.Errorf("Stats = %+v, OnStale called %d times; want one hit verified, and nothing said of it", s, stale)
	}
}

// What only looks different, because one value has been kept outside of the
// process, is the same.
func TestVerifyComparesWhatValuesMean(t *testing.T) {
	type row struct {
		At   time.Time
		Tags map[string]int
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("far", 3600))
	loaded := row{at, map[string]int{"a": 1, "b": 2}}
	v := verifying(t, storetest.Setups[0])
	c := storetest.NewCache[string, row](t, v.Store, "rows", txcache.CacheOptions{Verify: 1})
	storetest.Publish(t, v.Store, "shop", c, "x", row{at.UTC(), map[string]int{"b": 2, "a": 1}})
	if _, err := c.Load(t.Context(), storetest.BeginReadOnly(t, v.Store, "shop"), "x", func(context.Context) (row, error) { return loaded, nil }); err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s.Verified != 1 || s.Mismatches != 0 {
		t.Errorf("Stats = %+v; want one hit verified and found good", s)
	}

	functions := storetest.NewCache[string, func()](t, v.Store, "functions", txcache.CacheOptions{Verify: 1}) // no encoding, never equal
	storetest.Publish(t, v.Store, "shop", functions, "x", func() {})
	if _, err := functions.Load(t.Context(), storetest.BeginReadOnly(t, v.Store, "shop"), "x", func(context.Context) (func(), error) { return func() {}, nil }); err != nil {
		t.Error(err)
	}
	if s := functions.Stats(); s.Mismatches != 1 {
		t.Errorf("Stats = %+v; want a mismatch", s)
	}
}

func TestVerifyTakesAShare(t *testing.T) {
	for _, share := range []float64{0, 0.25, 1} {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "prices", txcache.CacheOptions{Verify: share})
		storetest.Publish(t, store, "shop", c, "pen", 1)
		tx := storetest.BeginReadOnly(t, store, "shop")
		const hits = 10_000
		for range hits {
			if got, err := c.Load(t.Context(), tx, "pen", storetest.Constant(1, nil)); got != 1 || err != nil {
				t.Fatalf("Load = %d, %v; want the hit", got, err)
			}
		}
		// Eight standard deviations of a binomial distribution.
		want, margin := share*hits, 8*math.Sqrt(hits*share*(1-share))
		if got := float64(c.Stats().Verified); math.Abs(got-want) > margin {
			t.Errorf("Verify %v: %v of %d hits verified", share, got, hits)
		}
	}
}
