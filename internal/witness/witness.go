// Package witness lets package txcachetest see what a store caches, through a
// door that no user of the store has.
package witness

// A Func is told of each value as it is cached. It is safe for concurrent use.
type Func func(cache string, key, value any)

// Attach makes f the witness of store, a *txcache.Store. Package txcache sets it.
var Attach func(store any, f Func)
