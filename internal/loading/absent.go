package loading

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// ErrAbsent says that there is nothing under a key; a loader returns it, wrapped or
// not. A loader that returns the error of a nested load does not make its
// own key absent: the order exists although its customer does not.
var ErrAbsent = errors.New("txcache: absent")

// An absentError is the error of a nested load that wraps ErrAbsent. It says which
// key is absent.
type absentError struct {
	error
	cache    *transaction.Core // nil: the error concerns no single key
	database string
	key      any // a transaction.Key of the cache
}

func (a *absentError) Unwrap() error { return a.error }

// wrapAbsent returns err for a caller of Load or LoadMany with ctx, which may be a
// loader.
func (c *Cache[K, V]) wrapAbsent(ctx context.Context, h transaction.Handle, err error, key *K) error {
	if chainOf(ctx) == nil && h.Loaders.Load() == 0 || !isAbsent(err, nil) {
		return err
	}
	a := &absentError{error: err, database: h.Database()}
	if key != nil {
		if k, ok := c.Key(h, *key); ok {
			a.cache, a.key = &c.Core, k
		}
	}
	return a
}

// absentFor reports whether err, which a loader of key has returned, says that key is
// absent.
func (c *Cache[K, V]) absentFor(h transaction.Handle, err error, key K) bool {
	return isAbsent(err, func(a *absentError) bool {
		k, ok := c.Key(h, key)
		return ok && a.cache == &c.Core && a.database == h.Database() && a.key == any(k)
	})
}

// isAbsent is errors.Is(err, ErrAbsent), except that an absentError within err counts
// only if counts is not nil and returns true for it.
func isAbsent(err error, counts func(*absentError) bool) bool {
	if a, ok := err.(*absentError); ok {
		return counts != nil && counts(a)
	}
	if err == ErrAbsent {
		return true
	}
	if e, ok := err.(interface{ Is(error) bool }); ok && e.Is(ErrAbsent) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return isAbsent(e.Unwrap(), counts)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(err error) bool { return isAbsent(err, counts) })
	}
	return false
}
