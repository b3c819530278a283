package txpgx

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache"
)

// Update runs fn in a transaction, which is begun as by [Begin], and commits it
// as by [Tx.Commit]. If fn returns an error or panics, the transaction is rolled
// back in the database and in the cache; the error is returned as it is, joined
// with that of the rollback if there is one. fn must neither end the transaction
// nor use it after it returned.
func Update(ctx context.Context, store *txcache.Store, database string, db Beginner, opts pgx.TxOptions, fn func(*Tx) error) error {
	tx, err := Begin(ctx, store, database, db, opts)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) // if fn panics; else it does nothing
	err = fn(tx)
	if err == nil {
		return tx.Commit(ctx)
	}
	if undo := tx.Rollback(ctx); undo != nil && !errors.Is(undo, pgx.ErrTxClosed) {
		return errors.Join(err, undo)
	}
	return err
}

// View is Update with pgx.ReadOnly as opts.AccessMode, whatever opts says: the cache
// is read-only and so is the database. Reads that all hit send the database nothing and
// hold no connection.
func View(ctx context.Context, store *txcache.Store, database string, db Beginner, opts pgx.TxOptions, fn func(*Tx) error) error {
	opts.AccessMode = pgx.ReadOnly
	return Update(ctx, store, database, db, opts, fn)
}
