// Package singleflight lets callers that need the same key at the same time share
// one call of a loader.
//
// It differs from golang.org/x/sync/singleflight in that the leader of a call runs
// it in its own goroutine, may abandon it, and is known to those that join; and in
// that calls of requests do not wait for those of the background, unless they say so.
package singleflight

import (
	"maps"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// A Group is the calls in progress for one generation of a cache. Because calls belong
// to a generation, and a key names the delete after which its callers began, a
// transaction cannot get a value that is older. // P4
//
// Keys are of type K, leaders of type L, results of type R. The zero value is ready.
type Group[K comparable, L, R any] struct {
	mu    sync.Mutex
	byKey map[K]*Call[L, R]
	rests map[K]int64 // keys whose refresh has failed: until when none may begin
}

// maxRests bounds the number of keys that rest. In a cache where more refreshes fail,
// one refresh too many does no harm.
const maxRests = 1024

// A Call is one call in progress. Its result may be read after Done is closed.
type Call[L, R any] struct {
	Leader    L
	Done      chan struct{}
	Result    R
	Err       error
	Abandoned bool // Result has no meaning, and Err concerns only the leader

	// Left is closed if others wait for the call no longer, although it has not ended.
	Left chan struct{}

	rank Rank
}

// Ended reports whether Done is closed.
func (c *Call[L, R]) Ended() bool {
	select {
	case <-c.Done:
		return true
	default:
		return false
	}
}

// A Rank says for what a call is made.
type Rank uint8

// The ranks. A caller joins calls of its own rank and those of requests, and replaces
// others: a loader in the background may be waiting for the connection that a request holds.
const (
	Refresh Rank = iota // in the background; it leads nothing while the key rests, or is loaded
	Within              // within a loader in the background
	Behind              // in the background, for callers that hold no connection
	Request
)

// Join returns the call for key. If the caller can join none, and may says that it may
// lead, Join returns a new call that the caller leads, as leader; the caller must call
// Finish for it. Otherwise Join returns nil.
func (g *Group[K, L, R]) Join(key K, leader L, rank Rank, may bool) (c *Call[L, R], lead bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if rank == Refresh && len(g.rests) > 0 && near.Now() < g.rests[key] {
		return nil, false
	}
	switch c := g.byKey[key]; {
	case c != nil && (c.rank == rank || c.rank == Request || rank == Refresh):
		return c, false
	case !may:
		return nil, false
	}
	if g.byKey == nil {
		g.byKey = map[K]*Call[L, R]{}
	}
	c = &Call[L, R]{Leader: leader, Done: make(chan struct{}), Abandoned: true, rank: rank}
	if rank == Behind {
		c.Left = make(chan struct{})
	}
	g.byKey[key] = c
	return c, true
}

// Finish ends c; its leader must call it, with the key of c. The call is abandoned
// unless the leader has set Abandoned to false before.
func (g *Group[K, L, R]) Finish(key K, c *Call[L, R]) {
	g.remove(key, c)
	close(c.Done)
}

// Leave makes callers wait for c no longer, which is of rank Behind and of key. It is called once, before
// Finish or after it.
func (g *Group[K, L, R]) Leave(key K, c *Call[L, R]) {
	g.remove(key, c)
	close(c.Left)
}

func (g *Group[K, L, R]) remove(key K, c *Call[L, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byKey[key] == c {
		delete(g.byKey, key)
	}
}

// Rest prevents refreshes of key for d. Otherwise each hit would try again.
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
