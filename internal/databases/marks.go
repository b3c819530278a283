package databases

import (
	"math"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// Marks are what a view says of single keys of a cache: which were deleted, which tags
// were cleared, and on which keys and tags a fence stands. Nil Marks say nothing: each
// value of the generation is good. Marks do not change.
//
// A value is good for a transaction if its fill, which is the number of the state under
// which it was loaded, is at least the number of the last delete of its key, and of
// the last clear of each of its tags, in the transaction's view, and if no fence stands on
// any of them there. A transaction that began before a delete cannot refill what was
// deleted: its fill is too low. // P4
type Marks struct {
	// Good is the fill from which on a value is good whatever its key and tags.
	// Where a fence stands no fill is.
	Good uint64

	keys, tags             *backend.CacheDeletes
	fencedKeys, fencedTags []uint64

	// Sums says that the state has no number: fills are sums of deletes, and a value is good if
	// its fill is the sum of its key and of all tags. Then there are Marks always.
	Sums             bool
	keySums, tagSums *backend.CacheSums

	// Chain and Step are those of the state, of caches whose values bear tags.
	Chain, Step uint64
	tagSteps    *backend.CacheDeletes
}

// marks returns the Marks of c in v: old ones if they say the same.
func (v *View) marks(c *Cache, old *Marks) *Marks {
	switch {
	case v.State == nil:
		return nil
	case v.Unordered:
		m := &Marks{Good: math.MaxUint64, Sums: true, keySums: v.State.Sums.Of(c.Name)}
		if c.Tagged.Load() {
			m.tagSums = v.State.Sums.Of("")
			m.Chain, m.Step, m.tagSteps = v.State.Chain, v.State.Step, v.State.TagSteps.Of("")
		}
		return m
	}
	m := Marks{keys: v.State.Deletes.Of(c.Name)}
	m.fencedKeys = v.fenced(c.Name)
	if c.Tagged.Load() {
		m.tags = v.State.Deletes.Of("")
		m.fencedTags = v.fenced("")
	}
	isFenced := len(m.fencedKeys)+len(m.fencedTags) > 0
	switch {
	case isFenced:
		m.Good = math.MaxUint64
	case m.keys == nil && m.tags == nil:
		return nil
	case old != nil && old.keys == m.keys && old.tags == m.tags && old.Good != math.MaxUint64:
		return old
	default:
		m.Good = max(m.keys.Latest(), m.tags.Latest())
	}
	return &m
}

// fenced returns the keys of a cache on which a fence stands, or this process holds one,
// sorted.
func (v *View) fenced(cache string) (hashes []uint64) {
	add := func(all []backend.Keys) {
		for _, k := range all {
			if k.Cache == cache {
				hashes = append(hashes, k.Hashes...)
			}
		}
	}
	add(v.State.FencedKeys)
	for _, f := range v.held {
		add(f.Keys)
	}
	slices.Sort(hashes)
	return hashes
}

// Key returns the numbers of the last delete of a key and of the one before it.
func (m *Marks) Key(hash uint64) (last, before uint64) {
	if m == nil {
		return 0, 0
	}
	return m.keys.Last(hash)
}

// Tag returns the numbers of the last clear of a tag and of the one before it.
func (m *Marks) Tag(hash uint64) (last, before uint64) {
	if m == nil {
		return 0, 0
	}
	return m.tags.Last(hash)
}

// KeySum returns the sum of the deletes of a key.
func (m *Marks) KeySum(hash uint64) uint64 { return m.keySums.Key(hash) }

// HasSums reports whether any key or tag was deleted, with a sum that is not 0.
func (m *Marks) HasSums() (keys, tags bool) { return m.keySums != nil, m.tagSums != nil }

// TagsSum returns the sum of all clears of tags.
func (m *Marks) TagsSum() uint64 { return m.tagSums.Total() }

// TagSince reports whether a tag was cleared, or may have been, after that step of the chain.
func (m *Marks) TagSince(step, hash uint64) bool {
	last, _ := m.tagSteps.Last(hash)
	return last > step
}

// Floors returns the number below which the fills of values were given up because
// deletes of their cache, or clears of tags, were forgotten.
func (m *Marks) Floors() (keys, tags uint64) {
	if m == nil {
		return 0, 0
	}
	return m.keys.Floor(), m.tags.Floor()
}

// KeysFenced and TagsFenced report whether a fence stands on any key or tag.
func (m *Marks) KeysFenced() bool { return m != nil && len(m.fencedKeys) > 0 }
func (m *Marks) TagsFenced() bool { return m != nil && len(m.fencedTags) > 0 }

// KeyFenced reports whether a fence stands on a key.
func (m *Marks) KeyFenced(hash uint64) bool { return m != nil && contains(m.fencedKeys, hash) }

// TagFenced reports whether a fence stands on a tag.
func (m *Marks) TagFenced(hash uint64) bool { return m != nil && contains(m.fencedTags, hash) }

func contains(sorted []uint64, hash uint64) bool {
	_, ok := slices.BinarySearch(sorted, hash)
	return ok
}

// LatestTag returns the number of the last clear of any tag.
func (m *Marks) LatestTag() uint64 {
	if m == nil {
		return 0
	}
	return m.tags.Latest()
}

// LatestKey returns the number of the last delete of any key.
func (m *Marks) LatestKey() uint64 {
	if m == nil {
		return 0
	}
	return m.keys.Latest()
}
