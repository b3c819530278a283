package baseline

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/history"
)

// Open opens servers over one map of values.
func (s Scheme) Open(_ context.Context, n int, caches []history.CacheSpec) ([]history.Server, error) {
	shared := s.server(caches)
	servers := make([]history.Server, n)
	for i := range servers {
		servers[i] = shared
		if s.Enlisted {
			servers[i] = enlister{shared}
		}
	}
	return servers, nil
}

// Faulty returns what opens servers as Open does, and the faults that may befall
// those that were opened last.
func (s Scheme) Faulty() (history.Open, []history.Fault) {
	var last *server
	open := func(ctx context.Context, n int, caches []history.CacheSpec) ([]history.Server, error) {
		servers, err := s.Open(ctx, n, caches)
		if err == nil && n > 0 && s.Enlisted {
			last = servers[0].(enlister).server
		} else if err == nil && n > 0 {
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
	db := enlistertest.New()
	return &server{scheme: s, caches: caches, clears: db, enlister: db.Backend(), newest: map[string]*enlisted{}, values: map[any]entry{}, cleared: map[cacheKey]int{}, counters: map[cacheKey]int{},
		keyCounters: map[cacheSlot]int{}, numbered: newNumbered()}
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

	keyCounters map[cacheSlot]int
	late        []late // deletes to come
	numbered    numbered

	clears   *enlistertest.DB // where generations are, of schemes that keep them in the database
	enlister *enlistertest.Backend
	newest   map[string]*enlisted // what was read last, by database
}

// A late is what is done when the clock is at due.
type late struct {
	due int
	of  *transaction
}

// delay is how many transactions begin before a second delete.
const delay = 5

// A cacheKey is a cache of a database.
type cacheKey struct{ database, cache string }

// A cacheSlot is a key of a cache of a database, for all users.
type cacheSlot struct {
	cacheKey
	key string
}

// An entry is a value and where it is to be found to be deleted.
type entry struct {
	cacheKey
	slot   slot
	value  history.Value
	absent bool // in an overlay: there is none
	at     any  // in an overlay: where others find it
	fill   int  // where deletes are numbered: when it was loaded, or was known to be good
}

func (s *server) Begin(_ context.Context, database string, readOnly bool) (history.Tx, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &tx{transaction: s.begin(database, readOnly)}, nil
}

// begin begins a transaction. s.mu is held.
func (s *server) begin(database string, readOnly bool) *transaction {
	s.clock++
	for len(s.late) > 0 && s.late[0].due <= s.clock {
		s.invalidateAll(s.late[0].of)
		s.late = s.late[1:]
	}
	t := &transaction{server: s, database: database, readOnly: readOnly, began: s.clock, own: overlay{}, cuts: newCuts(),
		cutCount: map[int]int{}, versions: map[slot]version{}, epoch: s.numbered.epochs[database]}
	for f := range s.numbered.fences {
		t.fences = append(t.fences, f)
	}
	if s.scheme.Counted {
		t.counters = make([]int, len(s.caches))
		for cache := range s.caches {
			t.counters[cache] = s.counters[t.cacheKey(cache)]
		}
	}
	return t
}

func (s *server) Drop(ctx context.Context, database string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scheme.Lasting {
		return nil
	}
	s.clock++
	s.numbered.epochs[database]++
	if s.scheme.Enlisted {
		return s.enlister.Drop(ctx, database)
	}
	for _, c := range s.caches {
		s.note(cacheKey{database, c.Name})
		s.invalidate(cacheKey{database, c.Name})
	}
	return nil
}

func (s *server) Close() error { return nil }

// get returns the value under a key of a cache, to the transaction.
func (s *server) get(t *transaction, n cacheKey, key any) (history.Value, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scheme.Bounded && t.began < s.cleared[n] {
		return history.Value{}, false
	}
	if t.enlisted != nil && t.enlisted.private {
		return history.Value{}, false
	}
	e, ok := s.values[key]
	if ok && s.scheme.Numbered && !s.reads(t, e) {
		return history.Value{}, false
	}
	return e.value, ok
}

// set keeps what a transaction has set.
func (s *server) set(t *transaction, values overlay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.enlisted != nil && t.enlisted.private {
		return
	}
	for key, e := range values {
		if e.absent || s.scheme.Bounded && t.began < s.cleared[e.cacheKey] || s.scheme.Numbered && !s.fills(t, &e) {
			continue
		}
		s.values[key] = e
	}
}

// detached reports whether the database was dropped since the transaction began.
func (t *transaction) detached() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.epoch != t.numbered.epochs[t.database]
}

// version returns the counters of a key.
func (s *server) version(n cacheKey, key string) version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return version{s.counters[n], s.keyCounters[cacheSlot{n, key}]}
}

