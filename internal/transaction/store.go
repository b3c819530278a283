package transaction

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/quiet"
	"github.com/seed-dad15c92/txcache/internal/witness"
)

// Options are what the package needs of its store.
type Options struct {
	Databases *databases.Registry
	Logger    *slog.Logger // for what is logged once
	NoNear    bool         // values are kept in the backend only, if it keeps any
	Ignored   []string     // keys of user contexts that make no difference to any cache

	Fence         time.Duration // the lease of a fence
	CommitTimeout time.Duration // of the commit function
	NotCommitted  func(error) bool
}

// A Store is what the transactions and caches of one store have in common. It is
// safe for concurrent use.
type Store struct {
	Options
	Committer *databases.Committer
	Log       *quiet.Logger
	Trace     databases.Trace

	Values  backend.Values  // nil if the backend keeps none
	Swapper backend.Swapper // nil if the backend keeps no values, or cannot
	timed   backend.Timed   // nil if the backend keeps no values, or does not say for how long
	longest time.Duration   // for which Values keeps a value; 0: no limit
	largest int             // value that Values keeps; 0: no limit

	// Witness is called with each value that is cached; nil: it is not called.
	Witness atomic.Pointer[witness.Func]

	// Commits is called with each transaction whose database is asked to commit; nil: it is
	// not called.
	Commits atomic.Pointer[witness.CommitFunc]

	// ignored are the keys of user contexts that make no difference to any cache,
	// ignoredBySome those that make no difference to at least one cache.
	ignored       *canon.Ignored
	ignoredBySome atomic.Pointer[canon.Ignored]

	mu     sync.Mutex
	caches []*Core            // in the order of their IDs, which start at 1
	names  map[string]bool    // of caches
	tables map[string][]shown // by the last part of the table's name
}

// NewStore returns a store without caches.
func NewStore(o Options) *Store {
	d := o.Databases
	s := &Store{
		Options: o, Committer: databases.NewCommitter(d), Log: d.Log, Trace: d.Trace,
		ignored: canon.NewIgnored(o.Ignored...), names: map[string]bool{}, tables: map[string][]shown{},
	}
	if s.Values, _ = d.Backend.(backend.Values); s.Values == nil {
		s.NoNear = false
		return s
	}
	s.Swapper, _ = d.Backend.(backend.Swapper)
	s.timed, _ = d.Backend.(backend.Timed)
	if limited, ok := d.Backend.(backend.Limited); ok {
		s.longest = limited.TTL()
	}
	if bounded, ok := d.Backend.(backend.Bounded); ok {
		s.largest = bounded.Largest()
	}
	return s
}

// Caches returns the caches, in the order in which they were made.
func (s *Store) Caches() []*Core {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.caches
}

// add gives c, which ignores those keys and shows those tables, its ID. It returns false if its name is
// taken.
func (s *Store) add(c *Core, ignored []string, tables []shown) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names[c.Name] {
		return false
	}
	s.names[c.Name] = true
	c.ID = uint32(len(s.caches) + 1)
	c.bit = 1 << (c.ID % 64)
	s.caches = append(s.caches, c) // Caches has given out shorter slices, which stay as they are
	for _, table := range tables {
		key := table.name.last()
		s.tables[key] = append(s.tables[key], table)
	}
	s.ignoredBySome.Store(s.ignoredBySome.Load().Extended(ignored))
	return true
}

// Take returns user with values merged over its own; see [canon.Context.Take].
func (s *Store) Take(user *canon.Context, values map[string]any) *canon.Context {
	return user.Take(values, s.ignored, s.ignoredBySome.Load())
}

// CountClears counts a commit that cleared the caches of f and deleted its keys.
func (s *Store) CountClears(f *backend.Fence) {
	for _, c := range s.Caches() {
		if databases.Covers(f, c.Name) {
			c.Counts.Clears.Add(1)
		}
		for _, k := range f.Keys {
			if k.Cache == c.Name {
				c.Counts.Deletes.Add(uint64(len(k.Hashes)))
			}
		}
	}
}
