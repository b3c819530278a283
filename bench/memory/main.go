// Memory prints what a budget does to a process that serves very many databases: how large the heap
// is, and what the databases hit that are used most, beside a process without a limit.
//
//	go -C bench run ./memory
//
// A visit to a database reads each key of each cache, and sets what is missing. Without a limit all of
// it is there after the first visit: so what that process hits is counted, not measured, as its
// heap would have no room on most machines.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func main() {
	databases := flag.Int("databases", 1_000_000, "how many databases there are")
	caches := flag.Int("caches", 20, "how many caches each has")
	keys := flag.Int("keys", 20, "how many keys each cache has")
	memory := flag.Int64("memory", 256<<20, "the budget, in bytes")
	only := flag.String("only", "", "run only those whose name contains this: turn, popularity, sweep")
	sweep := flag.Int("sweep", 10_000_000, "how many keys the tenant has that sweeps")
	flag.Parse()
	for _, r := range []struct {
		name string
		run  func(*world) error
	}{{"turn", inTurn}, {"popularity", byPopularity(1.1)}, {"popularity", byPopularity(1.2)}, {"sweep", besideASweep(*sweep)}} {
		if !strings.Contains(r.name, *only) {
			continue
		}
		w, err := newWorld(*databases, *caches, *keys, *memory)
		if err == nil {
			err = r.run(w)
		}
		if err != nil {
			log.Fatal(err)
		}
		w.store.Close()
	}
}

// A world is a store, and what was visited.
type world struct {
	ctx       context.Context
	store     *txcache.Store
	caches    []*txcache.Cache[int, string]
	wide      *txcache.Cache[int, string] // of the tenant that sweeps
	databases int
	keys      int
	memory    int64
	seen      []bool
	random    *rand.Rand

	hot    int // visits to databases below this number are counted
	looked int
	hits   int // of these look-ups
	first  int // those that were the first of their key, and miss in every process
	peak   uint64
}

func newWorld(databases, caches, keys int, memory int64) (*world, error) {
	store, err := txcache.New(memorybackend.New(), &txcache.Options{Memory: memory, Sizes: map[string]int{"wide": math.MaxInt}})
	if err != nil {
		return nil, err
	}
	w := &world{ctx: context.Background(), store: store, databases: databases, keys: keys, memory: memory,
		seen: make([]bool, databases), random: rand.New(rand.NewPCG(1, 2)), hot: max(1, databases/100)}
	for i := range caches {
		w.caches = append(w.caches, txcache.Must(txcache.NewCache[int, string](store, fmt.Sprint("cache ", i), nil)))
	}
	w.wide = txcache.Must(txcache.NewCache[int, string](store, "wide", nil))
	return w, nil
}

func (w *world) visit(database int) error {
	return w.store.View(w.ctx, "tenant "+strconv.Itoa(database), func(tx *txcache.Tx) error {
		for _, c := range w.caches {
			for key := range w.keys {
				_, ok := c.Get(w.ctx, tx, key)
				if !ok {
					c.Set(tx, key, "value "+strconv.Itoa(database+key))
				}
				if database < w.hot {
					w.looked++
					if ok {
						w.hits++
					} else if !w.seen[database] {
						w.first++
					}
				}
			}
		}
		w.seen[database] = true
		return nil
	})
}

// report prints a line. Called a few times in the course of a run, it also knows the largest heap.
func (w *world) report(what string) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.peak = max(w.peak, m.HeapAlloc)
	start := time.Now()
	for range w.store.Stats() {
	}
	s := w.store.Status()
	scrape := time.Since(start)
	unbounded := float64(w.looked-w.first) / float64(max(1, w.looked))
	hits := float64(w.hits) / float64(max(1, w.looked))
	fmt.Printf("%-44s heap %4d MB (spans %d MB), by the estimate %4d MB; %6d databases, %7d left; hot hits %.2f %%, without a limit %.2f %%; scrape %v\n",
		what, m.HeapAlloc>>20, m.HeapInuse>>20, s.Memory>>20, s.Databases, s.Left, 100*hits, 100*unbounded, scrape.Round(time.Microsecond))
}

// during calls step n times, and reports a few times.
func (w *world) during(what string, n int, step func(i int) error) error {
	start := time.Now()
	for i := range n {
		if err := step(i); err != nil {
			return err
		}
		if i > 0 && i%(n/4+1) == 0 {
			w.report(fmt.Sprintf("%s, %d %%", what, 100*i/n))
		}
	}
	took := time.Since(start)
	w.report(what)
	fmt.Printf("%-44s largest heap %d MB; %v a visit\n", "", w.peak>>20, (took / time.Duration(n)).Round(time.Microsecond))
	return nil
}

// inTurn visits all databases one after another, and a thousandth of them again and again.
func inTurn(w *world) error {
	w.hot = max(1, w.databases/1000)
	return w.during("in turn, and a thousandth again and again", w.databases, func(i int) error {
		if i%5 == 0 {
			if err := w.visit(w.random.IntN(w.hot)); err != nil {
				return err
			}
		}
		return w.visit(i)
	})
}

// byPopularity visits databases at random, the k-th with a probability of k to the power of -s.
func byPopularity(s float64) func(*world) error {
	return func(w *world) error {
		zipf := rand.NewZipf(w.random, s, 1, uint64(w.databases-1))
		return w.during(fmt.Sprint("by popularity, Zipf ", s), w.databases, func(int) error { return w.visit(int(zipf.Uint64())) })
	}
}

// besideASweep visits as many databases as take half of the memory, while another tenant sweeps over many keys.
func besideASweep(keys int) func(*world) error {
	return func(w *world) error {
		each := len(w.caches) * w.keys * 110
		w.hot = max(1, min(w.databases, int(w.memory/2)/each))
		next := 0
		visits := 20 * w.hot
		return w.during(fmt.Sprintf("%d tenants beside a sweep over %d keys", w.hot, keys), visits, func(i int) error {
			err := w.store.View(w.ctx, "sweeper", func(tx *txcache.Tx) error {
				for range keys / visits {
					next++
					w.wide.Set(tx, next, "value "+strconv.Itoa(next))
				}
				return nil
			})
			if err != nil {
				return err
			}
			return w.visit(w.random.IntN(w.hot))
		})
	}
}
