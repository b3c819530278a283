package redisbackend

import (
	"sync"
	"sync/atomic"
)

// usualSize is what a value is expected to take, in bytes, of whose cache
// nothing is known.
const usualSize = 1 << 10

// sizes remember how large the values of each cache were of late, so that no
// more are asked for at once than one reply ought to carry.
type sizes struct {
	mu      sync.RWMutex
	byCache map[string]*size
}

// A size is that of the values of a cache, in bytes.
type size struct{ bytes atomic.Int64 }

// of returns the size of the values of cache.
func (s *sizes) of(cache string) *size {
	s.mu.RLock()
	found := s.byCache[cache]
	s.mu.RUnlock()
	if found != nil {
		return found
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found = s.byCache[cache]; found == nil {
		if s.byCache == nil {
			s.byCache = map[string]*size{}
		}
		found = &size{}
		found.bytes.Store(usualSize)
		s.byCache[cache] = found
	}
	return found
}

// batch returns how many of n values are to be asked for at once.
func (s *size) batch(n int) int {
	return min(n, max(1, batchBytes/int(s.bytes.Load())), maxGets*multiGet)
}

// note takes note that n values took so many bytes together. The size rises at once
// and falls slowly.
func (s *size) note(n, bytes int) {
	if n == 0 {
		return
	}
	is := max(1, int64(bytes/n))
	switch was := s.bytes.Load(); {
	case is > was:
		s.bytes.Store(is)
	case was-is >= 8: // else it stays, and nothing is written
		s.bytes.Store(was - (was-is)/8)
	}
}

// observe takes note of the values that were found.
func (s *size) observe(found [][]byte) {
	n, bytes := 0, 0
	for _, data := range found {
		if data != nil {
			n, bytes = n+1, bytes+len(data)
		}
	}
	s.note(n, bytes)
}
