// Package singleflight lets callers that need the same key at the same time share
// one call of a loader.
//
// It differs from golang.org/x/sync/singleflight in that the leader of a call runs
// it in its own goroutine, may abandon it, and is known to those that join; and in
// that calls of requests do not wait for those of refreshes.
package singleflight

import (
	"maps"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// A Group is the calls in progress for one generation of a cache. That they belong
// to a generation is what keeps a transaction from getting the value of an older
// one. Keys are of type K, leaders of type L, results of type R. The zero value is
// ready. // P4
type Group[K comparable, L, R any] struct {
	mu    sync.Mutex
	byKey map[K]*Call[L, R]
	rests map[K]int64 // keys whose refresh has failed: until when none is tried
}

// maxRests bounds how many keys rest. A cache of which so many fail has more to
// bear than a refresh too many.
const maxRests = 1024

// A Call is one in progress. What came of it may be read once Done is closed.
type Call[L, R any] struct {
	Leader    L
	Done      chan struct{}
	Result    R
	Err       error
	Abandoned bool // Result says nothing, and Err is the leader's alone

	rank Rank
}

// A Rank says who makes a call.
type Rank uint8

// The ranks. A caller joins calls of its own rank and of higher ones, and takes the
// place of lower ones: a refresh may be waiting for just the connection that a
// request holds.
const (
	Refresh Rank = iota // in the background; it leads nothing while the key rests
	Within              // a loader that a refresh has called
	Request
)

// Join returns the call for key. If there is none to join, and may says that the
// caller may lead, the caller gets a new one to do so, as leader, and has to Finish
// it. Otherwise Join returns nil.
func (g *Group[K, L, R]) Join(key K, leader L, rank Rank, may bool) (c *Call[L, R], lead bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if rank == Refresh && len(g.rests) > 0 && near.Now() < g.rests[key] {
		return nil, false
	}
	switch c := g.byKey[key]; {
	case c != nil && c.rank >= rank:
		return c, false
	case !may:
		return nil, false
	}
	if g.byKey == nil {
		g.byKey = map[K]*Call[L, R]{}
	}
	c = &Call[L, R]{Leader: leader, Done: make(chan struct{}), Abandoned: true, rank: rank}
	g.byKey[key] = c
	return c, true
}

// Finish ends c, which its leader has led for key. It is abandoned unless the
// leader has said otherwise in c before.
func (g *Group[K, L, R]) Finish(key K, c *Call[L, R]) {
	g.mu.Lock()
	if g.byKey[key] == c {
		delete(g.byKey, key)
	}
	g.mu.Unlock()
	close(c.Done)
}

// Rest lets no refresh of key begin for d: hits go on meanwhile, and must not each
// try again.
func (g *Group[K, L, R]) Rest(key K, d time.Duration) {
	now := near.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.rests) >= maxRests {
		maps.DeleteFunc(g.rests, func(_ K, until int64) bool { return until <= now })
	}
	if g.rests == nil || len(g.rests) >= maxRests {
		g.rests = map[K]int64{}
	}
	g.rests[key] = near.In(d)
}
