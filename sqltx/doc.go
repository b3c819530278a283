// Package sqltx runs a transaction of database/sql and one of the cache as one.
//
// It does the steps of the two in the only order that is right: the cache's
// transaction begins before the database takes its snapshot, and the database
// commits between the fence and the clear of the cache. See
// [txcache.Tx.CommitWith].
//
//	err := sqltx.Update(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
//		if _, err := tx.ExecContext(ctx, "UPDATE product SET price = ? WHERE id = ?", 12, id); err != nil {
//			return err
//		}
//		return prices.Clear(tx.Cache)
//	})
//
// A read-only transaction begins in the database with its first statement. One that
// finds everything in the cache sends the database nothing and holds no connection, and so does
// one that waits for what another transaction loads:
//
//	err := sqltx.View(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) (err error) {
//		price, err = prices.Load(ctx, tx.Cache, id, func(ctx context.Context) (price int, err error) {
//			err = tx.QueryRowContext(ctx, "SELECT price FROM product WHERE id = ?", id).Scan(&price)
//			return price, err
//		})
//		return err
//	})
//
// A commit that was sent to the database is not cancelled with the caller's
// context: CommitWith waits for the answer, for as long as txcache.Options.CommitTimeout
// says. Drivers whose errors have no SQLSTATE, such as those of SQLite, need
// txcache.Options.NotCommitted: without it each commit that the database refuses
// answers ErrUnknownOutcome, and leaves its caches bypassed for the lease of a fence.
//
// A transaction that changes what is cached must clear the caches concerned itself.
// A transaction that the database refused because of a conflict (a serialization
// failure, a lock) may be repeated. The caller must do so: it knows its driver's
// errors, and gets those by which a commit was refused as they are. Nothing of the refused run is in the cache. [Tx.Savepoint] undoes a part of
// a transaction on both sides.
//
// Where the backend keeps the generations in the database itself, the same functions
// enlist the transaction of the database: its own snapshot says what it may read
// from the cache, and what it clears is committed with it. [Begin] says what that means at
// each isolation level. Nothing is fenced then, and no commit is in doubt for the cache.
package sqltx
