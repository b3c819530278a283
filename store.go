package txcache

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/limits"
	"github.com/seed-dad15c92/txcache/internal/loading"
	"github.com/seed-dad15c92/txcache/internal/quiet"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// A Store is the caches of a process and the backend that they share with
// other processes. It is safe for concurrent use. A service opens one, makes
// its caches with [NewCache], and begins a transaction of the store with each
// transaction of its database.
type Store struct {
	opts      Options
	stateless atomic.Uint64 // as in Status
	databases *databases.Registry
	inner     *transaction.Store // what its transactions have in common
	loads     *loading.Store
}

// New returns a store over a backend that the caller has made; [Open] and
// [OpenConfig] make a store from configuration. The store owns b from then on and
// closes it. opts may be nil.
func New(b backend.Backend, opts *Options) (*Store, error) {
	if b == nil {
		return nil, errors.New("txcache: New needs a backend; it got nil")
	}
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{opts: o}
	s.databases = databases.New(databases.Options{
		Backend: b, Log: quiet.New(o.Logger), Trace: s.trace, Polls: o.Poll > 0, CommitOnOutage: o.CommitOnOutage,
		Memory: o.Memory,
	})
	s.inner = transaction.NewStore(transaction.Options{
		Databases: s.databases, Logger: o.Logger, NoNear: o.NoNear, Ignored: o.ContextIgnoredKeys,
		Fence: o.Fence, CommitTimeout: o.CommitTimeout, NotCommitted: o.NotCommitted,
	})
	s.loads = loading.NewStore(s.beginRefresh, s.onStale())
	return s, nil
}

// Begin begins a read-write transaction of database. Call it before the
// database transaction takes its snapshot.
//
// The name of a database is any non-empty, valid UTF-8 string of at most 8192 bytes;
// a database needs no creation. If the backend cannot be reached, the transaction
// begins all the same, with every cache private to it: reads miss, and callers read
// from the database. An error means that the name is no such string, that ctx is
// done, or that the store is closed.
//
// The caller must end the transaction by Commit, CommitWith or Rollback; one that
// is not ended costs its memory and nothing else. What it loads is shared with its
// commit and lost with its rollback: begin a transaction that only reads by BeginReadOnly.
func (s *Store) Begin(ctx context.Context, database string) (*Tx, error) {
	return s.begin(ctx, database, false)
}

// BeginReadOnly begins a transaction that does not change the database: other
// transactions may share at once what it loads. Clear answers ErrReadOnly. Otherwise
// it is like Begin.
func (s *Store) BeginReadOnly(ctx context.Context, database string) (*Tx, error) {
	return s.begin(ctx, database, true)
}

// A begun is a transaction and the first handle on it, in one allocation.
type begun struct {
	transaction.Transaction
	first Tx
}

func (s *Store) begin(ctx context.Context, name string, readOnly bool) (*Tx, error) {
	s.made()
	given(ctx)
	asking, end := s.trace(ctx, "begin", name, "", 0)
	db, v, at, err := s.databases.Sync(asking, name, s.opts.Poll)
	end(err)
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil { // P8
		s.stateless.Add(1)
		s.databases.Log.Warn(ctx, "begin without a state", "database", name, "error", err)
		v = databases.Stateless
	} else if err != nil {
		return nil, err
	}
	t := &begun{}
	t.Begin(s.inner, db, v, at, readOnly)
	t.first.h.Transaction = &t.Transaction
	return &t.first, nil
}

func (s *Store) beginRefresh(ctx context.Context, database string) (*transaction.Transaction, error) {
	tx, err := s.begin(ctx, database, true)
	if err != nil {
		return nil, err
	}
	return tx.h.Transaction, nil
}

// Update runs fn in a read-write transaction of database and commits it. If fn
// returns an error or panics, the transaction is rolled back; the error is
// returned as it is. fn must not use the transaction after it returned.
//
// Update runs no database transaction; package sqltx and CommitWith are for that.
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
// Options.Poll would let a transaction begin with an earlier state. A backend that
// learns of changes by announcements (redis: sync = "channel") answers with those
// that it has received. The error wraps ErrUnavailable if the backend could not be
// reached.
func (s *Store) Sync(ctx context.Context, database string) error {
	s.made()
	given(ctx)
	_, _, _, err := s.databases.Sync(ctx, database, 0)
	return err
}

// Clear clears the caches of those names in database, as a transaction does
// that commits nothing else. It is for the operators of a service: it also clears
// caches that only other programs have, and the name of no cache does no harm.
// Programs clear by [Cache.Clear], in the transaction that is the reason.
//
// As with a commit, nil does not mean that the backend has accepted the clear: one
// that it could not be told of is repeated until it can be, and Waiting counts it
// meanwhile.
func (s *Store) Clear(ctx context.Context, database string, caches ...string) error {
	s.made()
	if len(caches) == 0 {
		return errors.New("txcache: Clear needs the names of caches; ClearAll clears all of a database")
	}
	for _, name := range caches {
		if err := limits.CheckName("cache", name); err != nil {
			return err
		}
	}
	return s.commit(ctx, database, func(tx *Tx, f *backend.Fence) {
		for _, name := range slices.Compact(slices.Sorted(slices.Values(caches))) {
			f.Caches = append(f.Caches, tx.h.Token(name))
		}
	})
}

