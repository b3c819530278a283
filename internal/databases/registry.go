package databases

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/durations"
	"github.com/seed-dad15c92/txcache/internal/limits"
	"github.com/seed-dad15c92/txcache/internal/near"
	"github.com/seed-dad15c92/txcache/internal/quiet"
)

// Options are what the package needs of its store.
type Options struct {
	Backend        backend.Backend
	Log            *quiet.Logger
	Trace          Trace
	Polls          bool // Sync may be called with a poll that is positive
	CommitOnOutage bool
	Memory         int64 // about how many bytes the databases may take
}

// A Trace is called when an operation begins. It returns the context for the operation
// and a function that must be called at its end, with its error.
type Trace func(ctx context.Context, operation, database, cache string, keys int) (context.Context, func(error))

// Counts are what the package counts.
type Counts struct {
	Fences  atomic.Uint64     // commits that fenced what they cleared
	Refused atomic.Uint64     // commits that were not run because the backend could not be told of their clears
	Delayed atomic.Uint64     // clears that the backend could not be told of at once
	InDoubt atomic.Uint64     // commits whose caches stayed fenced for a lease
	Drops   atomic.Uint64     // databases dropped, failed attempts included
	Commits durations.Counter // commits that cleared, from the fence or the record to the clear
}

// A Registry is the databases that a process uses. It is safe for concurrent use.
type Registry struct {
	Options
	Counts Counts

	Enlister backend.Enlister // nil if the backend is none

	aged    backend.Aged // nil if the backend always knows the newest state
	numbers atomic.Bool  // the backend counts changes
	closed  atomic.Bool
	byName  sync.Map   // of string to *Database; those that were used and have not left
	away    sync.Map   // of string to weak.Pointer[Database]; those that have left, while anybody refers to them
	mu      sync.Mutex // for adding to byName
	budget  *budget

	buryMu sync.Mutex
	buried []departed // databases that have left, and to which nobody refers any more; guarded by buryMu

	forgetter backend.Forgetter // nil if the backend keeps nothing of databases, or cannot forget it
}

// New returns a registry of no databases.
func New(o Options) *Registry {
	r := &Registry{Options: o}
	r.budget = newBudget(r, o.Memory)
	r.aged, _ = o.Backend.(backend.Aged)
	r.forgetter, _ = o.Backend.(backend.Forgetter)
	if r.Enlister, _ = o.Backend.(backend.Enlister); r.Enlister != nil {
		r.numbers.Store(true)
	}
	return r
}

// Times are when a transaction began, and when its state was last known to be the
// newest, as near.Now counts; 0 if it never was.
type Times struct{ Began, Synced int64 }

// Sync returns the newest view of the database. It does not ask the backend if the
// view was known to be the newest less than poll ago.
func (r *Registry) Sync(ctx context.Context, name string, poll time.Duration) (db *Database, v *View, at Times, err error) {
	for {
		if r.closed.Load() {
			return nil, nil, at, ErrClosed
		}
		db, err := r.database(name)
		if err != nil {
			return nil, nil, at, err
		}
		r.budget.touch(db)
		now := near.Now() // before the call: the state can only be newer
		if poll > 0 {
			synced := db.synced.Load()
			if v := db.newest.Load(); v.State != nil && now-synced < int64(poll) {
				return db, v, Times{now, synced}, nil
			}
		}
		state, age, err := r.state(ctx, name)
		if err != nil {
			return db, nil, at, Unavailable(ctx, "synchronisation", name, err)
		}
		if r.Enlister != nil { // without a transaction of the database there is no snapshot
			if v := db.unorderedView(state, false); v != nil {
				return db, v, Times{now, now}, nil
			}
			continue
		}
		if state.Number > 0 && !r.numbers.Load() {
			r.numbers.Store(true)
		}
		if v := db.install(state); v != nil {
			synced := now - int64(age)
			if r.Polls {
				db.synced.Store(synced)
			}
			return db, v, Times{now, synced}, nil
		}
		// Dropped since it was looked up: its successor has another state.
	}
}

