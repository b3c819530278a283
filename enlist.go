package txcache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// EnlistOptions are the settings of a transaction that [Store.Enlist] begins. A nil
// *EnlistOptions stands for the zero value.
type EnlistOptions struct {
	// ReadOnly makes the transaction one as [Store.BeginReadOnly] does. That of the
	// database should be read-only too.
	ReadOnly bool

	// Exact says that the transaction of the database has one snapshot from its first
	// statement to its end, as it has at repeatable read and snapshot isolation. Then
	// a hit is what the transaction would read itself. Where that is not so, as
	// at read committed, a hit is never older than what was committed when Enlist was
	// called.
	//
	// A backend that learns the isolation level with the state (backend.Isolated) must say so too.
	// With it, set Exact also where the transaction was begun without a level. It must not be
	// set for one that was begun at a lower level: MySQL and MariaDB do not tell that.
	Exact bool

	// State is the state of the database, if the caller has read it already: through
	// the same transaction, or before it took its snapshot, and then it is not Exact. Nil
	// makes Enlist read it.
	State *backend.State
}

// Enlister returns the store's backend if that keeps the generations in the database
// that is cached, and else nil. If it is not nil, transactions that clear are begun by
// [Store.Enlist] in place of [Store.Begin]. Packages that join the two sides of a
// transaction, as sqltx, decide by it.
func (s *Store) Enlister() backend.Enlister {
	s.made()
	return s.databases.Enlister
}

// Enlist begins the cache's side of the transaction q of the database. It needs a
// backend that keeps the generations in that database; see [Store.Enlister].
//
// The database's transaction begins first, the other way round than with [Store.Begin]. It is one
// that has not taken a snapshot that the caller needs older: Enlist reads the state by a statement of q.
// After an error of that statement q may be of no use any more.
//
// What the transaction clears and deletes is recorded in q by [Tx.CommitWith], before
// it calls its commit function, so it is committed or rolled back with q. Nothing is fenced, and no
// commit is in doubt for the store. The caller must not use q at the same time.
func (s *Store) Enlist(ctx context.Context, database string, q backend.Querier, opts *EnlistOptions) (*Tx, error) {
	s.made()
	given(ctx)
	e := s.databases.Enlister
	switch {
	case e == nil:
		return nil, errors.New("txcache: Enlist needs a backend that keeps the generations in the database; begin with Begin or BeginReadOnly")
	case q == nil:
		return nil, errors.New("txcache: Enlist needs a transaction of the database; it got nil")
	}
	var o EnlistOptions
	if opts != nil {
		o = *opts
	}
	began := near.Now()
	if o.State == nil {
		asking, end := s.trace(ctx, "begin", database, "", 0)
		var err error
		if isolated, ok := e.(backend.Isolated); ok {
			var exact bool
			o.State, exact, err = isolated.StateExact(asking, q, database)
			o.Exact = o.Exact && exact // P12
		} else {
			o.State, err = e.State(asking, q, database)
		}
		if end(err); err != nil {
			return nil, databases.Unavailable(ctx, "reading the state", database, err)
		}
	}
	db, v, err := s.databases.Own(database, o.State, o.Exact)
	if err != nil {
		return nil, err
	}
	t := &begun{}
	t.SQL = q
	t.Begin(s.inner, db, v, databases.Times{Began: began, Synced: began}, o.ReadOnly)
	t.first.h.Transaction = &t.Transaction
	return &t.first, nil
}

// commitEnlisted is CommitWith for a transaction that clears, where the backend keeps
// the generations in the database.
func (tx *Tx) commitEnlisted(ctx context.Context, f *backend.Fence, commit func(context.Context) error) (err error) {
	t, s := tx.h.Transaction, tx.h.Store
	ctx, end := s.Trace(ctx, "commit", tx.Database(), "", 0)
	defer func() { end(err) }() // also if commit panics
	switch {
	case t.SQL == nil:
		return ErrNotEnlisted
	case commit == nil:
		return errors.New("txcache: an enlisted transaction that clears is committed by CommitWith, with the database's commit")
	}
	start := near.Now()
	recorded, err := s.Databases.Enlister.Record(ctx, t.SQL, tx.Database(), t.State(), *f)
	if err != nil {
		return NotSent(fmt.Errorf("txcache: what the transaction clears could not be recorded in database %q: %w", tx.Database(), err))
	}
	if err = tx.ask(ctx, commit); err != nil {
		return err
	}
	s.Databases.Counts.Commits.Count(time.Duration(near.Now() - start))
	s.CountClears(f)
	t.PublishRecorded(ctx, f, recorded)
	return nil
}

// clearOwn clears and deletes what f says in a transaction of the backend's own.
func (s *Store) clearOwn(ctx context.Context, database string, f *backend.Fence) (err error) {
	calling, end := s.trace(ctx, "clear", database, "", 0)
	_, err = s.databases.Enlister.Clear(calling, database, *f)
	if end(err); err != nil {
		return databases.Unavailable(ctx, "clear", database, err)
	}
	s.inner.CountClears(f)
	return nil
}
