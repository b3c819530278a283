package transaction

import (
	"sync/atomic"
	"unsafe"

	"github.com/seed-dad15c92/txcache/internal/durations"
)

// Counters are what one cache counts. Every look-up counts a hit or a miss, so these
// are spread over stripes that goroutines on different processors hardly ever share.
type Counters struct {
	stripes [stripes]stripe

	Bypassed, RemoteHits, Loads, LoadErrors, Shared, Clears, Published      atomic.Uint64
	AbsentHits, Leased, Waited, EarlyRefreshes, ExpiredHits                 atomic.Uint64
	LoadTimes                                                               durations.Counter
	Bytes                                                                   atomic.Int64
	Verified, Mismatches, Evictions, RemoteErrors, BadPayloads, Unencodable atomic.Uint64
	Overflows, Oversized, Deletes, Deleted, Floored                         atomic.Uint64
}

const stripes = 16 // a power of two

type stripe struct {
	hits, misses atomic.Uint64
	values       atomic.Int64 // that came less those that went
	_            [40]byte     // to the end of the cache line
}

func (c *Counters) hit() { own(&c.stripes).hits.Add(1) }

// Miss counts a miss.
func (c *Counters) Miss() { own(&c.stripes).misses.Add(1) }

// MissMany counts n misses.
func (c *Counters) MissMany(n int) { own(&c.stripes).misses.Add(uint64(n)) }

// HitsAndMisses returns how many there were.
func (c *Counters) HitsAndMisses() (hits, misses uint64) {
	for i := range c.stripes {
		hits += c.stripes[i].hits.Load()
		misses += c.stripes[i].misses.Load()
	}
	return hits, misses
}

// Values returns how many there are in the process.
func (c *Counters) Values() (values int) {
	for i := range c.stripes {
		values += int(c.stripes[i].values.Load())
	}
	return values
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
