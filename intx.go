package txcache

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/databases"
)

// InTx runs fn in a transaction of the cache and one of the service's database as one, for
// databases that package sqltx is not for. T is the type of the database's transaction,
// such as pgx.Tx:
//
//	err := txcache.InTx(ctx, store, "shop", pool.Begin, func(ctx context.Context, tx *txcache.Tx, db pgx.Tx) error {
//		if _, err := db.Exec(ctx, "UPDATE product SET price = $1 WHERE id = $2", 12, id); err != nil {
//			return err
//		}
//		return prices.Clear(tx)
//	})
//
// The cache's transaction begins first, and then begin is called with ctx. If fn returns nil,
// both are committed as by [Tx.CommitWith], whose error InTx returns. If it returns an
// error, which InTx returns as it is, or panics, or if the commit fails, both are rolled
// back: first that of the database, by its Rollback, whose context does not end with
// ctx but after Options.CommitTimeout, and whose error is not looked at. Rollback is
// also called after a Commit that has failed, and must do nothing then. If begin ties the
// transaction to the context that it gets, as that of database/sql does, it must
// use context.WithoutCancel.
//
// fn must neither end the transactions nor use them after it returned.
//
// Where the backend keeps the generations in the database ([Store.Enlister]), begin is
// called first, and the transaction is enlisted. Then T must be a [backend.Querier],
// or have a method
//
//	Querier() backend.Querier
//
// that returns one on the same transaction. If it has a method
//
//	Exact() bool
//
// then that is EnlistOptions.Exact, which is else not set. The transaction must not be a serializable
// one that conflicts with those that change what it reads: [Store.Enlist] takes a state that was
// read before. InTx returns an error if T has no Querier, and does not call fn.
func InTx[T interface {
	Commit(context.Context) error
	Rollback(context.Context) error
}](ctx context.Context, s *Store, database string, begin func(context.Context) (T, error), fn func(ctx context.Context, tx *Tx, db T) error) error {
	s.made()
	given(ctx)
	if begin == nil || fn == nil {
		return errors.New("txcache: InTx needs a function that begins a transaction of the database, and one to run in it")
	}
	b := &both{store: s, ctx: ctx}
	defer b.rollback() // after the commit it does nothing
	e := s.Enlister()
	if p, ok := e.(backend.Preparer); ok {
		if err := p.Prepare(ctx, database); err != nil {
			return databases.Unavailable(ctx, "preparation", database, err)
		}
	}
	if e == nil {
		tx, err := s.Begin(ctx, database) // P3: before the snapshot
		if err != nil {
			return err
		}
		b.tx = tx
	}
	db, err := begin(ctx)
	if err != nil {
		return err
	}
	b.undo = db.Rollback
	if b.tx == nil {
		q, err := querierOf(db)
		if err != nil {
			return err
		}
		opts := EnlistOptions{}
		if x, ok := any(db).(interface{ Exact() bool }); ok {
			opts.Exact = x.Exact()
		}
		if b.tx, err = s.Enlist(ctx, database, q, &opts); err != nil {
			return err
		}
	}
	if err := fn(ctx, b.tx, db); err != nil {
		return err
	}
	if err := b.tx.CommitWith(ctx, db.Commit); err != nil {
		return err
	}
	b.undo = nil
	return nil
}

// Both are the two sides of a transaction.
type both struct {
	store *Store
	ctx   context.Context
	tx    *Tx                         // nil: not begun
	undo  func(context.Context) error // that of the database; nil: not begun, or committed
}

func (b *both) rollback() {
	defer func() { // also if the database's panics
		if b.tx != nil {
			b.tx.rollback(b.ctx)
		}
	}()
	if b.undo != nil {
		ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(b.ctx), b.store.opts.CommitTimeout, errNoAnswer)
		defer cancel()
		b.undo(ctx) // whatever it says, there is no more that can be done
	}
}

func querierOf(db any) (backend.Querier, error) {
	switch q := db.(type) {
	case backend.Querier:
		return q, nil
	case interface{ Querier() backend.Querier }:
		return q.Querier(), nil
	}
	return nil, fmt.Errorf("txcache: InTx cannot enlist a %T, as it is no backend.Querier and has no method Querier that returns one", db)
}
