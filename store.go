package txcache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/limits"
	"github.com/seed-dad15c92/txcache/internal/near"
	"github.com/seed-dad15c92/txcache/internal/witness"
)

// A Store is the caches of a process and the backend that they share with
// other processes. It is safe for concurrent use. A service opens one, makes
// its caches with [NewCache], and begins a transaction of the store with each
// transaction of its database.
type Store struct {
	backend backend.Backend
	aged    backend.Aged    // nil if the backend always knows the newest state
	values  backend.Values  // nil if the backend keeps none
	timed   backend.Timed   // nil if the backend keeps no values, or does not tell for how long
	swapper backend.Swapper // nil if the backend keeps no values, or cannot
	longest time.Duration   // for which values keeps any; 0: no limit
	largest int             // that values keeps; 0: no limit
	opts    Options
	quiet   *quieter
	counts  storeCounts
	witness atomic.Pointer[witness.Func] // of values that are cached; nil: none

	// reportStale is told of stale hits; if it is not nil, every hit is verified.
	reportStale atomic.Pointer[func(database, cache string, key, cached, loaded any)]

	closed    atomic.Bool
	byName    sync.Map // of string to *database; those that were used
	announcer *announcer
	tasks     *tasks

	// ignored are the keys of user contexts that make no difference to any cache,
	// ignoredBySome all those that make none to some cache.
	ignored       *canon.Ignored
	ignoredBySome atomic.Pointer[canon.Ignored]

	mu     sync.Mutex
	caches []*core         // in the order of their ids, which start at 1
	names  map[string]bool // of caches
}

// New returns a store over a backend of one's own; [Open] and [OpenConfig] make
// one from configuration. The store owns b from then on and closes it. opts may
// be nil.
func New(b backend.Backend, opts *Options) (*Store, error) {
	if b == nil {
		return nil, errors.New("txcache: New needs a backend; it got nil")
	}
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{backend: b, opts: o, quiet: newQuieter(o.Logger), ignored: canon.NewIgnored(o.ContextIgnoredKeys...), names: map[string]bool{}}
	s.aged, _ = b.(backend.Aged)
	s.values, _ = b.(backend.Values)
	if s.values == nil {
		s.opts.NoNear = false
	} else {
		s.swapper, _ = b.(backend.Swapper)
		s.timed, _ = b.(backend.Timed)
		if limited, ok := b.(backend.Limited); ok {
			s.longest = limited.TTL()
		}
		if bounded, ok := b.(backend.Bounded); ok {
			s.largest = bounded.Largest()
		}
	}
	s.announcer, s.tasks = newAnnouncer(s), newTasks()
	return s, nil
}

// Begin begins a read-write transaction of database. Call it before the
// database transaction takes its snapshot.
//
// A database is any non-empty, valid UTF-8 string of at most 8192 bytes; it needs
// no creation. If the backend cannot be reached, the transaction begins all the same, with every
// cache private to it: reads miss and go to the database. An error means that
// the name is no such string, that ctx is done, or that the store is closed.
//
// A transaction must be ended by Commit, CommitWith or Rollback; one that is
// not costs its memory and nothing else.
func (s *Store) Begin(ctx context.Context, database string) (*Tx, error) {
	return s.begin(ctx, database, false)
}

// BeginReadOnly begins a transaction that does not change the database: what it
// loads can be shared with others at once. Clear answers ErrReadOnly. Otherwise
// it is like Begin.
func (s *Store) BeginReadOnly(ctx context.Context, database string) (*Tx, error) {
	return s.begin(ctx, database, true)
}

func (s *Store) begin(ctx context.Context, name string, readOnly bool) (*Tx, error) {
	s.made()
	given(ctx)
	asking, end := s.trace(ctx, "begin", name, "", 0)
	db, v, at, err := s.sync(asking, name, s.opts.Poll)
	end(err)
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil { // P8
		s.counts.stateless.Add(1)
		s.quiet.warn(ctx, "begin without a state", "database", name, "error", err)
		v = stateless
	} else if err != nil {
		return nil, err
	}
	t := &transaction{store: s, db: db, view: v, moment: at, readOnly: readOnly}
	t.first.t = t
	return &t.first, nil
}

