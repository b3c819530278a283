package near

import (
	"sync"
	"sync/atomic"
)

// A Map keeps at most a fixed number of values, each under a key. It is safe
// for concurrent use.
//
// The caller must give the hash of each key: equal keys must have equal hashes, well
// mixed, as those of hash/maphash are. Only the low 32 bits count.
type Map[K comparable, V any] struct {
	// table is nil until the first Set. A search loads it once and then needs
	// no lock, for these reasons.
	//
	// An entry does not change, so a search that finds one has a key, a value
	// and an expiry that belong together. It stays in its slot, under its tag,
	// until it is removed, and the buckets between its home and its slot are
	// marked as passed before it gets its tag and as long as it is there. A new
	// value for its key goes into the same slot by one store. So a search that
	// begins after an entry was put in, and ends before it is removed, meets it.
	//
	// When the table grows, the entries are put into another table, which is
	// then published by one store, and nothing is ever changed in the old one.
	// A search that is still busy in it sees the map as it was at that moment,
	// which is after the search began.
	table atomic.Pointer[table[K, V]]

	owner Owner[K, V] // nil: none

	mu     sync.Mutex // for all that follows, and for changing the table
	size   int
	count  int
	policy *policy // nil until the map is full and wants room
	weight int     // of all entries together
	told   int     // bytes of which the owner knows
	timed  uint32  // entries that expire, or were let go of
	swept  uint32  // the slot that Trim looks at next
}

// New returns an empty Map that keeps at most size values; a size below 1
// counts as 1. It allocates as values come.
func New[K comparable, V any](size int) *Map[K, V] {
	return &Map[K, V]{size: max(1, size)}
}

// SetOwner makes o the owner of a Map that is not in use yet.
func (m *Map[K, V]) SetOwner(o Owner[K, V]) { m.owner = o }

// Get returns the value of key, whose hash is given, unless it is not there or
// has expired. It takes no lock and allocates nothing, and reads the clock only
// if the value expires at some time.
func (m *Map[K, V]) Get(key K, hash uint64) (value V, ok bool) {
	e := m.Find(key, hash)
	if e == nil || e.Expired() {
		return value, false
	}
	return e.Use(), true
}

// Find returns the entry of key, whose hash is given, or nil if there is none. The entry
// may have expired.
func (m *Map[K, V]) Find(key K, hash uint64) *Entry[K, V] {
	e, _ := m.table.Load().search(key, uint32(hash))
	return e
}

// Set puts value under key, whose hash is given, in place of what was there
// before. Where there is no room another value goes. From the moment expires
// on, as Now counts, the value is not found any more; 0 means never. Fill
// is a number that the caller keeps with the value.
func (m *Map[K, V]) Set(key K, hash uint64, value V, expires int64, fill uint64) {
	e := newEntry(key, uint32(hash), value, expires, fill)
	w := m.weigh(e)
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.table.Load()
	if t == nil {
		t = newTable[K, V](1)
		m.table.Store(t)
	}
	if old, slot := t.search(key, uint32(hash)); old != nil {
		e.setUses(old.uses())
		slot.Store(e)
		m.timed += e.timed() - old.timed()
		m.reweigh(t, t.number(slot, uint32(hash)), w)
		m.tell(0)
		return
	}
	more := 1
	if m.count == m.size {
		m.evict(t)
		more = 0
	} else if m.count == t.limit() {
		t = t.resized(min(2*len(t.buckets), bucketsFor(m.size)))
		m.table.Store(t)
	}
	slot := t.insert(e)
	m.count++
	m.timed += e.timed()
	m.reweigh(t, slot, w)
	m.tell(more)
	if m.policy != nil {
		m.policy.added(uint32(hash), slot)
	}
}

// evict removes the entry that the policy chooses. A full map has a table that
// will not grow, so slots are names that last.
func (m *Map[K, V]) evict(t *table[K, V]) {
	if m.policy == nil {
		m.policy = newPolicy(m.size, t.slots())
	}
	v := eviction[K, V]{policy: m.policy, table: t, count: m.count, timed: m.timed > 0}
	m.remove(t, v.victim())
	m.evicted()
}

// evicted tells the owner of an eviction.
func (m *Map[K, V]) evicted() {
	if m.owner != nil && m.told != nothingMore {
		m.owner.Evicted()
	}
}

// remove takes the entry out of a slot. The caller must tell the owner.
func (m *Map[K, V]) remove(t *table[K, V], slot int) {
	m.timed -= t.slot(slot).Load().timed()
	t.remove(slot)
	m.reweigh(t, slot, 0)
	m.count--
}

// Len returns how many values are kept, expired ones included that have not
// made room yet.
func (m *Map[K, V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}

// Retire lets go of all values. They do not count as evicted. The owner is told of nothing more.
func (m *Map[K, V]) Retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.table.Store(nil)
	values := m.count
	m.count, m.timed, m.weight, m.policy = 0, 0, 0, nil
	m.tell(-values)
	m.told = nothingMore
}
