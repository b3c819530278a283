package history

import (
	"sync"
	"sync/atomic"
	"time"
)

// A transactionState is what the goroutines of one transaction have in common.
type transactionState struct {
	id         int
	several    bool // goroutines
	server     int
	database   string
	readOnly   bool
	lowerBound int       // commits when it began
	tick       int       // when it began
	life       int       // of the database when it began
	since      time.Time // when what others did was done that it must know of
	session    *session
	tx         Tx

	// order is held by a goroutine that does something on both sides, the
	// cache's and the database's, in which no other may come in between. Loads
	// do not hold it.
	order   sync.Mutex
	touched map[address]bool // what it has loaded or set; only where it has one goroutine
	saver   *transaction     // the goroutine that has savepoints open; nil: none
	over    atomic.Bool      // a goroutine is committing or rolling back, or has; written with order held

	mu         sync.Mutex
	committing bool // the database's commit is running
	ended      bool
	belief     belief
	cuts       int         // how many clears and undone savepoints there were
	cut        map[any]int // by cache, slot, tag or anyTag: which was the last that concerned it
	underway   int         // changes of what the transaction sees of its own
	changes    int         // how many there were

	// landing counts, by address, the values of loaders that have returned and of
	// calls of Load that have not: nobody knows whether the cache has kept them.
	landing map[address]int
}

func newTransactionState(id int) *transactionState {
	return &transactionState{id: id, belief: newBelief(), touched: map[address]bool{}, cut: map[any]int{}, landing: map[address]int{}}
}

// anyTag is the key of the last cut that was of a tag.
type anyTag struct{}

// A glance is what was known of a transaction before a look-up.
type glance struct {
	detached bool
	ended    bool
	underway int
	changes  int
	cuts     int
	before   int // cuts when the load began for which this was taken: the cache counts them in between
	loader   bool
}

func (t *transaction) glance() glance {
	detached := t.detached(t.transactionState)
	t.transactionState.mu.Lock()
	defer t.transactionState.mu.Unlock()
	return glance{detached, t.ended, t.underway, t.changes, t.cuts, t.cuts, false}
}

// calm reports whether nothing has changed since then what the transaction sees
// of its own, but for the caller: so many changes of its own were under way
// then, and are now. t.mu is held.
func (s *transactionState) calm(since glance, then, now int) bool {
	return since.underway == then && s.underway == now && s.changes == since.changes
}

// change notes that what the transaction sees of its own is going to change,
// and returns what notes that it has. What other goroutines look up meanwhile
// may be what was before, or what is after.
func (s *transactionState) change() (changed func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underway++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.underway--
		s.changes++
	}
}

// ordered does a change that no other goroutine may come in between of; nothing
// if the transaction is over.
func (s *transactionState) ordered(do func() error) error {
	s.order.Lock()
	defer s.order.Unlock()
	if s.over.Load() {
		return nil
	}
	defer s.change()()
	return do()
}

// land adds n to how many values are landing in an address.
func (s *transactionState) land(at address, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.landing[at] += n; s.landing[at] == 0 {
		delete(s.landing, at)
	}
}

// believed returns a copy of the belief, for a savepoint. The cache may keep a
// value that is landing before the savepoint or within it, so that the copy is
// not sure of that.
func (s *transactionState) believed() belief {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := s.belief.clone()
	for at := range s.landing {
		copied.doubt(at)
	}
	return copied
}

// cleared notes that a cache was cleared.
func (s *transactionState) cleared(cache int) {
	s.cutOff(cache, func() { s.belief.clear(cache) })
}

// cutOff notes what was done to a cache, a slot or a tag.
func (s *transactionState) cutOff(at any, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done()
	s.cuts++
	s.cut[at] = s.cuts
}

// lastCut returns the last cut that concerned a value. s.mu must be held.
func (s *transactionState) lastCut(at address, v own, tagged bool) int {
	last := max(s.cut[at.cache], s.cut[at.slot()])
	if tagged && !v.absent {
		for _, tag := range v.Tags() {
			last = max(last, s.cut[tag])
		}
	}
	return last
}

// undone notes that a savepoint was undone, before which the belief was that.
func (s *transactionState) undone(before belief, caches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.belief.unsure {
		before.doubt(at)
	}
	s.belief = before
	s.cuts++
	for cache := range caches {
		s.cut[cache] = s.cuts
	}
}

// owes returns what the transaction must still do for a slot before it commits.
func (s *transactionState) owes(at slot) (d debt, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok = s.belief.owed[at]
	return d, ok
}
