package canon

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
)

// A Context is a frozen user context: a user and named values. It is immutable
// and safe for concurrent use; it must not be copied. A nil *Context is the
// empty context.
//
// Values are frozen when they are given, so what the caller does to them later
// has no effect; while they are being given they must not change. Those that
// [Context.Take] leaves alone are the exception. Two contexts
// are the same if reflect.DeepEqual finds their users and values equal, of the
// same types, with these exceptions:
//
//   - A time.Time is its instant, and the name and offset that its location has
//     at that instant. A monotonic clock reading does not count.
//   - Types of package net/netip are as == finds them.
//   - Blank fields of structs do not count.
//
// No user is not the same as a nil user, and no value not the same as a nil one.
//
// Some values cannot be frozen: NaN, functions and channels that are not nil,
// uintptr and unsafe pointers, a time.Location (use its name), maps with a key
// that [Keys.Stable] would refuse, and values that contain themselves, are
// nested more than 200 levels deep, or take more than a mebibyte.
type Context struct {
	user   *frozen // nil: no user
	values []value // sorted by key
	ids    atomic.Pointer[identity]
	hash   uint64 // any number, for the hashes of what comes of it
	kept   bool   // it is small enough for others that come of it to be remembered
}

// A frozen value is an encoding, with the type, if ok.
type frozen struct {
	encoding string
	ok       bool
}

type value struct {
	key string
	frozen
	later *later // not nil for a value that is not frozen yet
}

// An identity is a Context's ID under one set of ignored keys, and a list of
// others. It does not change.
type identity struct {
	ignored *Ignored
	id      ID
	ok      bool
	next    *identity
}

// WithUser returns c with another user, who may be nil.
func (c *Context) WithUser(user any) *Context {
	return c.ofUser(user, func() *Context {
		f := freeze(user)
		n := &Context{user: &f, hash: rand.Uint64()}
		if c != nil {
			n.values = c.values
		}
		return n
	})
}

// With returns c with values set, over those that c has under the same keys.
func (c *Context) With(values map[string]any) *Context { return c.Take(values, nil, nil) }

// Take is With for values some of which are not looked at. Those under the keys
// of never are left out. Those under the keys of mostly are frozen now if they are
// plain (booleans, numbers, texts, times, addresses, and arrays, slices and
// structs of such), and the others when ID is first called with a set that does
// not ignore them: until then they may be in use elsewhere.
func (c *Context) Take(values map[string]any, never, mostly *Ignored) *Context {
	if len(values) == 0 || never != nil && never.hasAll(values) {
		return c
	}
	return c.ofValues(values, never, func() *Context { return c.merged(values, never, mostly) })
}

func (c *Context) merged(values map[string]any, never, mostly *Ignored) *Context {
	n := &Context{hash: rand.Uint64()}
	if c != nil {
		n.user = c.user
		n.values = make([]value, 0, len(c.values)+len(values))
		for _, v := range c.values {
			if _, ok := values[v.key]; !ok || never.has(v.key) {
				n.values = append(n.values, v)
			}
		}
	}
	for key, v := range values {
		switch {
		case never.has(key):
		case mostly.has(key) && isShared(v):
			n.values = append(n.values, value{key: key, later: &later{given: v}})
		default:
			n.values = append(n.values, value{key: key, frozen: freeze(v)})
		}
	}
	slices.SortFunc(n.values, func(a, b value) int { return strings.Compare(a.key, b.key) })
	return n
}

// ID returns what c is without the values that are ignored. It returns false if
// the user or one of the other values could not be frozen; nothing that depends
// on c may then be kept or shared. It is computed once for each set.
func (c *Context) ID(ignored *Ignored) (ID, bool) {
	if c == nil {
		return ID{}, true
	}
	return c.identify(ignored)
}

func (c *Context) identify(ignored *Ignored) (ID, bool) {
	head := c.ids.Load()
	for i := head; i != nil; i = i.next {
		if i.ignored == ignored {
			return i.id, i.ok
		}
	}
	i := &identity{ignored: ignored}
	i.id, i.ok = c.compute(ignored)
	// Another goroutine may have added the same meanwhile; twice does no harm.
	for i.next = head; !c.ids.CompareAndSwap(i.next, i); {
		i.next = c.ids.Load()
	}
	return i.id, i.ok
}

func (c *Context) compute(ignored *Ignored) (ID, bool) {
	e := borrowed(math.MaxInt)
	defer e.giveBack()
	empty := c.user == nil
	e.bool(!empty)
	if c.user != nil {
		if !c.user.ok {
			return ID{}, false
		}
		e.string(c.user.encoding)
	}
	for _, v := range c.values {
		if ignored.has(v.key) {
			continue
		}
		if v.later != nil {
			v.frozen = v.later.freeze()
		}
		if !v.ok {
			return ID{}, false
		}
		empty = false
		e.string(v.key)
		e.string(v.encoding)
	}
	if empty {
		return ID{}, true
	}
	return newID(e.buf), true
}

func freeze(v any) frozen {
	e := borrowed(maxFrozen)
	defer e.giveBack()
	ok := e.value(reflect.ValueOf(&v).Elem())
	return frozen{string(e.buf), ok}
}