// announce does what comes before the database's commit: it takes the time, and places a
// fence, of which only some schemes make use. s.mu is held.
func (s *server) announce(t *transaction) {
	for cache, c := range s.caches {
		if t.cuts.cleared[cache] || s.deletesIn(t, cache) || c.Tagged && len(t.cuts.tags) > 0 {
			s.note(t.cacheKey(cache))
		}
	}
	if len(t.cuts.cleared)+len(t.cuts.deleted)+len(t.cuts.tags) > 0 {
		s.place(t)
	}
}

func (s *server) deletesIn(t *transaction, cache int) bool {
	for at := range t.cuts.deleted {
		if at.cache == cache {
			return true
		}
	}
	return false
}

// note takes the time of a clear. s.mu is held.
func (s *server) note(n cacheKey) {
	s.clock++
	s.cleared[n] = s.clock
}

// invalidateAll hides what a transaction has cut off from transactions that begin later.
// s.mu is held.
func (s *server) invalidateAll(t *transaction) {
	if s.scheme.Numbered {
		s.remove(t)
		return
	}
	for cache := range t.cuts.cleared {
		s.invalidate(t.cacheKey(cache))
	}
	for at := range t.cuts.deleted {
		s.invalidateKey(cacheSlot{t.cacheKey(at.cache), at.key})
	}
	for tag := range t.cuts.tags {
		s.invalidateTag(t, tag)
	}
}

// invalidate does so with a cache.
func (s *server) invalidate(n cacheKey) {
	if s.scheme.Counted || s.scheme.KeyCounted {
		s.counters[n]++
		return
	}
	s.discard(func(e entry) bool { return e.cacheKey == n })
}

// invalidateKey does so with a key, in every user context.
func (s *server) invalidateKey(at cacheSlot) {
	switch {
	case s.scheme.Counted:
		s.counters[at.cacheKey]++
	case s.scheme.KeyCounted:
		s.keyCounters[at]++
	default:
		s.discard(func(e entry) bool { return e.cacheKey == at.cacheKey && e.slot.key == at.key })
	}
}

// invalidateTag does so with a tag of the transaction's database.
func (s *server) invalidateTag(t *transaction, tag string) {
	if s.scheme.Counted {
		for cache, c := range s.caches {
			if c.Tagged {
				s.counters[t.cacheKey(cache)]++
			}
		}
		return
	}
	bears := func(e entry) bool {
		return e.database == t.database && slices.Contains(s.tags(e.slot.cache, e.value), tag)
	}
	if !s.scheme.KeyCounted {
		s.discard(bears)
		return
	}
	for _, e := range s.values {
		if bears(e) {
			s.keyCounters[cacheSlot{e.cacheKey, e.slot.key}]++
		}
	}
}

// discard deletes values.
func (s *server) discard(what func(entry) bool) {
	maps.DeleteFunc(s.values, func(_ any, e entry) bool { return what(e) })
}

// forget loses the counters, or folds the rows of clears, or loses them.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scheme.Forgetful {
		clear(s.counters)
	}
	for _, database := range s.clears.Databases() {
		if s.scheme.Epochless {
			s.clears.Lose(database)
		} else {
			s.clears.Fold(database)
		}
	}
}
