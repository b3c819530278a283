package transaction

import (
	"sync"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// sumMask makes sums ones of 62 bits, as those of backend.Sums are.
const sumMask = 1<<62 - 1

// fill returns the fill of what t loads or sets under key: the number of its state, or
// where states have none the sum of the deletes that it shows.
func (c *Cache[K, V]) fill(t *Transaction, key K) uint64 {
	if !t.view.Unordered {
		return t.Number()
	}
	m, _ := t.marks(&c.Core)
	return c.sum(m, key)
}

// sum returns the fill that a value under key has if it is good for m, and was filled under the same
// deletes: the sum of those of the key, and where values bear tags that of the clears of all
// tags. Those of the value's own would not do. A newer value may bear other
// tags than the one that it replaced, which were not cleared, and an older snapshot must
// not find it.
func (c *Cache[K, V]) sum(m *databases.Marks, key K) uint64 {
	keys, tags := c.sums(m, key)
	return (keys + tags) & sumMask
}

// sums returns the two terms of sum.
func (c *Cache[K, V]) sums(m *databases.Marks, key K) (keys, tags uint64) {
	if m == nil {
		return 0, 0
	}
	hasKeys, hasTags := m.HasSums()
	if hasKeys {
		keys = m.KeySum(c.Keys.Hash(key))
	}
	if hasTags {
		tags = m.TagsSum()
	}
	return keys, tags
}

// A place says where among the states of a chain a value was filled; see backend.State.
type place struct {
	keys        uint64 // the sum of the deletes of its key
	chain, step uint64
}

// placeOf returns where t fills a value: nowhere, if it may be newer than the state of t. It may be of a
// commit that is lost in a failover or a restore, and then no clear would be of it. // P3
func (c *Cache[K, V]) placeOf(t *Transaction, key K) place {
	if !t.view.Exact {
		return place{}
	}
	m, _ := t.marks(&c.Core)
	return c.place(m, key)
}

func (c *Cache[K, V]) place(m *databases.Marks, key K) (p place) {
	if m != nil && m.Chain != 0 {
		p.keys, _ = c.sums(m, key)
		p.chain, p.step = m.Chain, m.Step
	}
	return p
}

// stays reports whether a value that was filled at p is good for m although tags were
// cleared since: m shows all that was shown at p, its key was not deleted between the
// two, and none of its own tags was cleared. A transaction that had changed its row would have
// cleared the value that was there, and that is this one. // P4, P11, P12
func (c *Cache[K, V]) stays(m *databases.Marks, key K, p place, tags func() []uint64) bool {
	if p.chain == 0 || p.chain != m.Chain || p.step > m.Step {
		return false
	}
	if keys, _ := c.sums(m, key); p.keys != keys {
		return false
	}
	for _, tag := range tags() {
		if m.TagSince(p.step, tag) {
			return false
		}
	}
	return true
}

// fills gives the fills of a generation whose states have no numbers short ones, as entries
// have few bits for a fill. A number stands for one sum, for as long as the generation lives.
type fills struct {
	mu      sync.RWMutex
	numbers map[uint64]uint64 // by sum
	places  []place           // of the numbers from first on
	zero    place             // of zeroSum
	first   uint64
	last    atomic.Pointer[numbered] // that was given
}

type numbered struct{ sum, number uint64 }

// The numbers of no sum and of the sum 0, which most keys have.
const (
	noSum   = 0
	zeroSum = 1
)

// maxSums is how many sums have numbers at most. The older half of more lose them, and
// values that were filled under these are misses.
const maxSums = 64 << 10

// find returns the number of a sum, noSum if it has none: nothing was filled under it.
func (f *fills) find(sum uint64) uint64 {
	if sum == 0 {
		return zeroSum
	}
	if l := f.last.Load(); l != nil && l.sum == sum {
		return l.number
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.numbers[sum]
}

// number returns the number of a sum, a new one if it has none, for a value filled at p. The values
// that have the number already are as good there: they were filled under the same deletes.
func (f *fills) number(sum uint64, p place) uint64 {
	if n := f.find(sum); n != noSum && (p.chain == 0 || f.place(n).chain == p.chain) {
		return n
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch n := f.numbers[sum]; {
	case sum == 0:
		f.zero = p
		return zeroSum
	case n != noSum:
		if p.chain != 0 {
			f.places[n-f.first] = p
		}
		return n
	}
	if f.numbers == nil {
		f.numbers, f.first = map[uint64]uint64{}, zeroSum+1
	}
	n := f.first + uint64(len(f.places))
	if n > near.MaxFill { // after a billion deletes
		return noSum
	}
	if len(f.places) == maxSums {
		f.forget(maxSums / 2)
	}
	f.numbers[sum] = n
	f.places = append(f.places, p)
	f.last.Store(&numbered{sum, n})
	return n
}

// forget takes their numbers from the n sums that have had theirs for longest.
func (f *fills) forget(n int) {
	f.first += uint64(n)
	f.places = append([]place(nil), f.places[n:]...)
	for sum, number := range f.numbers {
		if number < f.first {
			delete(f.numbers, sum)
		}
	}
}

// place returns where values with that number were filled; one without a chain if that is
// not known.
func (f *fills) place(number uint64) place {
	f.mu.RLock()
	defer f.mu.RUnlock()
	switch i := number - f.first; {
	case number == zeroSum:
		return f.zero
	case number >= f.first && i < uint64(len(f.places)):
		return f.places[i]
	}
	return place{}
}