// A moment is when a transaction began, and when what it began with was known
// to be the newest, as near.Now counts; 0 if it never was.
type moment struct{ began, synced int64 }

// sync returns the newest view of the database. A view that was so less than poll
// ago is not asked for again.
func (s *Store) sync(ctx context.Context, name string, poll time.Duration) (db *database, v *view, at moment, err error) {
	for {
		if s.closed.Load() {
			return nil, nil, at, ErrClosed
		}
		db, err := s.database(name)
		if err != nil {
			return nil, nil, at, err
		}
		now := near.Now() // before the call: the state can only be newer
		if poll > 0 {
			synced := db.synced.Load()
			if v := db.newest.Load(); v.state != nil && now-synced < int64(poll) {
				return db, v, moment{now, synced}, nil
			}
		}
		state, age, err := s.state(ctx, name)
		if err != nil {
			return db, nil, at, unavailable(ctx, "synchronisation", name, err)
		}
		if v := db.install(state); v != nil {
			synced := now - int64(age)
			if s.opts.Poll > 0 {
				db.synced.Store(synced)
			}
			return db, v, moment{now, synced}, nil
		}
		// Dropped since it was looked up: its successor has another state.
	}
}

// state asks the backend for the state of a database, and how late it may be.
func (s *Store) state(ctx context.Context, name string) (*backend.State, time.Duration, error) {
	if s.aged != nil {
		return s.aged.SyncAged(ctx, name)
	}
	state, err := s.backend.Sync(ctx, name)
	return state, 0, err
}

// database returns what is known of a database, nothing yet if it is new.
func (s *Store) database(name string) (*database, error) {
	if db, ok := s.byName.Load(name); ok {
		return db.(*database), nil
	}
	if err := checkName("database", name); err != nil {
		return nil, err
	}
	return s.entry(name), nil
}

// entry returns the entry of a database, whose name is good.
func (s *Store) entry(name string) *database {
	if db, ok := s.byName.Load(name); ok {
		return db.(*database)
	}
	db, _ := s.byName.LoadOrStore(name, newDatabase(name, nil))
	return db.(*database)
}

// hold makes the caches of f private to every transaction of this process in
// the database of that name, whichever that is, until release.
func (s *Store) hold(name string, f *backend.Fence) {
	for !s.entry(name).hold(f) {
	}
}

// release ends hold, with the state that shows what became of f, or nil if
// there is none.
func (s *Store) release(name string, f *backend.Fence, state *backend.State) {
	for !s.entry(name).release(f, state) {
	}
}

// forget detaches what transactions know of a database.
func (s *Store) forget(name string) {
	if db, ok := s.byName.Load(name); ok {
		db.(*database).drop(&s.byName)
	}
}

func (s *Store) databases() iter.Seq[*database] {
	return func(yield func(*database) bool) {
		s.byName.Range(func(_, db any) bool { return yield(db.(*database)) })
	}
}

// checkName returns an error unless name can be that of a database or cache.
func checkName(what, name string) error {
	if err := limits.Name(what+" name", name); err != nil {
		return fmt.Errorf("txcache: %w", err)
	}
	switch {
	case name == "":
		return fmt.Errorf("txcache: %s name is empty", what)
	case !utf8.ValidString(name):
		return fmt.Errorf("txcache: %s name %q is not valid UTF-8", what, name)
	}
	return nil
}

// Update runs fn in a read-write transaction of database and commits it. If fn
// returns an error or panics, the transaction is rolled back; the error is
// returned as it is. fn must not use the transaction after it returned.
//
// There is no database transaction in this; package sqltx and CommitWith are for
// that.
func (s *Store) Update(ctx context.Context, database string, fn func(*Tx) error) error {
	return s.run(ctx, database, false, fn)
}

// View runs fn in a read-only transaction of database; otherwise it is like
// Update.
func (s *Store) View(ctx context.Context, database string, fn func(*Tx) error) error {
	return s.run(ctx, database, true, fn)
}

