package workloads

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
)

// A shape is a kind of value, and how many of them are read.
type shape[V any] struct {
	name  string
	keys  int
	value func(i int) V
}

var (
	text   = shape[string]{"text of 100 bytes", cached, textOf}
	rows   = shape[record]{"a record", cached, recordOf}
	small  = shape[document]{"a struct of 1 kB", cached, func(i int) document { return documentOf(i, 1000) }}
	larger = shape[document]{"a struct of 100 kB", 16, func(i int) document { return documentOf(i, 100_000) }}
)

// nearHits are hits of values that are near, in any way that a client of Redis
// offers. A value comes out as what it was put in; where a cache keeps it
// encoded, it decodes it each time.
func nearHits(e Env) []measure.Pair {
	if e.Redis == "" {
		return nil
	}
	var pairs []measure.Pair
	for _, goroutines := range []int{1, 8} {
		pairs = append(pairs, nearHitsOf(e, text, goroutines)...)
		pairs = append(pairs, nearHitsOf(e, rows, goroutines)...)
	}
	pairs = append(pairs, nearHitsOf(e, small, 1)...)
	return append(pairs, nearHitsOf(e, larger, 1)...)
}

func nearHitsOf[V any](e Env, s shape[V], goroutines int) []measure.Pair {
	pair := func(peer caches.RemoteKind[V], limit float64) measure.Pair {
		return measure.Pair{
			Section: sectionNear, Name: "a near hit, " + s.name, Goroutines: goroutines,
			Subject: reading(e, caches.TxCacheOn[V](true, time.Hour), s, goroutines),
			Peer:    reading(e, peer, s, goroutines),
			Bars:    []measure.Bar{{Of: measure.Ratio, Limit: limit}},
		}
	}
	return []measure.Pair{
		pair(caches.Rueidis[V](true), 0.35),
		pair(caches.GoRedisCache[V](true), 0.1),
	}
}

// remoteHits are hits of values that are on the server alone.
func remoteHits(e Env) []measure.Pair {
	if e.Redis == "" {
		return nil
	}
	var pairs []measure.Pair
	for _, goroutines := range []int{1, 64} {
		pairs = append(pairs, remoteHitsOf(e, text, goroutines, 0, true)...)
		pairs = append(pairs, remoteHitsOf(e, text, goroutines, time.Hour, false)...)
		pairs = append(pairs, remoteHitsOf(e, small, goroutines, 0, false)...)
		pairs = append(pairs, remoteHitsOf(e, larger, goroutines, 0, false)...)
	}
	return pairs
}

// remoteHitsOf has bars for text only, where the plain clients decode nothing. Of a value with a duration txcache
// also asks the server how long it is valid yet, which none of the others does.
func remoteHitsOf[V any](e Env, s shape[V], goroutines int, duration time.Duration, bars bool) []measure.Pair {
	pair := func(peer caches.RemoteKind[V], limit float64) measure.Pair {
		p := measure.Pair{
			Section: sectionRemote, Name: "a remote hit, " + s.name, Goroutines: goroutines,
			Subject: reading(e, caches.TxCacheOn[V](false, duration), s, goroutines),
			Peer:    reading(e, peer, s, goroutines),
		}
		if bars && limit > 0 {
			p.Bars = []measure.Bar{{Of: measure.Ratio, Limit: limit}}
		}
		return p
	}
	plain, pipelining := 1.1, 0.0
	if goroutines == 64 {
		plain, pipelining = 0.33, 0.8
	}
	return []measure.Pair{
		pair(caches.GoRedis[V](), plain),
		pair(caches.Rueidis[V](false), pipelining),
		pair(caches.GoRedisCache[V](false), 0),
	}
}

func reading[V any](e Env, kind caches.RemoteKind[V], s shape[V], goroutines int) measure.Side {
	return side(kind.Name, func(ctx context.Context) (*measure.Work, error) {
		c, err := kind.Open(e.Redis, 2*s.keys)
		if err != nil {
			return nil, err
		}
		prefix := fmt.Sprintf("%T.", *new(V)) // values of another shape have other keys
		keys, values := keysOf(s.keys), make(map[string]V, s.keys)
		for i := range keys {
			keys[i] = prefix + keys[i]
			values[keys[i]] = s.value(i)
		}
		if err := caches.FillRemote(ctx, c, values); err != nil {
			c.Close()
			return nil, err
		}
		next := make([]cursor, goroutines)
		return &measure.Work{
			Run: func(worker, n int) (sum uint64, err error) {
				at := next[worker].at + worker*s.keys/goroutines
				next[worker].at += n
				for i := range n {
					v, ok, err := c.Get(ctx, keys[(at+i)%len(keys)])
					if err != nil {
						return sum, err
					} else if !ok {
						return sum, errMiss
					}
					sum += weight(&v)
				}
				return sum, nil
			},
			Close: c.Close,
		}, nil
	})
}

// weight returns something of v.
func weight(v any) uint64 {
	switch v := v.(type) {
	case *string:
		return uint64(len(*v))
	case *record:
		return uint64(v.ID)
	case *document:
		return uint64(len(v.Lines))
	}
	return 0
}
