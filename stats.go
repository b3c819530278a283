package txcache

import (
	"iter"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// Stats are the counts of one cache over all databases since it was made. They
// are read one after another while other goroutines count, so sums may be off by what
// happened in between.
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
	Mismatches     uint64        // those that were stale: the loader returned another value, and no transaction had cleared
	Clears         uint64        // commits that cleared the cache, those that failed included
	Deletes        uint64        // keys that commits deleted, those that failed included; a delete that became a clear of the cache is in Clears
	Deleted        uint64        // values that look-ups found, near or remote, and that a delete or a cleared tag had taken away
	Floored        uint64        // values that look-ups found, near or remote, and that may be older than a delete that was forgotten
	Floors         uint64        // how often this process learnt that deletes of keys of the cache were forgotten, which raises its floor
	Published      uint64        // values that commits of read-write transactions made visible
	Evictions      uint64        // values pushed out by the size limit
	Overflows      uint64        // values that a transaction set and could not keep; see Options.OverlaySize
	Values         int           // values in the process now; expired ones count until they are replaced
	Bytes          int64         // that these take, about; see Options.Memory
	RemoteErrors   uint64        // failed calls to the backend for values, reads and writes
	BadPayloads    uint64        // remote values that could not be decoded: misses
	Unencodable    uint64        // values that could not be encoded: kept in the process only
	Oversized      uint64        // values that the backend does not keep, as they are too large: kept in the process only

	LoadDurations backend.Durations // of Loads that have returned, by how long each took
}

// Stats returns the counts of every cache, in the order in which they were
// made.
func (s *Store) Stats() iter.Seq[Stats] {
	s.made()
	return func(yield func(Stats) bool) {
		for _, c := range s.inner.Caches() {
			if !yield(counts(c)) {
				return
			}
		}
	}
}

func counts(c *transaction.Core) Stats {
	n := &c.Counts
	s := Stats{
		Name:           c.Name,
		Bypassed:       n.Bypassed.Load(),
		RemoteHits:     n.RemoteHits.Load(),
		Loads:          n.Loads.Load(),
		LoadErrors:     n.LoadErrors.Load(),
		Shared:         n.Shared.Load(),
		AbsentHits:     n.AbsentHits.Load(),
		LoadTime:       n.LoadTimes.Sum(),
		Leased:         n.Leased.Load(),
		Waited:         n.Waited.Load(),
		EarlyRefreshes: n.EarlyRefreshes.Load(),
		ExpiredHits:    n.ExpiredHits.Load(),
		Verified:       n.Verified.Load(),
		Mismatches:     n.Mismatches.Load(),
		Clears:         n.Clears.Load(),
		Deletes:        n.Deletes.Load(),
		Deleted:        n.Deleted.Load(),
		Floored:        n.Floored.Load(),
		Floors:         c.Floors.Load(),
		Published:      n.Published.Load(),
		Evictions:      n.Evictions.Load(),
		Overflows:      n.Overflows.Load(),
		RemoteErrors:   n.RemoteErrors.Load(),
		BadPayloads:    n.BadPayloads.Load(),
		Unencodable:    n.Unencodable.Load(),
		Oversized:      n.Oversized.Load(),
		Values:         n.Values(),
		Bytes:          n.Bytes.Load(),
		LoadDurations:  n.LoadTimes.Durations(),
	}
	s.Hits, s.Misses = n.HitsAndMisses()
	return s
}
