package workloads

import (
	"context"
	"strconv"

	"github.com/maypok86/otter/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// databases are transactions of one hit in turn in each of many databases,
// and the memory of a database with one value. Beside them is one otter with
// the database in its keys, which has no way to clear or drop one of them.
func databases(e Env) []measure.Pair {
	var pairs []measure.Pair
	for _, n := range []int{1, 1000, 100_000} {
		if n > 1 {
			n = e.size(n)
		}
		pairs = append(pairs, measure.Pair{
			Section: sectionDatabases, Name: "begin, a hit, commit in " + grouped(n) + " databases, beside a hit",
			Subject: inDatabases(n), Peer: inOneOtter(n),
		})
	}
	n := e.size(100_000)
	return append(pairs, measure.Pair{
		Section: sectionDatabases, Name: "a database with one value, of " + grouped(n), Unit: measure.Bytes, Rounds: 5,
		Subject: side("txcache", func(ctx context.Context) (*measure.Work, error) {
			return &measure.Work{Sample: func() (float64, error) {
				names := databaseNames(n)
				before := heap()
				store, _, err := openDatabases(ctx, names)
				if err != nil {
					return 0, err
				}
				after := heap()
				return (after - before) / float64(n), store.Close()
			}}, nil
		}),
		Peer: side("otter, an entry", func(context.Context) (*measure.Work, error) {
			return &measure.Work{Sample: func() (float64, error) {
				names := databaseNames(n)
				before := heap()
				c, err := openOneOtter(names)
				if err != nil {
					return 0, err
				}
				after := heap()
				c.StopAllGoroutines()
				return (after - before) / float64(n), nil
			}}, nil
		}),
	})
}

// databaseNames returns the names of n databases.
func databaseNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "shop" + strconv.Itoa(i)
	}
	return names
}

// openDatabases returns a cache that has one value in each database: its index,
// under the key "currency".
func openDatabases(ctx context.Context, names []string) (*txcache.Store, *txcache.Cache[string, int], error) {
	store, err := txcache.New(memorybackend.New(), nil)
	if err != nil {
		return nil, nil, err
	}
	cache, err := txcache.NewCache[string, int](store, "cache", &txcache.CacheOptions{ContextFree: true})
	if err != nil {
		return nil, nil, err
	}
	for i, name := range names {
		err := store.View(ctx, name, func(tx *txcache.Tx) error {
			cache.Set(tx, "currency", i)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return store, cache, nil
}

func inDatabases(n int) measure.Side {
	return side("txcache", func(ctx context.Context) (*measure.Work, error) {
		names := databaseNames(n)
		store, cache, err := openDatabases(ctx, names)
		if err != nil {
			return nil, err
		}
		at := 0
		return &measure.Work{
			Run: func(_, times int) (sum uint64, err error) {
				for range times {
					i := stride(at, n)
					at++
					tx, err := store.BeginReadOnly(ctx, names[i])
					if err != nil {
						return sum, err
					}
					v, ok := cache.Get(ctx, tx, "currency")
					if !ok || v != i {
						return sum, errMiss
					}
					sum += uint64(v)
					if err := tx.Commit(ctx); err != nil {
						return sum, err
					}
				}
				return sum, nil
			},
			Close: func() { _ = store.Close() },
		}, nil
	})
}

// stride goes through n databases in an order in which none is a neighbour of
// the one before it.
func stride(at, n int) int { return at * 7919 % n }

// A tenantKey is a key that has the database in it.
type tenantKey struct{ database, key string }

func openOneOtter(names []string) (*otter.Cache[tenantKey, int], error) {
	c, err := otter.New(&otter.Options[tenantKey, int]{MaximumSize: max(2*len(names), room)})
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		c.Set(tenantKey{name, "currency"}, i)
	}
	c.CleanUp()
	return c, nil
}

func inOneOtter(n int) measure.Side {
	return side("otter", func(context.Context) (*measure.Work, error) {
		names := databaseNames(n)
		c, err := openOneOtter(names)
		if err != nil {
			return nil, err
		}
		at := 0
		return &measure.Work{
			Run: func(_, times int) (sum uint64, err error) {
				for range times {
					i := stride(at, n)
					at++
					v, ok := c.GetIfPresent(tenantKey{names[i], "currency"})
					if !ok || v != i {
						return sum, errMiss
					}
					sum += uint64(v)
				}
				return sum, nil
			},
			Close: func() { c.StopAllGoroutines() },
		}, nil
	})
}
