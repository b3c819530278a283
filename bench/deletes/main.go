// Deletes prints what deletes at a steady rate do to the begins of other transactions,
// on a Redis server that it starts.
//
//	go -C bench run ./deletes
//
// Four stores with 16 goroutines each begin transactions at a steady rate, each of which
// reads one key; in every second turn, which is the loud one, some of them delete a key
// in place of reading it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/redisserver"
	"github.com/seed-dad15c92/txcache/config"
)

const (
	servers    = 4
	goroutines = 64
	keys       = 10_000
)

func main() {
	rate := flag.Int("rate", 4000, "transactions a second")
	deletes := flag.Int("deletes", 1000, "how many of them delete a key, in loud turns")
	turn := flag.Duration("turn", 5*time.Second, "how long a turn takes")
	turns := flag.Int("turns", 6, "how many turns; the first, which fills the caches, is left out")
	channel := flag.Bool("channel", false, `with sync = "channel"`)
	flag.Parse()
	if err := run(context.Background(), *rate, *deletes, *turn, *turns, *channel); err != nil {
		log.Fatal(err)
	}
}

type server struct {
	store *txcache.Store
	cache *txcache.Cache[uint64, uint64]
}

func run(ctx context.Context, rate, deletes int, turn time.Duration, turns int, channel bool) error {
	redis, err := redisserver.Start(ctx)
	if err != nil {
		return err
	}
	defer redis.Close()
	mode := config.SyncBegin
	if channel {
		mode = config.SyncChannel
	}
	var all []server
	for range servers {
		store, err := caches.OpenStore(ctx, redis.Addr, mode, true)
		if err != nil {
			return err
		}
		defer store.Close()
		cache, err := txcache.NewCache[uint64, uint64](store, "rows", &txcache.CacheOptions{Size: 2 * keys, ContextFree: true})
		if err != nil {
			return err
		}
		all = append(all, server{store, cache})
	}
	fmt.Println("| turn | transactions a second | deletes a second | begin, median | p99 | delete with commit, median | p99 | hits | goroutines at the end | clears that wait |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for i := range turns + 1 {
		name, share := "quiet", 0.0
		if i%2 == 0 {
			name, share = "loud", float64(deletes)/float64(rate)
		}
		t, err := play(ctx, all, rate, share, turn)
		if err != nil {
			return err
		}
		if i > 0 {
			waiting := 0
			for _, s := range all {
				waiting += s.store.Waiting()
			}
			seconds := turn.Seconds()
			fmt.Printf("| %s | %.0f | %.0f | %v | %v | %v | %v | %.1f %% | %d | %d |\n", name, float64(len(t.begins))/seconds, float64(len(t.writes))/seconds,
				quantile(t.begins, 0.5), quantile(t.begins, 0.99), quantile(t.writes, 0.5), quantile(t.writes, 0.99),
				100-100*float64(t.loads.Load())/float64(len(t.begins)-len(t.writes)), runtime.NumGoroutine(), waiting)
		}
	}
	return nil
}

type taken struct {
	mu             sync.Mutex
	begins, writes []time.Duration
	loads          atomic.Int64
	err            error
}

// play has all servers at work for a turn.
func play(ctx context.Context, all []server, rate int, share float64, turn time.Duration) (*taken, error) {
	t := &taken{}
	pace := time.Second * goroutines / time.Duration(rate)
	end := time.Now().Add(turn)
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			var begins, writes []time.Duration
			var err error
			s := all[i%servers]
			next := time.Now().Add(rand.N(pace))
			for ; err == nil && next.Before(end); next = next.Add(pace) {
				time.Sleep(time.Until(next))
				start, key := time.Now(), rand.N[uint64](keys)
				var tx *txcache.Tx
				if rand.Float64() < share {
					if tx, err = s.store.Begin(ctx, caches.Database); err != nil {
						break
					}
					begins = append(begins, time.Since(start))
					start = time.Now()
					if err = s.cache.Delete(tx, key); err == nil {
						err = tx.Commit(ctx)
					}
					writes = append(writes, time.Since(start))
					continue
				}
				if tx, err = s.store.BeginReadOnly(ctx, caches.Database); err != nil {
					break
				}
				begins = append(begins, time.Since(start))
				_, err = s.cache.Load(ctx, tx, key, func(context.Context) (uint64, error) {
					t.loads.Add(1)
					return key, nil
				})
				if err == nil {
					err = tx.Commit(ctx)
				}
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			t.begins, t.writes = append(t.begins, begins...), append(t.writes, writes...)
			t.err = errors.Join(t.err, err)
		})
	}
	wg.Wait()
	slices.Sort(t.begins)
	slices.Sort(t.writes)
	return t, t.err
}

// quantile returns that of sorted times, and 0 where there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))].Round(time.Microsecond)
}
