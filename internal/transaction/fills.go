package transaction

import (
	"sync"

	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// sumMask makes sums ones of 62 bits, as those of backend.Sums are.
const sumMask = 1<<62 - 1

// fill returns the fill of what t loads or sets under key: the number of its state, or
// where states have no order the sum of the deletes that it shows.
func (c *Cache[K, V]) fill(t *Transaction, key K) uint64 {
	if !t.view.Unordered {
		return t.Number()
	}
	m, _ := t.marks(&c.Core)
	return c.sum(m, key)
}

// sum returns the fill that a value under key must have to be good for m, whose state has
// no order: the sum of the deletes of the key, and where values bear tags that of the
// clears of all tags. Those of the value's own would not do. A newer value may bear other
// tags than the one that it replaced, which were not cleared, and an older snapshot must
// not find it.
func (c *Cache[K, V]) sum(m *databases.Marks, key K) (sum uint64) {
	if m == nil {
		return 0
	}
	hasKeys, hasTags := m.HasSums()
	if hasKeys {
		sum = m.KeySum(c.Keys.Hash(key))
	}
	if hasTags {
		sum += m.TagsSum()
	}
	return sum & sumMask
}

// sums give the sums of a generation numbers of their own, as entries have few bits for
// a fill. A number stands for one sum, for as long as the generation lives.
type sums struct {
	mu      sync.RWMutex
	numbers map[uint64]uint64
	last    uint64 // number that was given
}

// The numbers of no sum and of the sum 0, which most keys have.
const (
	noSum   = 0
	zeroSum = 1
)

// maxSums is how many sums have numbers at most. Values whose sum has lost its number are
// misses.
const maxSums = 64 << 10

// find returns the number of a sum, noSum if it has none: nothing was filled under it.
func (s *sums) find(sum uint64) uint64 {
	if sum == 0 {
		return zeroSum
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.numbers[sum]
}

// number returns the number of a sum, a new one if it has none.
func (s *sums) number(sum uint64) uint64 {
	if n := s.find(sum); n != noSum {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.numbers[sum]; n != noSum {
		return n
	}
	if s.last == near.MaxFill { // after a billion deletes
		return noSum
	}
	if s.numbers == nil || len(s.numbers) == maxSums {
		s.numbers = map[uint64]uint64{}
	}
	s.last = max(s.last, zeroSum) + 1
	s.numbers[sum] = s.last
	return s.last
}
