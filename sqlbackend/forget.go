package sqlbackend

import (
	"cmp"
	"maps"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// forget bounds how many keys c has, and reports whether it had to forget some.
//
// A key is forgotten by adding its number to that of its group, and so are all keys of that
// group: the fewer groups, the fewer values of other keys are lost. If there are too many
// groups yet, a cache forgets all keys and groups by adding their sum to its own,
// which is a clear of that cache.
//
// Why no value is good that should not be: a snapshot shows the fold that
// forgets or does not, and with it every row that it has folded. For each delete of a key the sum of that key, or
// the generation of its cache, has its number as a term as soon as a snapshot shows
// the delete, in either form. So if two snapshots have the same sums for a key, they
// show the same deletes of it, but for a chance of 2⁻⁶² or so. Forgetting adds terms to the sums of
// other keys, and so makes misses. // P11, P12
func (c *content) forget() bool {
	maps.DeleteFunc(c.keys, func(_ place, number uint64) bool { return number == 0 })
	if len(c.keys) <= backend.MaxDeletes {
		return false
	}
	const want = backend.MaxDeletes / 2 // so that few folds pay for this
	c.forgetGroups(want)
	if len(c.keys) > backend.MaxDeletes {
		c.forgetCaches(want)
	}
	return true
}

// forgetGroups forgets the keys of groups with many, until no more than want are left.
func (c *content) forgetGroups(want int) {
	gain := map[place]int{} // by group: how many fewer there would be
	for at := range c.keys {
		if !at.group {
			at = place{at.cache, backend.Group(at.hash), true}
			if _, there := gain[at]; !there {
				if _, there = c.keys[at]; !there {
					gain[at] = -1
				}
			}
			gain[at]++
		}
	}
	groups := slices.SortedFunc(maps.Keys(gain), func(a, b place) int {
		return cmp.Or(cmp.Compare(gain[b], gain[a]), cmp.Compare(a.cache, b.cache), cmp.Compare(a.hash, b.hash))
	})
	forgotten := map[place]bool{}
	left := len(c.keys)
	for _, group := range groups {
		if left <= want || gain[group] == 0 {
			break
		}
		forgotten[group] = true
		left -= gain[group]
	}
	for at, number := range maps.Clone(c.keys) {
		group := place{at.cache, backend.Group(at.hash), true}
		if !at.group && forgotten[group] {
			delete(c.keys, at)
			c.keys[group] = (c.keys[group] + number) & mask
		}
	}
}

// forgetCaches makes clears of the deletes of the caches that have most, until no more
// than want are left. Tags are no cache, and have few groups.
func (c *content) forgetCaches(want int) {
	count := map[string]int{}
	for at := range c.keys {
		count[at.cache]++
	}
	left := len(c.keys)
	delete(count, "")
	cleared := map[string]sum{}
	for _, cache := range slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	}) {
		if left <= want {
			break
		}
		cleared[cache] = sum{n: 1}
		left -= count[cache]
	}
	for at, number := range maps.Clone(c.keys) {
		if s, ok := cleared[at.cache]; ok {
			delete(c.keys, at)
			cleared[at.cache] = s.plus(sum{0, number})
		}
	}
	for cache, s := range cleared {
		c.caches[cache] = c.caches[cache].plus(s)
	}
}
