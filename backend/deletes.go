package backend

import (
	"cmp"
	"slices"
)

// Keys are keys of one cache, or tags: a tag is a key of the cache without a name.
type Keys struct {
	Cache  string   // "": tags
	Hashes []uint64 // of the keys, in every user context; sorted, each once
}

// MaxDeletes is how many deletes of a database are remembered, about. The oldest of
// more are forgotten by raising the floors of their caches.
const MaxDeletes = 16 << 10

// Deletes are the deletes of one database that are remembered: of each deleted key
// the number of its last delete, and of each cache a floor, which is the number of the last
// delete that was forgotten. Nobody changes a Deletes: Add and the others
// return another one, which shares with it what has not changed. Nil is one without
// deletes.
//
// A value that was filled under the number n of a state is good in a state with these
// Deletes if n is at least the floor of its cache and the number of the last delete of
// its key. So a delete that was forgotten, and a hash that two keys share, cost misses.
type Deletes struct {
	caches []namedDeletes // sorted by name
}

type namedDeletes struct {
	name string
	*CacheDeletes
}

// CacheDeletes are the Deletes of one cache. Nil are none.
type CacheDeletes struct {
	floor, latest uint64
	levels        [][]deletedKey // each sorted by hash; of one hash the last level counts
}

type deletedKey struct{ hash, last, before uint64 }

// Of returns the deletes of a cache: the same pointer as long as nothing changes
// there, nil if there are none. The cache without a name has those of tags.
func (d *Deletes) Of(cache string) *CacheDeletes {
	if d != nil {
		if i, ok := d.find(cache); ok {
			return d.caches[i].CacheDeletes
		}
	}
	return nil
}

func (d *Deletes) find(cache string) (int, bool) {
	return slices.BinarySearchFunc(d.caches, cache, func(c namedDeletes, name string) int { return cmp.Compare(c.name, name) })
}

// Add returns d with deletes of keys by the change of that number, which is higher than
// that of any delete in d.
func (d *Deletes) Add(number uint64, keys ...Keys) *Deletes {
	next := d
	for _, k := range keys {
		if len(k.Hashes) > 0 {
			next = next.with(k.Cache, d.Of(k.Cache).add(number, k.Hashes))
		}
	}
	if next.Len() > MaxDeletes {
		return next.forgetful()
	}
	return next
}

// Raise returns d with the floor of a cache raised to number, if it is lower.
func (d *Deletes) Raise(cache string, number uint64) *Deletes {
	c := d.Of(cache)
	if number <= c.Floor() {
		return d
	}
	return d.with(cache, c.forget(number, true))
}

// Without returns d without the deletes of caches. That is right for caches that are
// cleared: no value of their new generations was filled before.
func (d *Deletes) Without(caches ...Generation) *Deletes {
	for _, g := range caches {
		if d.Of(g.Cache) != nil {
			i, _ := d.find(g.Cache)
			d = &Deletes{slices.Delete(slices.Clone(d.caches), i, i+1)}
		}
	}
	return d
}

// Len returns how many deletes d has, about.
func (d *Deletes) Len() (n int) {
	if d == nil {
		return 0
	}
	for _, c := range d.caches {
		for _, level := range c.levels {
			n += len(level)
		}
	}
	return n
}

// with returns d with c as the deletes of the cache of that name.
func (d *Deletes) with(name string, c *CacheDeletes) *Deletes {
	if d == nil {
		return &Deletes{[]namedDeletes{{name, c}}}
	}
	caches := slices.Clone(d.caches)
	i, there := d.find(name)
	if there {
		caches[i].CacheDeletes = c
	} else {
		caches = slices.Insert(caches, i, namedDeletes{name, c})
	}
	return &Deletes{caches}
}

