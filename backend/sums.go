package backend

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// sumMask makes sums ones of 62 bits, which every database has a type for.
const sumMask = 1<<62 - 1

// Number returns a number of 62 bits for a token: of NewToken's, a random one.
func (t Token) Number() uint64 {
	digest := sha256.Sum256([]byte(t))
	return binary.BigEndian.Uint64(digest[:]) & sumMask
}

// Sums are, for the State of an Enlister, the sums of deleted keys and of cleared tags:
// of each key the sum of the numbers of the deletes that the state shows, modulo 2⁶². So two states
// that show the same deletes of a key, and no others, have the same sum for it, and two
// that do not have not, but for a chance of 2⁻⁶². A key that was never deleted has the
// sum 0.
//
// Too many keys are forgotten by adding the sums of some of them to that of their group:
// all keys of a cache are in one of [Groups] groups, by their hash. The other keys of the
// group have another sum then, and their values are misses.
//
// Nobody changes a Sums: Add and AddGroup return another one, which shares with it what
// has not changed. Nil is one without deletes.
type Sums struct {
	caches []*CacheSums // sorted by name
	n      int
}

// CacheSums are the Sums of one cache. Nil are none.
type CacheSums struct {
	name   string
	total  uint64
	keys   *deletedKeys // the sum of each as its last
	groups *deletedKeys // likewise, by the number of the group
	n      int          // of both
}

// Groups is how many groups the keys of a cache are in.
const Groups = 1 << 10

// Group returns the group in which the key with that hash is.
func Group(hash uint64) uint64 { return spread(hash) % Groups }

// Of returns the sums of a cache: the same pointer as long as nothing changes there, nil
// if all are 0. The cache without a name has those of tags.
func (s *Sums) Of(cache string) *CacheSums {
	if s == nil {
		return nil
	}
	i, there := s.find(cache)
	if !there {
		return nil
	}
	return s.caches[i]
}

func (s *Sums) find(cache string) (int, bool) {
	return slices.BinarySearchFunc(s.caches, cache, func(c *CacheSums, name string) int { return cmp.Compare(c.name, name) })
}

// Add returns s with number added to the sum of a key. Adding [Negative] of a number
// takes it away again.
func (s *Sums) Add(cache string, hash, number uint64) *Sums {
	return s.change(cache, number, func(c *CacheSums) { c.n += add(&c.keys, hash, number) })
}

// AddGroup is Add for all keys of a group.
func (s *Sums) AddGroup(cache string, group, number uint64) *Sums {
	return s.change(cache, number, func(c *CacheSums) { c.n += add(&c.groups, group, number) })
}

// Negative returns what takes number away from a sum.
func Negative(number uint64) uint64 { return -number & sumMask }

func add(t **deletedKeys, hash, number uint64) (more int) {
	k := (*t).find(hash)
	k.hash, k.last = hash, (k.last+number)&sumMask
	if k.last == 0 {
		var removed bool
		if *t, removed = (*t).without(hash, 0); removed {
			return -1
		}
		return 0
	}
	var added bool
	if *t, added = (*t).put(k, 0); added {
		return 1
	}
	return 0
}

func (s *Sums) change(cache string, number uint64, change func(*CacheSums)) *Sums {
	next := &Sums{}
	if s != nil {
		next.n = s.n
		next.caches = slices.Clone(s.caches)
	}
	i, there := next.find(cache)
	c := &CacheSums{name: cache}
	if there {
		*c = *next.caches[i]
	} else {
		next.caches = slices.Insert(next.caches, i, c)
	}
	before := c.n
	change(c)
	c.total = (c.total + number) & sumMask
	next.n += c.n - before
	next.caches[i] = c
	if c.n == 0 {
		next.caches = slices.Delete(next.caches, i, i+1)
	}
	if len(next.caches) == 0 {
		return nil
	}
	return next
}

// Len returns how many sums of keys and groups are not 0.
func (s *Sums) Len() int {
	if s == nil {
		return 0
	}
	return s.n
}

// Key returns the sum of the key with that hash.
func (c *CacheSums) Key(hash uint64) uint64 {
	if c == nil {
		return 0
	}
	return (c.keys.find(hash).last + c.groups.find(Group(hash)).last) & sumMask
}

// Total returns the sum of all deletes of the cache: where it is the same, each key has the same.
func (c *CacheSums) Total() uint64 {
	if c == nil {
		return 0
	}
	return c.total
}
