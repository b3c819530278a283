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
