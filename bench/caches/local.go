// Package caches gives txcache and what else a Go program could use the same
// form, so that they can be measured side by side.
package caches

import (
	"fmt"
	"time"
)

// A Local is a cache in the process. What Session returns is used by one
// goroutine, Session and Close by one at a time.
type Local interface {
	// Session returns what one goroutine reads and writes with: for txcache a
	// transaction, for the others the cache itself.
	Session() Session

	// Wait returns when what was set can be read and what was evicted is gone.
	Wait()

	// Clear removes all values.
	Clear() error

	Close()
}

// A Session is one goroutine's way to a Local.
type Session interface {
	Get(key string) (int, bool)
	Set(key string, value int)

	// Hits reads n of keys, from the one of that index on and over again, and
	// returns the sum of the values. It is a loop of its own for each cache, for a
	// call through an interface would be a part of what is measured. The number
	// of keys is a power of two.
	Hits(keys []string, from, n int) (sum uint64, misses int)
}

// Options are those of a Local.
type Options struct {
	Size     int           // how many values it keeps
	Duration time.Duration // how long a value is valid; 0: for ever
	Context  bool          // txcache: values depend on the user context
}

// A LocalKind is a kind of cache in the process.
type LocalKind struct {
	Name     string
	Forever  bool // it can keep values for ever
	Expiring bool // it can keep them for a time
	Open     func(Options) (Local, error)
}

// Locals are the others, in the order in which they are shown.
var Locals = []LocalKind{
	{"otter", true, true, openOtter},
	{"theine", true, true, openTheine},
	{"ristretto", true, true, openRistretto},
	{"golang-lru", true, true, openLRU},
	{"sturdyc", false, true, openSturdyc},
}

// TxCache is txcache in memory.
var TxCache = LocalKind{"txcache", true, true, openTxCache}

// Fill sets the index of each key as its value, and makes sure that each is
// there and right and that another key is not. Caches that may refuse a value
// are asked again a few times.
func Fill(c Local, keys []string) error {
	const tries = 10
	s := c.Session()
	var missing string
	for range tries {
		missing = ""
		for i, key := range keys {
			if _, ok := s.Get(key); !ok {
				s.Set(key, i)
			}
		}
		c.Wait()
		for i, key := range keys {
			v, ok := s.Get(key)
			if !ok {
				missing = key
			} else if v != i {
				return fmt.Errorf("%q has the value %d, want %d", key, v, i)
			}
		}
		if missing == "" {
			break
		}
	}
	if missing != "" {
		return fmt.Errorf("%q is not there after %d tries to set it", missing, tries)
	}
	if v, ok := s.Get("a key that nobody has set"); ok {
		return fmt.Errorf("a key that nobody has set has the value %d", v)
	}
	return nil
}
