package backendtest

import (
	"cmp"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// keys returns keys of one cache, in the order of the contract.
func keys(cache string, hashes ...uint64) backend.Keys {
	hashes = slices.Clone(hashes)
	slices.Sort(hashes)
	return backend.Keys{Cache: cache, Hashes: slices.Compact(hashes)}
}

// fenceOnKeys returns a new fence on keys, of each cache once.
func fenceOnKeys(keys ...backend.Keys) backend.Fence {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b backend.Keys) int { return cmp.Compare(a.Cache, b.Cache) })
	return backend.Fence{ID: backend.NewToken(), Lease: standing, Keys: keys}
}

func (t *trial) requireCounts() {
	if t.first.sync("shop").Number == 0 {
		t.failf("%w: the backend does not count changes, so it is given clears in place of deletes", ErrSkipped)
	}
}

// deleted fails the trial unless s shows a delete of each of the keys, with a number
// above that of all States from before it.
func (t *trial) deleted(s *backend.State, before uint64, when string, keys []backend.Keys) {
	for _, k := range keys {
		c := s.Deletes.Of(k.Cache)
		for _, hash := range k.Hashes {
			last, one := c.Last(hash)
			switch {
			case last <= before:
				t.failf("%s: key %d of cache %.40q was last deleted by %d, want a number above %d, that of a State from before the delete", when, hash, k.Cache, last, before)
			case last > s.Number || last > c.Latest():
				t.failf("%s: key %d of cache %.40q was last deleted by %d, in a State of Number %d whose latest delete of the cache is %d; no value would be good", when, hash, k.Cache, last, s.Number, c.Latest())
			case one > before:
				t.failf("%s: key %d of cache %.40q was deleted by %d, before the last time by %d; want one up to %d, as there was one delete since", when, hash, k.Cache, last, one, before)
			}
		}
	}
}

// keptKey fails the trial unless a key's deletes are the same in now and in old.
func (t *trial) keptKey(old, now *backend.State, when, cache string, hash uint64) {
	last, before := old.Deletes.Of(cache).Last(hash)
	if l, b := now.Deletes.Of(cache).Last(hash); l != last || b != before {
		t.failf("%s: key %d of cache %.40q was last deleted by %d and before by %d, want %d and %d", when, hash, cache, l, b, last, before)
	}
}

// sameDeletes fails the trial unless the deletes of these caches are the same in both.
func (t *trial) sameDeletes(want, got *backend.State, when string, caches []string, hashes []uint64) {
	for _, cache := range caches {
		a, b := want.Deletes.Of(cache), got.Deletes.Of(cache)
		if a.Floor() != b.Floor() || a.Latest() != b.Latest() {
			t.failf("%s: cache %.40q has a floor of %d and its latest delete is %d, want %d and %d", when, cache, b.Floor(), b.Latest(), a.Floor(), a.Latest())
		}
		for _, hash := range hashes {
			t.keptKey(want, got, when, cache, hash)
		}
	}
}

func (t *trial) isFencedKey(s *backend.State, cache string, hash uint64) bool {
	return slices.ContainsFunc(s.FencedKeys, func(k backend.Keys) bool {
		return k.Cache == cache && slices.Contains(k.Hashes, hash)
	})
}

// fencedKey fails the trial unless s shows a key as fenced, or not.
func (t *trial) fencedKey(s *backend.State, want bool, when, cache string, hash uint64) {
	if got := t.isFencedKey(s, cache, hash); got != want {
		t.failf("%s: the State has key %d of cache %.40q as fenced: %t, want %t", when, hash, cache, got, want)
	}
}

// sortedKeys fails the trial unless the hashes in FencedKeys are sorted and each once.
func (t *trial) sortedKeys(s *backend.State, when string) {
	for _, k := range s.FencedKeys {
		for i := range k.Hashes {
			if i > 0 && k.Hashes[i-1] >= k.Hashes[i] {
				t.failf("%s: State.FencedKeys has key %d of cache %.40q before %d, want them sorted and each once", when, k.Hashes[i-1], k.Cache, k.Hashes[i])
			}
		}
	}
}
