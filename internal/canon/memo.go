package canon

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
)

// The requests of a service say the same over and over: one of a few hundred
// users, one of a few languages. So contexts that were made lately are
// remembered, with the IDs that they have by now. A caller that gives the same
// plain values to the same context gets the same result. The table is small, and
// so are the contexts in it; each bucket has the one that came last.
var memo [1024]atomic.Pointer[memoized]

// Larger contexts are not remembered.
const (
	maxMemoValues = 8
	maxMemoText   = 128
)

// A memoized is a context that came of another, with the user or the values that
// were given to that other one.
type memoized struct {
	from   *Context
	user   any // nil if values were given
	values map[string]any
	to     *Context
}

var memoSeed = maphash.MakeSeed()

// bucket returns the place of a context that comes of from and of a user or values
// with that hash.
func bucket(from *Context, hash uint64) *atomic.Pointer[memoized] {
	if from != nil {
		hash ^= from.hash
	}
	hash *= 0x9E3779B97F4A7C15
	return &memo[hash>>32%uint64(len(memo))]
}

// plainHash returns a hash of a value of the types that are remembered; not ok
// if it is of another, or too long. Types need not be told apart by a hash.
func plainHash(v any) (hash uint64, ok bool) {
	switch v := v.(type) {
	case string:
		return maphash.String(memoSeed, v), len(v) <= maxMemoText
	case int:
		return uint64(v), true
	case int64:
		return uint64(v), true
	case int32:
		return uint64(v), true
	case uint64:
		return v, true
	case uint32:
		return uint64(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case []int:
		return listHash(v)
	case []int64:
		return listHash(v)
	}
	return 0, false
}

func listHash[T int | int64](list []T) (hash uint64, ok bool) {
	for _, n := range list {
		hash = (hash ^ uint64(n)) * 0xD6E8FEB86659FD93
	}
	return hash, len(list) <= maxMemoValues
}

// plainEqual reports whether two such values are the same.
func plainEqual(a, b any) bool {
	switch a := a.(type) {
	case []int:
		b, ok := b.([]int)
		return ok && slices.Equal(a, b) && (a == nil) == (b == nil)
	case []int64:
		b, ok := b.([]int64)
		return ok && slices.Equal(a, b) && (a == nil) == (b == nil)
	}
	switch b.(type) {
	case []int, []int64:
		return false
	}
	return a == b
}

// plainCopy returns a copy of a value: the caller may change what it gave.
func plainCopy(v any) any {
	switch v := v.(type) {
	case []int:
		return slices.Clone(v)
	case []int64:
		return slices.Clone(v)
	}
	return v
}

// remembered reports whether contexts that come of c may be remembered: c is small
// then, and callers are likely to use it again.
func (c *Context) remembered() bool { return c == nil || c.kept }

// ofUser remembers WithUser.
func (c *Context) ofUser(user any, create func() *Context) *Context {
	hash, ok := plainHash(user)
	if !ok || !c.remembered() {
		return create()
	}
	s := bucket(c, hash)
	if m := s.Load(); m != nil && m.from == c && m.user != nil && plainEqual(m.user, user) {
		return m.to
	}
	m := &memoized{from: c, user: plainCopy(user), to: create()}
	m.to.kept = true
	s.Store(m)
	return m.to
}

// ofValues remembers Take, of which it looks at no value under the keys of never.
func (c *Context) ofValues(values map[string]any, never *Ignored, create func() *Context) *Context {
	if len(values) > maxMemoValues || !c.remembered() {
		return create()
	}
	var hash uint64
	taken := 0
	for key, v := range values { // in any order
		if never.has(key) {
			continue
		}
		taken++
		h, ok := plainHash(v)
		if !ok || len(key) > maxMemoText {
			return create()
		}
		hash += (maphash.String(memoSeed, key) ^ h) * 0xD6E8FEB86659FD93
	}
	s := bucket(c, hash)
	if m := s.Load(); m != nil && m.from == c && m.user == nil && len(m.values) == taken && m.cameOf(values) {
		return m.to
	}
	m := &memoized{from: c, values: make(map[string]any, taken), to: create()}
	for key, v := range values {
		if !never.has(key) {
			m.values[key] = plainCopy(v)
		}
	}
	m.to.kept = len(m.to.values) <= maxMemoValues
	s.Store(m)
	return m.to
}

// cameOf reports whether all values that m came of are among values.
func (m *memoized) cameOf(values map[string]any) bool {
	for key, v := range m.values {
		if given, ok := values[key]; !ok || !plainEqual(v, given) {
			return false
		}
	}
	return true
}
