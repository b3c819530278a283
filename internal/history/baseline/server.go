package baseline

import (
	"context"
	"sync"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// Open opens servers over one map of values.
func (s Scheme) Open(_ context.Context, n int, caches []history.CacheSpec) ([]history.Server, error) {
	shared := s.server(caches)
	servers := make([]history.Server, n)
	for i := range servers {
		servers[i] = shared
	}
	return servers, nil
}

// Faulty returns what opens servers as Open does, and the faults that may befall
// those that were opened last.
func (s Scheme) Faulty() (history.Open, []history.Fault) {
	var last *server
	open := func(ctx context.Context, n int, caches []history.CacheSpec) ([]history.Server, error) {
		servers, err := s.Open(ctx, n, caches)
		if err == nil && n > 0 {
			last = servers[0].(*server)
		}
		return servers, err
	}
	lose := func(context.Context) { last.forget() }
	return open, []history.Fault{{Name: "counters are lost, where there are any", Befall: lose}}
}

func (s Scheme) server(caches []history.CacheSpec) *server {
	if s.Key == nil {
		s.Key = apart
	}
	return &server{scheme: s, caches: caches, values: map[any]entry{}, cleared: map[cacheKey]int{}, counters: map[cacheKey]int{}}
}

// A server keeps the values of all.
type server struct {
	scheme Scheme
	caches []history.CacheSpec

	mu       sync.Mutex
	values   map[any]entry
	clock    int              // counts what happens
	cleared  map[cacheKey]int // when, by the clock
	counters map[cacheKey]int
}

// A cacheKey is a cache of a database.
type cacheKey struct{ database, cache string }

// An entry is a value and where it is to be found to be deleted.
type entry struct {
	cacheKey
	value  history.Value
	absent bool // in an overlay: there is none
}

func (s *server) Begin(_ context.Context, database string, readOnly bool) (history.Tx, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	t := &transaction{server: s, database: database, readOnly: readOnly, began: s.clock, own: overlay{}, cleared: map[int]bool{}, cuts: map[int]int{}}
	if s.scheme.Counted {
		t.counters = make([]int, len(s.caches))
		for cache := range s.caches {
			t.counters[cache] = s.counters[t.cacheKey(cache)]
		}
	}
	return &tx{transaction: t}, nil
}

func (s *server) Drop(_ context.Context, database string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scheme.Lasting {
		return nil
	}
	s.clock++
	for _, c := range s.caches {
		s.note(cacheKey{database, c.Name})
		s.invalidate(cacheKey{database, c.Name})
	}
	return nil
}

func (s *server) Close() error { return nil }

// get returns the value under a key of a cache, to who began then.
func (s *server) get(n cacheKey, began int, key any) (history.Value, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scheme.Bounded && began < s.cleared[n] {
		return history.Value{}, false
	}
	e, ok := s.values[key]
	return e.value, ok
}

// set keeps what was set by who began then.
func (s *server) set(values overlay, began int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range values {
		if !e.absent && (!s.scheme.Bounded || began >= s.cleared[e.cacheKey]) {
			s.values[key] = e
		}
	}
}

// note takes the time of a clear. s.mu is held.
func (s *server) note(n cacheKey) {
	s.clock++
	s.cleared[n] = s.clock
}

// invalidate lets nobody who begins from now on see what a cache has. s.mu is
// held.
func (s *server) invalidate(n cacheKey) {
	if s.scheme.Counted {
		s.counters[n]++
		return
	}
	for key, e := range s.values {
		if e.cacheKey == n {
			delete(s.values, key)
		}
	}
}

// forget loses the counters.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scheme.Forgetful {
		clear(s.counters)
	}
}
