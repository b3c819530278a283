package txcache

import (
	"context"
	"errors"
)

// ErrAbsent is what a loader returns, wrapped or not, to say that there is
// nothing under the key. Load returns it, and until the cache is cleared or the
// time has passed it does so without calling the loader again; see
// CacheOptions.Absent.
var ErrAbsent = errors.New("txcache: absent")

// Absent reports whether it is known, to the transaction, that the database has
// nothing under key: a loader has answered ErrAbsent, or SetAbsent was called.
// For such a key Get finds no value, as for one of which nothing is known. A
// look-up by Absent counts like one by Get.
func (c *Cache[K, V]) Absent(ctx context.Context, tx *Tx, key K) bool {
	if _, ok := c.near(tx, key); ok {
		return false
	}
	return c.find(ctx, tx, key).found == absent
}

// SetAbsent is Set for a key under which the database has nothing. It does
// nothing if CacheOptions.Absent is negative.
func (c *Cache[K, V]) SetAbsent(tx *Tx, key K) {
	c.made()
	if c.absence >= 0 && c.put(tx, key, entry[V]{absent: true}) {
		tx.t.flush(context.Background())
	}
}
