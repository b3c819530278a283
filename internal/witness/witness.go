// Package witness lets package txcachetest see what a store caches, through a
// door that no user of the store has.
package witness

// A Func is told of each value as it is cached. It is safe for concurrent use.
type Func func(cache string, key, value any)

// A StaleFunc is told of each hit that is not what its loader returns. It is safe
// for concurrent use.
type StaleFunc func(database, cache string, key, cached, loaded any)

// Verify makes store, a *txcache.Store, verify every hit of Load and LoadMany, and
// tell f of those that are stale. Package txcache sets it.
var Verify func(store any, f StaleFunc)

// Attach makes f the witness of store, a *txcache.Store. Package txcache sets it.
var Attach func(store any, f Func)

// A Transaction is one of the cache that is committing.
type Transaction interface {
	Database() string

	// Unnamed returns the names of the caches that show the table and in which the
	// transaction has neither cleared nor deleted anything.
	Unnamed(table string) []string

	// Clears reports whether the transaction clears or deletes anything.
	Clears() bool
}

// A CommitFunc is told of each transaction when its database is asked to commit. The function
// that it returns is called with the answer. It is safe for concurrent use.
type CommitFunc func(Transaction) (end func())

// WatchCommits makes store, a *txcache.Store, tell f of its commits. Package txcache sets it.
var WatchCommits func(store any, f CommitFunc)

// Showing returns the names of the caches of store, a *txcache.Store, that show a table; if
// the table is "", of those that show any. Package txcache sets it.
var Showing func(store any, table string) []string
