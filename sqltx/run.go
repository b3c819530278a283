package sqltx

import (
	"context"
	"database/sql"
	"errors"

	"github.com/seed-dad15c92/txcache"
)

// Update runs fn in a transaction, which is begun as by [Begin], and commits it
// as by [Tx.Commit]. If fn returns an error or panics, the transaction is rolled
// back in the database and in the cache; the error is returned as it is, joined
// with that of the rollback if the driver has one. fn must neither end the
// transaction nor use it after it returned.
func Update(ctx context.Context, store *txcache.Store, database string, db *sql.DB, opts *sql.TxOptions, fn func(*Tx) error) error {
	// fn does not outlive its context by much: only the database need hear of the end.
	tx, err := begin(ctx, store, database, db, opts, false)
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended { // fn has panicked, or ended its goroutine
			tx.Rollback()
		}
	}()
	err = fn(tx)
	if err == nil {
		err = tx.Commit()
		ended = true
		return err
	}
	ended = true
	if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
		return errors.Join(err, undo)
	}
	return err
}

// View is Update with opts.ReadOnly set, whatever opts says: the cache is
// read-only and so is the database, whose driver must know of such
// transactions. opts is not changed.
func View(ctx context.Context, store *txcache.Store, database string, db *sql.DB, opts *sql.TxOptions, fn func(*Tx) error) error {
	readOnly := sql.TxOptions{ReadOnly: true}
	if opts != nil {
		readOnly.Isolation = opts.Isolation
	}
	return Update(ctx, store, database, db, &readOnly, fn)
}
