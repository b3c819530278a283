package txcache

import (
	"iter"
	"sync/atomic"
	"time"
	"unsafe"
)

// Stats are the counts of one cache over all databases since it was made. They
// are read one after another while others count, so that sums may be off by
// what happened in between.
type Stats struct {
	Name   string
	Hits   uint64 // values found: in the transaction, near or remote
	Misses uint64 // values not found, or not looked for because the cache was private or fenced

	AbsentHits     uint64        // those hits that found that the database has nothing there
	Bypassed       uint64        // those misses that did not look: the cache was private or fenced, the key or context unusable, the transaction finished
	RemoteHits     uint64        // those hits that came from the backend
	Loads          uint64        // calls of loaders
	LoadErrors     uint64        // those that failed
	LoadTime       time.Duration // that they took together
	Shared         uint64        // keys that were loaded for another caller of the process at the same time
	Leased         uint64        // keys that were loaded under a lease; see CacheOptions.Lease
	Waited         uint64        // keys that another process has loaded meanwhile
	EarlyRefreshes uint64        // values loaded again in the background before they expired
	ExpiredHits    uint64        // expired values returned because their loader failed; see CacheOptions.StaleFor
	Verified       uint64        // hits compared with what their loader returned; see CacheOptions.Verify
	Mismatches     uint64        // those that were stale: something else was loaded, and nobody had cleared
	Clears         uint64        // commits that cleared the cache, those that failed included
	Published      uint64        // values that commits of read-write transactions made visible
	Evictions      uint64        // values pushed out by the size limit
	Overflows      uint64        // values that a transaction set and could not keep; see Options.OverlaySize
	Values         int           // values in the process now; expired ones count until they are replaced
	RemoteErrors   uint64        // failed calls to the backend for values, reads and writes
	BadPayloads    uint64        // remote values that could not be decoded: misses
	Unencodable    uint64        // values that could not be encoded: kept in the process only
	Oversized      uint64        // values that the backend does not keep, as they are too large: kept in the process only
}

// Stats returns the counts of every cache, in the order in which they were
// made. It looks at every database that the process has used.
func (s *Store) Stats() iter.Seq[Stats] {
	s.made()
	return func(yield func(Stats) bool) {
		for _, stats := range s.statsOf(s.all()) {
			if !yield(stats) {
				return
			}
		}
	}
}

func (s *Store) statsOf(caches []*core) []Stats {
	stats := make([]Stats, len(caches))
	byID := make(map[uint32]*Stats, len(caches))
	for i, c := range caches {
		stats[i] = c.snapshot()
		byID[c.id] = &stats[i]
	}
	for db := range s.databases() {
		db.count(byID)
	}
	return stats
}

// counters are what one cache counts. Hits and misses are on everyone's path,
// so they are spread over stripes that goroutines on different processors
// hardly ever share.
type counters struct {
	stripes [stripes]stripe

	bypassed, remoteHits, loads, loadErrors, shared, clears, published      atomic.Uint64
	absentHits, leased, waited, earlyRefreshes, expiredHits                 atomic.Uint64
	loadTime                                                                atomic.Int64
	verified, mismatches, evictions, remoteErrors, badPayloads, unencodable atomic.Uint64
	overflows, oversized                                                    atomic.Uint64
}

const stripes = 16 // a power of two

type stripe struct {
	hits, misses atomic.Uint64
	_            [48]byte // to the end of the cache line
}

func (c *counters) hit()  { c.stripe().hits.Add(1) }
func (c *counters) miss() { c.stripe().misses.Add(1) }

func (c *counters) missMany(n int) { c.stripe().misses.Add(uint64(n)) }

// count counts a look-up.
func (c *counters) count(f found) {
	if !f.known() {
		c.miss()
		return
	}
	c.hit()
	if f == absent {
		c.absentHits.Add(1)
	}
}

// meanLoadTime returns how long a call of a loader takes, in nanoseconds.
func (c *counters) meanLoadTime() float64 {
	return float64(c.loadTime.Load()) / float64(max(1, c.loads.Load()))
}

// bypass counts a miss that did not look.
func (c *counters) bypass() {
	c.bypassed.Add(1)
	c.miss()
}

// stripe returns a stripe that stays the same for a goroutine, mostly: it is
// chosen by where the goroutine's stack is.
func (c *counters) stripe() *stripe {
	var here byte
	address := uint64(uintptr(unsafe.Pointer(&here))) >> 11 // the least stack is 2 kB
	return &c.stripes[address*0x9E3779B97F4A7C15>>60&(stripes-1)]
}

func (c *core) snapshot() Stats {
	s := Stats{
		Name:           c.name,
		Bypassed:       c.stats.bypassed.Load(),
		RemoteHits:     c.stats.remoteHits.Load(),
		Loads:          c.stats.loads.Load(),
		LoadErrors:     c.stats.loadErrors.Load(),
		Shared:         c.stats.shared.Load(),
		AbsentHits:     c.stats.absentHits.Load(),
		LoadTime:       time.Duration(c.stats.loadTime.Load()),
		Leased:         c.stats.leased.Load(),
		Waited:         c.stats.waited.Load(),
		EarlyRefreshes: c.stats.earlyRefreshes.Load(),
		ExpiredHits:    c.stats.expiredHits.Load(),
		Verified:       c.stats.verified.Load(),
		Mismatches:     c.stats.mismatches.Load(),
		Clears:         c.stats.clears.Load(),
		Published:      c.stats.published.Load(),
		Evictions:      c.stats.evictions.Load(),
		Overflows:      c.stats.overflows.Load(),
		RemoteErrors:   c.stats.remoteErrors.Load(),
		BadPayloads:    c.stats.badPayloads.Load(),
		Unencodable:    c.stats.unencodable.Load(),
		Oversized:      c.stats.oversized.Load(),
	}
	for i := range c.stats.stripes {
		s.Hits += c.stats.stripes[i].hits.Load()
		s.Misses += c.stats.stripes[i].misses.Load()
	}
	return s
}
