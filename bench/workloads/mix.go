package workloads

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
)

// mixes are reads and writes of keys whose popularity follows a Zipf
// distribution, ten times as many as fit. A read that misses sets the value.
func mixes(e Env) []measure.Pair {
	var pairs []measure.Pair
	for _, reads := range []int{90, 75} {
		for _, goroutines := range []int{1, 8} {
			for _, peer := range caches.Locals {
				if !peer.Forever {
					continue
				}
				p := measure.Pair{
					Section: sectionMix, Goroutines: goroutines,
					Name:    fmt.Sprintf("%d %% reads, %d %% writes", reads, 100-reads),
					Subject: mixing(e, caches.TxCache, reads, goroutines),
					Peer:    mixing(e, peer, reads, goroutines),
				}
				if peer.Name == "otter" {
					p.Bars = []measure.Bar{{Of: measure.Ratio, Limit: 1}}
				}
				pairs = append(pairs, p)
			}
		}
	}
	return pairs
}

const (
	universe = 100_000 // keys of a mix
	skew     = 1.01    // the exponent of their distribution
	sequence = 1 << 18 // accesses, after which it starts anew
)

// An access is one of a mix.
type access struct {
	key   int32
	write bool
}

// accesses returns a sequence over n keys that is the same in each run.
func accesses(n, reads int) []access {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, skew, 1, uint64(n-1))
	all := make([]access, sequence)
	for i := range all {
		all[i] = access{int32(zipf.Uint64()), r.IntN(100) >= reads}
	}
	return all
}

func mixing(e Env, kind caches.LocalKind, reads, goroutines int) measure.Side {
	return side(kind.Name, func(context.Context) (*measure.Work, error) {
		n := e.size(universe)
		c, err := kind.Open(caches.Options{Size: n / 10})
		if err != nil {
			return nil, err
		}
		keys, all := keysOf(n), accesses(n, reads)
		sessions := sessionsOf(c, goroutines)
		next := make([]cursor, goroutines)
		var asked, found atomic.Int64
		w := &measure.Work{
			Run: func(worker, n int) (sum uint64, err error) {
				s := sessions[worker]
				at := next[worker].at + worker*sequence/goroutines
				next[worker].at += n
				lookups, hits := 0, 0
				for i := range n {
					a := all[(at+i)%sequence]
					key := keys[a.key]
					if a.write {
						s.Set(key, int(a.key))
						continue
					}
					lookups++
					v, ok := s.Get(key)
					if ok && v != int(a.key) {
						return sum, fmt.Errorf("%q has the value %d", key, v)
					} else if ok {
						hits++
					} else {
						s.Set(key, int(a.key))
					}
					sum += uint64(v)
				}
				asked.Add(int64(lookups))
				found.Add(int64(hits))
				return sum, nil
			},
			Figures: func() map[string]float64 {
				return map[string]float64{"% hits": 100 * float64(found.Load()) / float64(max(1, asked.Load()))}
			},
			Close: c.Close,
		}
		return w, nil
	})
}