// Own returns the view of the state that a transaction of the database has by its own
// snapshot; exact says that it has one.
func (r *Registry) Own(name string, s *backend.State, exact bool) (*Database, *View, error) {
	for {
		if r.closed.Load() {
			return nil, nil, ErrClosed
		}
		db, err := r.database(name)
		if err != nil {
			return nil, nil, err
		}
		r.budget.touch(db)
		if v := db.unorderedView(s, exact); v != nil {
			return db, v, nil
		}
	}
}

// state asks the backend for the state of a database, and how late it may be.
func (r *Registry) state(ctx context.Context, name string) (*backend.State, time.Duration, error) {
	if r.aged != nil {
		return r.aged.SyncAged(ctx, name)
	}
	state, err := r.Backend.Sync(ctx, name)
	return state, 0, err
}

// database returns the database of that name, a new one if it was not used before.
func (r *Registry) database(name string) (*Database, error) {
	if db, ok := r.byName.Load(name); ok {
		return db.(*Database), nil
	}
	if err := limits.CheckName("database", name); err != nil {
		return nil, err
	}
	return r.entry(name), nil
}

// entry is database for a name that is known to be valid.
func (r *Registry) entry(name string) *Database {
	if db, ok := r.byName.Load(name); ok {
		return db.(*Database)
	}
	r.budget.makeRoom(nil) // for it may never keep a value; before it is there, else it could leave at once, again and again
	r.mu.Lock()
	defer r.mu.Unlock()
	if db, ok := r.byName.Load(name); ok {
		return db.(*Database)
	}
	r.forget()
	db := r.back(name)
	if db == nil {
		db = newDatabase(name, nil, r.budget)
	}
	r.byName.Store(name, db)
	r.budget.join(db)
	return db
}

// hold makes the caches of f private to every transaction of this process in the
// database of that name, until release. If the database was dropped, it holds them in
// its successor.
func (r *Registry) hold(name string, f *backend.Fence) {
	for !r.entry(name).hold(f) {
	}
}

// release ends hold. state shows the clear of f, or is nil if there was none.
func (r *Registry) release(name string, f *backend.Fence, state *backend.State) {
	for !r.entry(name).release(f, state) {
	}
}

// Drop tells the backend to drop a database, and detaches the transactions of this
// process that use it. It does so after an error too: the backend may have dropped the
// database, and a miss does no harm.
func (r *Registry) Drop(ctx context.Context, name string) error {
	if r.closed.Load() {
		return ErrClosed
	}
	if err := limits.CheckName("database", name); err != nil {
		return err
	}
	r.Counts.Drops.Add(1)
	calling, end := r.Trace(ctx, "drop", name, "", 0)
	err := r.Backend.Drop(calling, name)
	end(err)
	r.detach(name)
	if err != nil {
		return Unavailable(ctx, "drop", name, err)
	}
	return nil
}

// detach detaches the transactions of a database that was dropped.
func (r *Registry) detach(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	db := r.back(name)
	if in, ok := r.byName.Load(name); ok {
		db = in.(*Database)
	}
	if db != nil {
		r.end(db)
	}
}

// end is detach for a database that was looked up. It may have left since. r.mu is held.
func (r *Registry) end(db *Database) {
	next := db.drop(&r.byName)
	r.away.CompareAndDelete(db.Name, weak.Make(db)) // it must not come back
	r.budget.part(db)
	if next != nil {
		r.budget.join(next)
	}
}

// Numbers reports whether the backend counts changes, or sums them up, as far as is
// known: then it can delete keys.
func (r *Registry) Numbers() bool { return r.numbers.Load() }

// All returns the databases that were used, in no order.
func (r *Registry) All() iter.Seq[*Database] {
	return func(yield func(*Database) bool) {
		r.byName.Range(func(_, db any) bool { return yield(db.(*Database)) })
	}
}

// Memory returns about how many bytes the databases take.
func (r *Registry) Memory() int64 { return r.budget.used.Load() }

// Used returns how many databases there are, and how many have left to make room.
func (r *Registry) Used() (databases int, left uint64) {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	return r.budget.len(), r.budget.left.Load()
}

// Close makes Sync and Drop answer ErrClosed. It reports false if it was called
// before.
func (r *Registry) Close() bool { return !r.closed.Swap(true) }

// Closed reports whether Close was called.
func (r *Registry) Closed() bool { return r.closed.Load() }