// forgetful returns d without its oldest deletes, so that it has room for more.
func (d *Deletes) forgetful() *Deletes {
	next := &Deletes{slices.Clone(d.caches)}
	var numbers []uint64
	for i, c := range next.caches {
		c.CacheDeletes = c.forget(0, false) // what is there twice
		for _, level := range c.levels {
			for _, k := range level {
				numbers = append(numbers, k.last)
			}
		}
		next.caches[i] = c
	}
	if len(numbers) <= MaxDeletes*3/4 {
		return next
	}
	slices.Sort(numbers)
	oldest := numbers[len(numbers)-MaxDeletes*3/4]
	for i, c := range next.caches {
		next.caches[i].CacheDeletes = c.forget(oldest, false)
	}
	return next
}

// Floor returns the number of the last delete that was forgotten, 0 if none was.
func (c *CacheDeletes) Floor() uint64 {
	if c == nil {
		return 0
	}
	return c.floor
}

// Latest returns the number of the last delete, and 0 if there was none: a value that
// was filled under it, or later, is good whatever its key.
func (c *CacheDeletes) Latest() uint64 {
	if c == nil {
		return 0
	}
	return c.latest
}

// Last returns the numbers of the last delete of a key and of the one before. Both are
// at least the floor: one that was forgotten may have been of any key.
func (c *CacheDeletes) Last(hash uint64) (last, before uint64) {
	if c == nil {
		return 0, 0
	}
	for _, level := range slices.Backward(c.levels) {
		if i, ok := slices.BinarySearchFunc(level, hash, compareHash); ok {
			return level[i].last, max(level[i].before, c.floor)
		}
	}
	return c.floor, c.floor
}

func compareHash(k deletedKey, hash uint64) int { return cmp.Compare(k.hash, hash) }

// add returns c with deletes of keys by the change of that number. As in a
// log-structured merge-tree (O'Neil et al., 1996) each level has at least twice as
// many as the next, so a delete is copied a few times in all.
func (c *CacheDeletes) add(number uint64, hashes []uint64) *CacheDeletes {
	level := make([]deletedKey, 0, len(hashes))
	for _, h := range hashes {
		last, _ := c.Last(h)
		level = append(level, deletedKey{h, number, last})
	}
	slices.SortFunc(level, func(a, b deletedKey) int { return cmp.Compare(a.hash, b.hash) })
	level = slices.CompactFunc(level, func(a, b deletedKey) bool { return a.hash == b.hash })
	next := &CacheDeletes{floor: c.Floor(), latest: max(number, c.Latest())}
	if c != nil {
		next.levels = slices.Clip(c.levels)
	}
	next.levels = append(next.levels, level)
	for n := len(next.levels); n > 1 && len(next.levels[n-2]) < 2*len(next.levels[n-1]); n-- {
		merged := mergeKeys(next.levels[n-2], next.levels[n-1])
		next.levels = append(slices.Clip(next.levels[:n-2]), merged)
	}
	return next
}

// forget returns c in one level, without the deletes up to number. The floor rises to
// the last of these, or, if floor says so, to number.
func (c *CacheDeletes) forget(number uint64, floor bool) *CacheDeletes {
	next := &CacheDeletes{floor: c.Floor(), latest: c.Latest()}
	if floor {
		next.floor, next.latest = number, max(number, next.latest)
	}
	if c == nil {
		return next
	}
	var all []deletedKey
	for _, level := range c.levels {
		all = mergeKeys(all, level)
	}
	kept := make([]deletedKey, 0, len(all))
	for _, k := range all {
		if k.last > number {
			kept = append(kept, k)
		} else {
			next.floor = max(next.floor, k.last)
		}
	}
	if len(kept) > 0 {
		next.levels = [][]deletedKey{kept}
	}
	return next
}

// mergeKeys returns what is in either, sorted; of one hash what is in newer.
func mergeKeys(older, newer []deletedKey) []deletedKey {
	merged := make([]deletedKey, 0, len(older)+len(newer))
	for _, k := range newer {
		i, found := slices.BinarySearchFunc(older, k.hash, compareHash)
		merged = append(append(merged, older[:i]...), k)
		if found {
			i++
		}
		older = older[i:]
	}
	return append(merged, older...)
}
