package txcache

import (
	"maps"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// flights are the loads in progress for one generation. That they belong to a
// generation is what keeps a transaction from getting the value of an older
// one. // P4
type flights[K comparable, V any] struct {
	mu    sync.Mutex
	byKey map[entryKey[K]]*flight[V]
	rests map[entryKey[K]]int64 // keys whose refresh has failed: until when none is tried
}

// mostRests bounds how many keys rest. A cache of which so many fail has more to
// bear than a refresh too many.
const mostRests = 1024

// A flight is one load in progress. What came of it may be read once done is
// closed.
type flight[V any] struct {
	leader    *transaction // nil: a refresh
	done      chan struct{}
	result    result[V]
	err       error
	abandoned bool // result says nothing, and err is the leader's alone
}

// join returns the flight for key. If there is none, and t may lead, it gets a
// new one to do so. A refresh, whose t is nil, joins any flight, and leads none
// while the key rests. No request joins
// a refresh, nor a load within one, but takes its place: a refresh may be waiting
// for just the connection that the request holds.
func (s *flights[K, V]) join(key entryKey[K], t *transaction, may bool) (f *flight[V], lead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t == nil && len(s.rests) > 0 && near.Now() < s.rests[key] {
		return nil, false
	}
	switch f := s.byKey[key]; {
	case f != nil && (t == nil || f.leader != nil && (t.refresh || !f.leader.refresh)):
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

// rest lets no refresh of key begin for a while: hits go on meanwhile, and must
// not each try again.
func (s *flights[K, V]) rest(key entryKey[K], d time.Duration) {
	now := near.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rests) >= mostRests {
		maps.DeleteFunc(s.rests, func(_ entryKey[K], until int64) bool { return until <= now })
	}
	if s.rests == nil || len(s.rests) >= mostRests {
		s.rests = map[entryKey[K]]int64{}
	}
	s.rests[key] = near.In(d)
}
