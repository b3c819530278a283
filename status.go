package txcache

import (
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/witness"
)

// A Status is how a store gets along with its backend: counts since it was made,
// and its condition now. What concerns single caches is in [Stats].
type Status struct {
	Stateless uint64 // transactions that began while the backend could not be reached: they bypass every cache
	Fences    uint64 // commits that fenced what they cleared
	Refused   uint64 // commits that were not run because the backend could not be told of their clears
	Delayed   uint64 // clears that the backend could not be told of at once
	InDoubt   uint64 // commits whose caches stayed fenced for a lease; see ErrInDoubt
	Drops     uint64 // databases dropped by this store, failed attempts included

	Waiting   int           // committed clears that the backend could not be told of yet
	Databases int           // those that this process has used and that have not left
	Left      uint64        // databases that have left, as they were not used for long and others needed the memory; see Options.Memory
	Memory    int64         // bytes that the databases take in the process, about
	MemoryMax int64         // that they may take; 0: there is no limit
	Staleness time.Duration // how late a transaction may learn what other processes commit, at most; 0: it knows as it begins

	CommitTime      time.Duration     // that the database commits with a clear or a delete took together, from telling the backend what is about to be cleared until it was told of the clear
	CommitDurations backend.Durations // of these commits, by how long each took

	Backend *backend.Stats // nil if the backend keeps none
}

// Status returns the store's present status.
func (s *Store) Status() Status {
	s.made()
	d := &s.databases.Counts
	status := Status{
		Stateless: s.stateless.Load(),
		Fences:    d.Fences.Load(),
		Refused:   d.Refused.Load(),
		Delayed:   d.Delayed.Load(),
		InDoubt:   d.InDoubt.Load(),
		Drops:     d.Drops.Load(),
		Waiting:   s.inner.Committer.Waiting(),
		Staleness: s.opts.Poll,

		CommitTime:      d.Commits.Sum(),
		CommitDurations: d.Commits.Durations(),
	}
	status.Databases, status.Left = s.databases.Used()
	if status.Memory = s.databases.Memory(); s.opts.Memory != math.MaxInt64 {
		status.MemoryMax = s.opts.Memory
	}
	if b, ok := s.databases.Backend.(backend.Observed); ok {
		stats := b.Stats()
		status.Backend = &stats
		status.Staleness += stats.Staleness
	}
	return status
}

// A DatabaseStatus is what a process holds of one database.
type DatabaseStatus struct {
	Name   string
	Caches []CacheStatus // those that were read or filled since they were last cleared, by name
}

// A CacheStatus is what a process holds of one cache in one database.
type CacheStatus struct {
	Name       string
	Generation backend.Token // "" if it is not known
	Fenced     bool          // the cache is bypassed: a transaction is committing a clear of it
	Values     int           // expired ones count until they are replaced
}

// Databases returns what this process holds of the databases that it has used,
// as far as it knows: it does not ask the backend. They come in no order.
func (s *Store) Databases() iter.Seq[DatabaseStatus] {
	s.made()
	return func(yield func(DatabaseStatus) bool) {
		for db := range s.databases.All() {
			if !yield(databaseStatus(db)) {
				return
			}
		}
	}
}

func databaseStatus(db *databases.Database) DatabaseStatus {
	status := DatabaseStatus{Name: db.Name}
	for _, h := range db.Holdings() {
		status.Caches = append(status.Caches, CacheStatus{Name: h.Cache.Name, Generation: h.Generation, Fenced: h.Private, Values: h.Values})
	}
	slices.SortFunc(status.Caches, func(a, b CacheStatus) int { return strings.Compare(a.Name, b.Name) })
	return status
}

func init() {
	witness.Attach = func(store any, f witness.Func) { store.(*Store).inner.Witness.Store(&f) }
	witness.WatchCommits = func(store any, f witness.CommitFunc) { store.(*Store).inner.Commits.Store(&f) }
	witness.Showing = func(store any, table string) []string { return store.(*Store).inner.Showing(table) }
	witness.Verify = func(store any, f witness.StaleFunc) { store.(*Store).loads.VerifyAll(f) }
}
