package transaction

import (
	"sync/atomic"
	"unsafe"

	"github.com/seed-dad15c92/txcache/internal/durations"
)

// Counters are what one cache counts. Every look-up counts a hit or a miss, so these
// are spread over stripes that goroutines on different processors hardly ever share, once
// there are many.
type Counters struct {
	spread atomic.Pointer[[stripes]stripe] // nil: only first counts

	// What is written seldom stands beside spread, which every hit reads.
	Clears, Verified, Mismatches, BadPayloads, Unencodable, Oversized, Floored atomic.Uint64

	Bypassed, RemoteHits, Loads, LoadErrors, Shared, Published atomic.Uint64
	AbsentHits, Leased, Waited, EarlyRefreshes, ExpiredHits    atomic.Uint64
	LoadTimes                                                  durations.Counter
	Bytes                                                      atomic.Int64
	Evictions, RemoteErrors, Overflows, Deletes, Deleted       atomic.Uint64

	first counts
}

const (
	stripes = 16   // a power of two
	few     = 1024 // look-ups, up to which one stripe is enough; most caches are small
)

type counts struct {
	hits, misses atomic.Uint64
	values       atomic.Int64 // that came less those that went
}

type stripe struct {
	counts
	_ [40]byte // to the end of the cache line
}

func (c *Counters) hit() {
	if all := c.spread.Load(); all != nil {
		own(all).hits.Add(1)
	} else if c.first.hits.Add(1) >= few {
		c.spreadOut()
	}
}

// Miss counts a miss.
func (c *Counters) Miss() { c.MissMany(1) }

// MissMany counts n misses.
func (c *Counters) MissMany(n int) {
	if all := c.spread.Load(); all != nil {
		own(all).misses.Add(uint64(n))
	} else if c.first.misses.Add(uint64(n)) >= few {
		c.spreadOut()
	}
}

func (c *Counters) spreadOut() { c.spread.CompareAndSwap(nil, new([stripes]stripe)) }

// addValues counts n more values in the process.
func (c *Counters) addValues(n int) {
	if all := c.spread.Load(); all != nil {
		own(all).values.Add(int64(n))
	} else {
		c.first.values.Add(int64(n))
	}
}

// HitsAndMisses returns how many there were.
func (c *Counters) HitsAndMisses() (hits, misses uint64) {
	for n := range c.all {
		hits += n.hits.Load()
		misses += n.misses.Load()
	}
	return hits, misses
}

// Values returns how many there are in the process.
func (c *Counters) Values() (values int) {
	for n := range c.all {
		values += int(n.values.Load())
	}
	return values
}

func (c *Counters) all(yield func(*counts) bool) {
	if !yield(&c.first) {
		return
	}
	if all := c.spread.Load(); all != nil {
		for i := range all {
			if !yield(&all[i].counts) {
				return
			}
		}
	}
}

// Count counts a look-up.
func (c *Counters) Count(f Found) {
	if !f.Known() {
		c.Miss()
		return
	}
	c.hit()
	if f == Absent {
		c.AbsentHits.Add(1)
	}
}

// MeanLoadTime returns how long a call of a loader takes, in nanoseconds.
func (c *Counters) MeanLoadTime() float64 {
	return float64(c.LoadTimes.Sum()) / float64(max(1, c.Loads.Load()))
}

// Bypass counts a miss that did not look.
func (c *Counters) Bypass() {
	c.Bypassed.Add(1)
	c.Miss()
}

// own returns a stripe that stays the same for a goroutine, mostly: it is chosen by
// where the goroutine's stack is. It is generic so that the compiler puts it in place
// where a cache is used; what is not generic it would call, from another package.
func own[S any](all *[stripes]S) *S {
	var here byte
	address := uint64(uintptr(unsafe.Pointer(&here))) >> 11 // the least stack is 2 kB
	return &all[address*0x9E3779B97F4A7C15>>60&(stripes-1)]
}
