package txcache

import (
	"context"
	"sync"
)

// flights are the loads in progress for one generation. That they belong to a
// generation is what keeps a transaction from getting the value of an older
// one. // P4
type flights[K comparable, V any] struct {
	mu    sync.Mutex
	byKey map[entryKey[K]]*flight[V]
}

// A flight is one load in progress. What came of it may be read once done is
// closed.
type flight[V any] struct {
	leader    *transaction // nil: a refresh
	done      chan struct{}
	result    result[V]
	err       error
	abandoned bool // the leader went away: result and err say nothing
}

// join returns the flight for key. If there is none, and t may lead, it gets a
// new one to do so. Whoever may have uncommitted changes may not. A refresh, whose
// t is nil, joins any flight; nobody joins a refresh, which may be waiting for
// just the connection that they hold, but takes its place.
func (s *flights[K, V]) join(key entryKey[K], t *transaction, may bool) (f *flight[V], lead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.byKey[key]; {
	case f != nil && (f.leader != nil || t == nil):
		return f, false
	case !may:
		return nil, false
	}
	if s.byKey == nil {
		s.byKey = map[entryKey[K]]*flight[V]{}
	}
	f = &flight[V]{leader: t, done: make(chan struct{}), abandoned: true}
	s.byKey[key] = f
	return f, true
}

// land ends f, which its leader has led.
func (s *flights[K, V]) land(key entryKey[K], f *flight[V]) {
	s.mu.Lock()
	if s.byKey[key] == f {
		delete(s.byKey, key)
	}
	s.mu.Unlock()
	close(f.done)
}

// leading marks the context of a loader for which others may wait.
type leading struct{}

func leads(ctx context.Context) bool { return ctx.Value(leading{}) != nil }
