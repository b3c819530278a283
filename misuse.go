package txcache

import "context"

// A nil handle is a mistake in the program. If it counted as a transaction that has
// ended, every look-up with it would be a miss.

// made panics unless tx is a handle on a transaction.
func (tx *Tx) made() {
	if tx == nil || tx.h.Transaction == nil {
		panic("txcache: the *Tx is nil; a transaction comes from Store.Begin, whose error must be checked first")
	}
}

// made panics unless c comes from NewCache.
func (c *Cache[K, V]) made() {
	if c == nil || c.inner.Core.Store == nil {
		panic("txcache: the *Cache is nil; a cache comes from NewCache, whose error must be checked first")
	}
}

// made panics unless s comes from Open, OpenConfig or New.
func (s *Store) made() {
	if s == nil || s.databases == nil {
		panic("txcache: the *Store is nil; a store comes from Open, OpenConfig or New, whose error must be checked first")
	}
}

// given panics if ctx is nil.
func given(ctx context.Context) {
	if ctx == nil {
		panic("txcache: the context is nil; context.Background() is one without a limit")
	}
}
