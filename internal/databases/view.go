package databases

import (
	"slices"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
)

// A View is the state that a group of transactions began with, and the generations
// that they may read and fill under it. What it says of a cache never changes, so a
// transaction that keeps its view reads and fills under its own tokens, whatever
// happens meanwhile. // P4
type View struct {
	State *backend.State // nil if it could not be had: every cache is private

	// Unordered says that the state has no order among those of its database: no other
	// one is newer than it.
	Unordered bool
	Exact     bool // of an unordered one: transactions with this view have one snapshot

	gone  bool             // the database was dropped
	held  []*backend.Fence // of commits of this process that the state may not show
	slots atomic.Pointer[slots]
}

// Stateless is the view of a transaction that began without a state.
var Stateless = newView(nil, nil)

func newView(state *backend.State, held []*backend.Fence) *View {
	v := &View{State: state, held: held}
	v.slots.Store(noSlots)
	return v
}

// Token returns the token under which a transaction with this view may read and fill
// c, or "" if c is private to it.
func (v *View) Token(c *Cache) backend.Token {
	if v.State == nil || v.State.IsFenced(c.Name) || slices.ContainsFunc(v.held, func(f *backend.Fence) bool { return Covers(f, c.Name) }) {
		return ""
	}
	return v.State.Token(c.Name)
}

// Replaced reports whether the database was dropped between v and newest, which is the
// newest view.
func (v *View) Replaced(newest *View) bool {
	return newest.gone || v.State != nil && newest.State != nil && newest.State.Epoch != v.State.Epoch
}

// Covers reports whether f fences the cache of that name.
func Covers(f *backend.Fence, cache string) bool {
	return f.All || slices.ContainsFunc(f.Caches, func(g backend.Generation) bool { return g.Cache == cache })
}

// includes reports whether f fences every cache and key that g fences.
func includes(f, g *backend.Fence) bool {
	if g.All && !f.All {
		return false
	}
	return !slices.ContainsFunc(g.Caches, func(g backend.Generation) bool { return !Covers(f, g.Cache) }) &&
		!slices.ContainsFunc(g.Keys, func(k backend.Keys) bool { return !coversKeys(f, k) })
}

// coversKeys reports whether f fences all those keys, or their cache. That a cache is
// cleared means nothing for tags.
func coversKeys(f *backend.Fence, keys backend.Keys) bool {
	if f.All || keys.Cache != "" && Covers(f, keys.Cache) {
		return true
	}
	i := slices.IndexFunc(f.Keys, func(k backend.Keys) bool { return k.Cache == keys.Cache })
	return i >= 0 && !slices.ContainsFunc(keys.Hashes, func(h uint64) bool { return !slices.Contains(f.Keys[i].Hashes, h) })
}
