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

// MaxDeletes is how many deletes of a database are remembered. The oldest of more are
// forgotten by raising the floors of their caches.
const MaxDeletes = 16 << 10

// Deletes are the deletes of one database that are remembered: of each deleted key
// the numbers of its last two deletes, and of each cache a floor, which is the number of the last
// delete that was forgotten. Nobody changes a Deletes: Add, Raise and Forget
// return another one, which shares with it what has not changed. Nil is one without
// deletes.
//
// A value that was filled under the number n of a state is good in a state with these
// Deletes if n is at least the floor of its cache and the number of the last delete of
// its key, and the same holds for each of its tags. So a delete that was forgotten, and
// a hash that two keys share, cost misses.
type Deletes struct {
	caches []*CacheDeletes // sorted by name
	n      int             // of all keys
}

// CacheDeletes are the Deletes of one cache. Nil are none.
type CacheDeletes struct {
	name          string
	floor, latest uint64
	keys          *deletedKeys
	n             int // of keys
}

// Of returns the deletes of a cache: the same pointer as long as nothing changes
// there, nil if there are none. The cache without a name has those of tags.
func (d *Deletes) Of(cache string) *CacheDeletes {
	if d != nil {
		if i, ok := d.find(cache); ok {
			return d.caches[i]
		}
	}
	return nil
}

func (d *Deletes) find(cache string) (int, bool) {
	return slices.BinarySearchFunc(d.caches, cache, func(c *CacheDeletes, name string) int { return cmp.Compare(c.name, name) })
}

// Add returns d with deletes of keys by the change of that number, which is not below
// that of any delete in d. It keeps no references to keys.
func (d *Deletes) Add(number uint64, keys ...Keys) *Deletes {
	for _, k := range keys {
		if len(k.Hashes) > 0 {
			d = d.with(d.Of(k.Cache).add(k.Cache, number, k.Hashes))
		}
	}
	if d.Len() > MaxDeletes {
		return d.withoutOldest()
	}
	return d
}

// Raise returns d with the floor of a cache raised to number, if it is lower.
func (d *Deletes) Raise(cache string, number uint64) *Deletes {
	c := d.Of(cache)
	if number <= c.Floor() {
		return d
	}
	raised := CacheDeletes{}
	if c != nil {
		raised = *c.forget(number)
	}
	raised.name, raised.floor, raised.latest = cache, number, max(number, raised.latest)
	return d.with(&raised)
}

// Forget returns d after a clear of caches: their deletes are forgotten, and their floors
// rise to the last of them. Values of the new generations are good all the same, as
// they are filled later. A transaction that began before a delete, and clears the cache
// itself, learns by the floor that what it has read may be older. // P4
func (d *Deletes) Forget(caches ...Generation) *Deletes {
	for _, g := range caches {
		d = d.Raise(g.Cache, d.Of(g.Cache).Latest())
	}
	return d
}

// ForgetAll is Forget for all caches, and tags.
func (d *Deletes) ForgetAll() *Deletes {
	if d != nil {
		for _, c := range d.caches {
			d = d.Raise(c.name, c.latest)
		}
	}
	return d
}

// Len returns of how many keys d has deletes.
func (d *Deletes) Len() int {
	if d == nil {
		return 0
	}
	return d.n
}

// with returns d with c as the deletes of its cache.
func (d *Deletes) with(c *CacheDeletes) *Deletes {
	if d == nil {
		return &Deletes{[]*CacheDeletes{c}, c.n}
	}
	i, there := d.find(c.name)
	if !there {
		return &Deletes{slices.Insert(slices.Clip(d.caches), i, c), d.n + c.n}
	}
	next := &Deletes{slices.Clone(d.caches), d.n - d.caches[i].n + c.n}
	next.caches[i] = c
	return next
}

// withoutOldest returns d without its oldest deletes. A quarter of the room is free
// then, so that few deletes pay for this.
func (d *Deletes) withoutOldest() *Deletes {
	numbers := make([]uint64, 0, d.n)
	for _, c := range d.caches {
		c.keys.each(func(k deletedKey) { numbers = append(numbers, k.last) })
	}
	slices.Sort(numbers)
	oldest := numbers[len(numbers)-MaxDeletes*3/4-1]
	next := &Deletes{caches: make([]*CacheDeletes, len(d.caches))}
	for i, c := range d.caches {
		next.caches[i] = c.forget(oldest)
		next.n += next.caches[i].n
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
	k := c.keys.find(hash)
	return max(k.last, c.floor), max(k.before, c.floor)
}

// add returns c, which is of the cache of that name, with deletes of keys by the change
// of that number. A key that this change has deleted already stays as it is.
func (c *CacheDeletes) add(name string, number uint64, hashes []uint64) *CacheDeletes {
	next := &CacheDeletes{name: name}
	if c != nil {
		*next = *c
	}
	next.latest = max(number, next.latest)
	for _, h := range hashes {
		last, before := next.Last(h)
		if last == number {
			last = before
		}
		var added bool
		if next.keys, added = next.keys.put(deletedKey{h, number, last}, 0); added {
			next.n++
		}
	}
	return next
}

// forget returns c without the deletes up to number, and with the floor at the last of
// these. It is c where there are none of them.
func (c *CacheDeletes) forget(number uint64) *CacheDeletes {
	next := *c
	next.keys = c.keys.after(number, func(k deletedKey) {
		next.n--
		next.floor = max(next.floor, k.last)
	})
	if next.n == c.n {
		return c
	}
	return &next
}
