package workloads

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
)

// hits are reads of values that are all there, by several goroutines, each with
// a transaction of its own.
func hits(Env) []measure.Pair {
	var pairs []measure.Pair
	for _, duration := range []time.Duration{0, time.Hour} {
		for _, goroutines := range []int{1, 8, 64} {
			name := "a hit"
			if duration > 0 {
				name = "a hit, values with a duration"
			}
			for _, peer := range caches.Locals {
				if duration == 0 && !peer.Forever || duration > 0 && !peer.Expiring {
					continue
				}
				p := measure.Pair{
					Section: sectionHit, Name: name, Goroutines: goroutines,
					Subject: hitting(caches.TxCache, caches.Options{Size: room, Duration: duration}, goroutines),
					Peer:    hitting(peer, caches.Options{Size: room, Duration: duration}, goroutines),
				}
				if peer.Name == "otter" && goroutines <= 8 {
					p.Bars = []measure.Bar{{Of: measure.Ratio, Limit: 0.85}, {Of: measure.Allocs, Limit: nothing}}
				}
				pairs = append(pairs, p)
			}
		}
	}
	for _, goroutines := range []int{1, 8, 64} {
		p := measure.Pair{
			Section: sectionHit, Name: "a hit in a user context, beside one without", Goroutines: goroutines,
			Subject: hitting(caches.TxCache, caches.Options{Size: room, Context: true}, goroutines),
			Peer:    hitting(caches.Locals[0], caches.Options{Size: room}, goroutines),
		}
		if goroutines <= 8 {
			p.Bars = []measure.Bar{{Of: measure.Ratio, Limit: 0.9}, {Of: measure.Allocs, Limit: nothing}}
		}
		pairs = append(pairs, p)
	}
	return pairs
}

// nothing is how many allocations of an operation count for none: those of the
// runtime itself, of which there are some in a slice.
const nothing = 0.005

func hitting(kind caches.LocalKind, o caches.Options, goroutines int) measure.Side {
	return side(kind.Name, func(context.Context) (*measure.Work, error) {
		c, err := kind.Open(o)
		if err != nil {
			return nil, err
		}
		keys := keysOf(cached)
		if err := caches.Fill(c, keys); err != nil {
			c.Close()
			return nil, err
		}
		sessions := sessionsOf(c, goroutines)
		next := make([]cursor, goroutines)
		return &measure.Work{
			Run: func(worker, n int) (uint64, error) {
				from := next[worker].at + worker*cached/goroutines
				next[worker].at += n
				sum, misses := sessions[worker].Hits(keys, from, n)
				if misses > 0 {
					return sum, errMiss
				}
				return sum, nil
			},
			Close: c.Close,
		}, nil
	})
}

// A cursor is where a worker is in a sequence, on a cache line of its own.
type cursor struct {
	at int
	_  [56]byte
}

func sessionsOf(c caches.Local, n int) []caches.Session {
	sessions := make([]caches.Session, n)
	for i := range sessions {
		sessions[i] = c.Session()
	}
	return sessions
}
