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

// Extended returns the set of the keys of s and of keys: s if that is the same.
// Unlike those of NewIgnored it is not kept, and no ID should be asked for with it.
func (s *Ignored) Extended(keys []string) *Ignored {
	if !slices.ContainsFunc(keys, func(key string) bool { return !s.has(key) }) {
		return s
	}
	all := slices.Clone(keys)
	if s != nil {
		all = append(all, s.keys...)
	}
	slices.Sort(all)
	return &Ignored{slices.Compact(all)}
}

// hasAll reports whether s has all keys of values.
func (s *Ignored) hasAll(values map[string]any) bool {
	for key := range values {
		if !s.has(key) {
			return false
		}
	}
	return true
}

func (s *Ignored) has(key string) bool {
	if s == nil {
		return false
	}
	_, ok := slices.BinarySearch(s.keys, key)
	return ok
}