func (s *Store) run(ctx context.Context, database string, readOnly bool, fn func(*Tx) error) error {
	tx, err := s.begin(ctx, database, readOnly)
	if err != nil {
		return err
	}
	defer tx.rollback(ctx) // after Commit this does nothing
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// Sync makes this process learn what others have committed, also where
// Options.Poll would let a transaction begin with less. A backend that is told of
// changes (redis: sync = "channel") answers with what it was told. The error
// wraps ErrUnavailable if the backend could not be reached.
func (s *Store) Sync(ctx context.Context, database string) error {
	s.made()
	given(ctx)
	_, _, _, err := s.sync(ctx, database, 0)
	return err
}

// Clear clears the caches of those names in database, as a transaction does
// that commits nothing else. It is for those who operate a service: caches that
// only other programs have are cleared too, and a name that nobody has does no
// harm. Programs clear in the transaction that is the reason, by [Cache.Clear].
//
// As with a commit, nil does not say that every server has heard of it: a clear
// that the backend could not be told of is repeated until it can, and counted by
// Waiting meanwhile.
func (s *Store) Clear(ctx context.Context, database string, caches ...string) error {
	s.made()
	if len(caches) == 0 {
		return errors.New("txcache: Clear needs the names of caches; ClearAll clears all of a database")
	}
	for _, name := range caches {
		if err := checkName("cache", name); err != nil {
			return err
		}
	}
	tx, err := s.begin(ctx, database, false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	f := &backend.Fence{ID: backend.NewToken(), Lease: s.opts.Fence}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(caches))) {
		g := backend.Generation{Cache: name}
		if state := tx.t.view.state; state != nil {
			g.Token = state.Token(name)
		}
		f.Caches = append(f.Caches, g)
	}
	return tx.t.commitClear(ctx, f, nil)
}

// ClearAll clears all caches of database; otherwise it is like Clear.
func (s *Store) ClearAll(ctx context.Context, database string) error {
	return s.Update(ctx, database, (*Tx).ClearAll)
}

// Drop forgets all that is cached for database: whoever begins from now on, in
// any process, begins anew, and the backend removes the values. Transactions
// that are open see nothing cached any more, not even what they set, and publish
// nothing; those of another process from when that learns of the drop, at its
// next Begin or Sync of the database. The name may be used again at once. Drop a
// database that nobody is committing to: the fences of commits that are under
// way are gone with it for other processes.
//
// After an error the database may be dropped or not; repeat the call.
func (s *Store) Drop(ctx context.Context, database string) error {
	s.made()
	given(ctx)
	if s.closed.Load() {
		return ErrClosed
	}
	if err := checkName("database", database); err != nil {
		return err
	}
	s.counts.drops.Add(1)
	calling, end := s.trace(ctx, "drop", database, "", 0)
	err := s.backend.Drop(calling, database)
	end(err)
	// Also after an error: it may have been done, and a miss does no harm.
	s.forget(database)
	if err != nil {
		return unavailable(ctx, "drop", database, err)
	}
	return nil
}

// Close stops what is loaded in the background, waits for commits of clears that
// are under way, gives clears that wait for the backend a last try, each of the
// three steps for a second at most, and closes the backend.
//
// Its error tells of clears that were not announced: it wraps ErrUnavailable if
// the backend could not be told, and ErrInDoubt for those of commits in doubt, which
// come a lease later. Where the backend outlives this process, their fences stand
// until their lease ends, which counts as the clear there. Transactions that are open can still
// be read and rolled back; a commit that clears answers ErrClosed and does not
// run the database's. Calling Close again does nothing.
func (s *Store) Close() error {
	s.made()
	if s.closed.Swap(true) {
		return nil
	}
	s.tasks.close()
	return errors.Join(s.announcer.close(), s.backend.Close())
}

// all returns the caches, in the order in which they were made.
func (s *Store) all() []*core {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.caches
}

// add gives c, which ignores those keys, its id, unless its name is taken.
func (s *Store) add(c *core, ignored []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names[c.name] {
		return ErrDuplicate
	}
	s.names[c.name] = true
	c.id = uint32(len(s.caches) + 1)
	c.bit = 1 << (c.id % 64)
	if s.reportStale.Load() != nil {
		c.verify.set(1)
	}
	s.caches = append(s.caches, c) // all has given out shorter slices, which stay as they are
	s.ignoredBySome.Store(s.ignoredBySome.Load().Extended(ignored))
	return nil
}
