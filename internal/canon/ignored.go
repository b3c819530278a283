package canon

import (
	"slices"
	"sync"
)

// Ignored is an immutable set of context keys that make no difference. Equal
// sets are the same pointer. A nil *Ignored is the empty set.
type Ignored struct {
	keys []string // sorted, no duplicates
}

// interned holds every set that was made. Sets come from configurations and
// options, so there are few, and they are kept.
var interned sync.Map // the encoded keys to *Ignored

// NewIgnored returns the set of keys, in any order: nil if there are none.
func NewIgnored(keys ...string) *Ignored {
	if len(keys) == 0 {
		return nil
	}
	keys = slices.Clone(keys)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	e := newEncoder()
	for _, key := range keys {
		e.string(key)
	}
	set, _ := interned.LoadOrStore(string(e.buf), &Ignored{keys})
	return set.(*Ignored)
}

func (s *Ignored) has(key string) bool {
	if s == nil {
		return false
	}
	_, ok := slices.BinarySearch(s.keys, key)
	return ok
}
