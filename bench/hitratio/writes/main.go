// Writes prints, as a table in Markdown, the hit ratio of a cache whose rows are
// written: where the transaction that writes a row deletes its key, beside a cache that
// forgets just that row, and one that the transaction clears.
//
//	go -C bench run ./hitratio/writes
//
// The reads are of 10 000 keys, by Zipf's law with an exponent of 1.01, and all values
// fit. Each transaction reads or writes one row; writes and reads are of the same keys.
// No value is written through. With two servers on Redis they take turns at random.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/redisserver"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

const (
	keys = 10_000
	skew = 1.01
)

func main() {
	accesses := flag.Int("n", 400_000, "how many transactions, from an empty cache on")
	seed := flag.Uint64("seed", 1, "of the accesses")
	flag.Parse()
	if err := run(context.Background(), *accesses, *seed); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, accesses int, seed uint64) error {
	server, err := redisserver.Start(ctx)
	if err != nil && !errors.Is(err, redisserver.ErrNone) {
		return err
	}
	if server != nil {
		defer server.Close()
	}
	fmt.Printf("%d transactions, seed %d\n\n", accesses, seed)
	fmt.Println("| writes | ideal | memory, delete | two servers on Redis, delete | memory, clear |\n|---|--:|--:|--:|--:|")
	for _, reads := range []int{1000, 100, 20, 5} {
		t := trace(accesses, reads, seed)
		ideal := simulate(t)
		deletes, err := play(ctx, t, inMemory, false)
		if err != nil {
			return err
		}
		clears, err := play(ctx, t, inMemory, true)
		if err != nil {
			return err
		}
		redis := "–"
		if server != nil {
			open := func(ctx context.Context) ([]*txcache.Store, error) { return onRedis(ctx, server.Addr) }
			ratio, err := play(ctx, t, open, false)
			if err != nil {
				return err
			}
			redis = fmt.Sprintf("%.1f", ratio)
		}
		fmt.Printf("| 1 in %d | %.1f | %.1f | %s | %.1f |\n", reads, ideal, deletes, redis, clears)
	}
	return nil
}

// An access is one transaction.
type access struct {
	key    uint64
	write  bool
	server int
}

// trace returns n accesses, one in so many of them a write, the same from the same seed.
func trace(n, reads int, seed uint64) []access {
	r := rand.New(rand.NewPCG(seed, uint64(reads)))
	next := rand.NewZipf(r, skew, 1, keys-1)
	all := make([]access, n)
	for i := range all {
		all[i] = access{next.Uint64(), r.IntN(reads) == 0, r.IntN(2)}
	}
	return all
}

// simulate returns the hit ratio of a map that forgets each row that is written.
func simulate(t []access) float64 {
	known := map[uint64]bool{}
	var hits, reads int
	for _, a := range t {
		if !a.write {
			reads++
			if known[a.key] {
				hits++
			}
		}
		known[a.key] = !a.write
	}
	return 100 * float64(hits) / float64(reads)
}

func inMemory(context.Context) ([]*txcache.Store, error) {
	store, err := txcache.New(memorybackend.New(), nil)
	return []*txcache.Store{store}, err
}

func onRedis(ctx context.Context, addr string) (stores []*txcache.Store, err error) {
	for range 2 {
		store, err := caches.OpenStore(ctx, addr, config.SyncBegin, true)
		if err != nil {
			return nil, err
		}
		stores = append(stores, store)
	}
	return stores, stores[0].Drop(ctx, caches.Database)
}

// play returns the hit ratio of a cache in the stores that open returns. Each hit is
// compared with the rows.
func play(ctx context.Context, t []access, open func(context.Context) ([]*txcache.Store, error), clear bool) (float64, error) {
	stores, err := open(ctx)
	if err != nil {
		return 0, err
	}
	var all []*txcache.Cache[uint64, int]
	for _, s := range stores {
		defer s.Close()
		c, err := txcache.NewCache[uint64, int](s, "rows", &txcache.CacheOptions{Size: 2 * keys, ContextFree: true, Duration: time.Hour})
		if err != nil {
			return 0, err
		}
		all = append(all, c)
	}
	rows := make([]int, keys)
	var hits, reads int
	for _, a := range t {
		at := a.server % len(stores)
		store, c := stores[at], all[at]
		if a.write {
			err := store.Update(ctx, caches.Database, func(tx *txcache.Tx) error {
				rows[a.key]++
				if clear {
					return c.Clear(tx)
				}
				return c.Delete(tx, a.key)
			})
			if err != nil {
				return 0, err
			}
			continue
		}
		hit := true
		err := store.View(ctx, caches.Database, func(tx *txcache.Tx) error {
			v, err := c.Load(ctx, tx, a.key, func(context.Context) (int, error) {
				hit = false
				return rows[a.key], nil
			})
			if err == nil && v != rows[a.key] {
				err = fmt.Errorf("stale: %d in place of %d", v, rows[a.key])
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		reads++
		if hit {
			hits++
		}
	}
	return 100 * float64(hits) / float64(reads), nil
}
