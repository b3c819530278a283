// Package txcache is a cache that is part of the database transaction.
//
// Values are read and set within a [Tx], the cache's side of one database
// transaction. What it sets, deletes or clears is private until it commits; after
// a rollback it never was. A delete or clear that has committed counts for every
// transaction that begins afterwards, on every server; there it counts a little later if
// Options.Poll or sync = "channel" is set. A value that has committed fills the
// cache, and does not replace what other processes have: a transaction that
// changes a row deletes its key. Every database (tenant) is a world
// of its own.
//
//	store, err := txcache.Open(ctx, "cache.toml")
//	...
//	var users = txcache.Must(txcache.NewCache[int64, User](store, "users", nil))
//
//	err = sqltx.View(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
//		user, err := users.Load(ctx, tx.Cache, 42, func(ctx context.Context) (User, error) {
//			return selectUser(ctx, tx, 42)
//		})
//		...
//	})
//
//	err = sqltx.Update(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
//		if _, err := tx.ExecContext(ctx, "UPDATE users SET name = ? WHERE id = ?", "Ada", 42); err != nil {
//			return err
//		}
//		return users.Delete(tx.Cache, 42)
//	})
//
// # With a database
//
// Package sqltx runs a transaction of database/sql and one of the cache as one, module
// txpgx does so for pgx, and module txgorm for gorm. A read-only transaction of theirs
// begins in the database with its first statement, so reads that all hit send it nothing,
// but for the small read of class "sql". [InTx] is for other databases.
//
// The order of things is what keeps a cache from being stale: the cache's
// transaction begins before the database's, and the database's commit runs
// within the cache's. Code that begins and commits by itself does so in three
// calls:
//
//	tx, err := store.Begin(ctx, "shop") // before the snapshot
//	defer tx.Rollback()
//	dbtx, err := pool.Begin(ctx)
//	defer dbtx.Rollback(ctx)
//	...
//	err = tx.CommitWith(ctx, dbtx.Commit)
//
// The context that CommitWith gives to the commit does not end with ctx, so that a
// client that hangs up leaves no commit whose outcome nobody knows. A commit that
// fails is in doubt unless its error is known to be definite: by its SQLSTATE, or
// because the commit function marks it by [NotCommitted] or [NotSent]. A
// transaction of database/sql keeps the context it was begun with for its commit:
// use package sqltx, or begin it under context.WithoutCancel.
//
// With class "sql" the generations are in the database itself, and the order is another
// one: the database's transaction begins first, and [Store.Enlist] begins the
// cache's. Package sqltx, modules txpgx and txgorm, and InTx do what the class of the
// store asks for.
//
// The transaction that changes what a cache shows must delete or clear it itself:
// [Cache.Delete] takes away what is kept under a key, [Tx.ClearTags] what bears a tag,
// and [Cache.Clear] all of a cache. Where caches name the tables that they show,
// [Tx.Changed] and [Tx.ChangedRows] do it for all of them.
//
// # Which values are whose
//
// A read-write transaction keeps what it sets to itself until it commits. It
// may be setting what it has read from its own uncommitted changes. A read-only
// transaction shares what it sets at once in its process, and with other processes
// when it ends at the latest. Once a transaction has cleared a cache, it sees in it
// only what it sets itself. It publishes what it sets under a key that it has deleted,
// unless another transaction has deleted the key or cleared the cache meanwhile. A
// cache with CacheOptions.Warm publishes what was set after a clear too when
// the transaction commits, unless another has cleared the cache meanwhile; other
// caches start empty.
//
// A miss is always right: it sends the caller to the database. Whenever the
// cache cannot know that a value is good (the backend is away, somebody is
// committing a delete or clear, the process has learnt of a newer generation or
// delete), it misses.
//
// docs/design.md describes the protocol and the promises it keeps.
package txcache