// Delete deletes keys of the cache of that name in database, as Clear clears caches. The
// keys are texts as [Cache.KeyText] returns them. A text of no key does no harm. Where
// [Cache.Delete] would clear its cache, so does Delete.
func (s *Store) Delete(ctx context.Context, database, cache string, keys ...string) error {
	s.made()
	if len(keys) == 0 {
		return errors.New("txcache: Delete needs the texts of keys; Clear clears a cache")
	}
	if err := limits.CheckName("cache", cache); err != nil {
		return err
	}
	hashes := hashesOf(keys)
	return s.commit(ctx, database, func(tx *Tx, f *backend.Fence) {
		if len(hashes) > tx.h.MaxKeys() {
			f.Caches = []backend.Generation{tx.h.Token(cache)}
		} else {
			f.Keys = []backend.Keys{{Cache: cache, Hashes: hashes}}
		}
	})
}

// ClearTags clears tags in database, as Clear clears caches: every value that bears one of
// them goes, in any cache, also in those that only other programs have. A tag that no value bears
// does no harm. Where [Tx.ClearTags] would clear all caches, so does ClearTags.
func (s *Store) ClearTags(ctx context.Context, database string, tags ...string) error {
	s.made()
	if len(tags) == 0 {
		return errors.New("txcache: ClearTags needs tags; ClearAll clears all of a database")
	}
	hashes := hashesOf(tags)
	return s.commit(ctx, database, func(tx *Tx, f *backend.Fence) {
		if len(hashes) > tx.h.MaxKeys() {
			f.All = true
		} else {
			f.Keys = []backend.Keys{{Hashes: hashes}}
		}
	})
}

// hashesOf returns the hashes of texts of keys, or of tags: sorted, each once.
func hashesOf(texts []string) []uint64 {
	hashes := make([]uint64, len(texts))
	for i, text := range texts {
		hashes[i] = canon.Hash(text)
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// commit commits a transaction that does what fill writes into its fence.
func (s *Store) commit(ctx context.Context, database string, fill func(*Tx, *backend.Fence)) error {
	tx, err := s.begin(ctx, database, false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	f := &backend.Fence{ID: backend.NewToken(), Lease: s.opts.Fence}
	fill(tx, f)
	if s.databases.Enlister != nil {
		return s.clearOwn(ctx, database, f)
	}
	_, err = tx.commitClear(ctx, f, nil)
	return err
}

// ClearAll clears all caches of database; otherwise it is like Clear.
func (s *Store) ClearAll(ctx context.Context, database string) error {
	return s.commit(ctx, database, func(_ *Tx, f *backend.Fence) { f.All = true })
}

// Drop forgets all that is cached for database: a transaction that begins from now
// on, in any process, finds nothing cached, and the backend removes the values.
// Open transactions see nothing cached any more, not even what they set, and
// publish nothing. Those of another process see the drop after that process's next
// Begin or Sync of the database. Where the generations are in the database itself, open transactions
// see what they saw: the drop is not in their snapshots. The name may be used again at once. Do not drop a
// database while transactions commit to it: other processes lose the fences of
// those commits.
//
// After an error the database may be dropped or not; the caller should repeat the
// call.
func (s *Store) Drop(ctx context.Context, database string) error {
	s.made()
	given(ctx)
	return s.databases.Drop(ctx, database)
}

// Close stops the loads in the background, waits for commits of clears that are in
// progress, and tries once more to send the clears that the backend has not
// accepted. Each of these three steps takes a second at most. Then it closes the
// backend.
//
// Its error reports clears that were not sent: it wraps ErrUnavailable if the
// backend could not be told, and ErrInDoubt for those of commits in doubt, which
// come a fence's lease later. Where the backend outlives this process, the fences of
// these clears stand until their lease ends, which counts as the clear there. Open
// transactions can still be read and rolled back; a commit that clears answers
// ErrClosed and does not run the database's commit. Calling Close again does nothing.
func (s *Store) Close() error {
	s.made()
	if !s.databases.Close() {
		return nil
	}
	s.loads.Close()
	return errors.Join(s.inner.Committer.Close(), s.databases.Backend.Close())
}

// Waiting returns the number of committed clears that the backend could not be
// told of yet. This process does not read the caches meanwhile, and tries again
// every few seconds at most.
func (s *Store) Waiting() int {
	s.made()
	return s.inner.Committer.Waiting()
}
