// Package txpgx runs a transaction of pgx and one of the cache as one. A [Tx] is a
// [pgx.Tx], so it can be given to code that knows nothing of the cache, such as what
// sqlc generates.
//
//	err := txpgx.Update(ctx, store, "shop", pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
//		if _, err := tx.Exec(ctx, "UPDATE product SET price = $1 WHERE id = $2", 12, id); err != nil {
//			return err
//		}
//		return prices.Clear(tx.Cache)
//	})
//
// The package does the steps of the two sides in the only order that is right: the
// cache's transaction begins before the database takes its snapshot, and the database
// commits between the fence and the clear of the cache. See
// [txcache.Tx.CommitWith].
//
// # Reads
//
// A read-only transaction, as by [View], begins in the database with its first
// statement. Reads that all hit send the database nothing and hold no connection of
// the pool; so does a transaction that waits for what another one loads.
//
//	err := txpgx.View(ctx, store, "shop", pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
//		price, err = prices.Load(ctx, tx.Cache, id, func(ctx context.Context) (p float64, err error) {
//			err = tx.QueryRow(ctx, "SELECT price FROM product WHERE id = $1", id).Scan(&p)
//			return p, err
//		})
//		return err
//	})
//
// Over a *pgxpool.Pool, BEGIN travels with that statement in one round trip: with Query,
// QueryRow and SendBatch, and with Exec if it has arguments. A tracer sees the two as a
// batch, if it is a pgx.BatchTracer. Every other type begins by its BeginTx, so what it
// adds there is done, and then sends the statement.
//
// All query modes of pgx work, so do poolers that keep a connection for each transaction,
// such as PgBouncer: pgx's own advice for them, such as QueryExecModeExec or
// QueryExecModeSimpleProtocol, is all that they need.
//
// # Generations in the database
//
// The same code runs where the store keeps its generations in the database that is cached
// (class "sql", or another backend.Enlister). Then a transaction is enlisted:
//
//   - One that writes, and a read-only one at repeatable read or serializable, reads the
//     state with BEGIN, in one round trip. At these levels a hit is what the transaction's
//     own snapshot would load.
//   - A read-only one at read committed reads the state by a statement of its own, and
//     keeps no connection.
//   - A serializable one that writes reads the state before BEGIN: within it, the state would
//     make transactions conflict that have nothing in common. Its level must be in the
//     options; where it is the database's default, or in BeginQuery, it is not known.
//   - What was cleared is recorded with COMMIT, in one round trip.
//
// The backend of class "sql" needs connections of database/sql. Those of a pool are had by
// stdlib.OpenDBFromPool of pgx.
//
// # Commits
//
// A commit that was sent to the database is not cancelled with the caller's context:
// Commit waits for the answer, for as long as txcache.Options.CommitTimeout says.
//
// A transaction that changes what is cached must clear the caches concerned itself. A
// transaction that the database refused because of a conflict, such as a
// serialization failure, may be repeated. The caller must do so. Nothing of the
// refused run is in the cache.
//
// # Savepoints
//
// Begin of a Tx sets a savepoint on both sides. Its Rollback undoes what both have done
// since, its Commit keeps it. Savepoints that a program sets by statements of its own
// do not reach the cache; it then calls txcache.Tx.Savepoint around them.
package txpgx
