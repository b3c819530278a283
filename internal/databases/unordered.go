package databases

import (
	"slices"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
)

// maxViews is how many views of unordered states a database keeps: those that were used
// last. Transactions begin under few of them at a time, the state of now and those of
// the snapshots that are a moment older, of replicas and of both classes.
const maxViews = 8

// unordered are the views and generations of a database whose states have no order
// (backend.Enlister). None is the newest: each transaction has the view of its own state,
// and a generation lives as long as a view that is kept has its token. The database's mu
// guards what is not atomic.
//
// What was loaded by transactions that have one snapshot is exact, and what others
// load may be newer than their state. So exact and newer values are in generations
// of their own.
type unordered struct {
	last        [2]atomic.Pointer[View] // the views used last, newer and exact
	views       []*View                 // the one used last first
	made        uint64                  // views so far
	generations map[ownKey]*generation
}

type ownKey struct {
	cache uint32
	token backend.Token
	exact bool
}

// unorderedView returns the view of a state that has no order; exact says that the
// transaction has one snapshot. It is the same view for the same state, as long as the
// database keeps it. It is nil if the database has left meanwhile: what a view of that shares is not
// counted, and would be shared still when the database has come back.
func (db *Database) unorderedView(s *backend.State, exact bool) *View {
	last := &db.unordered.last[0]
	if exact {
		last = &db.unordered.last[1]
	}
	if v := last.Load(); v != nil && v.State == s {
		return v
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.left {
		return nil
	}
	u := db.unordered
	i := slices.IndexFunc(u.views, func(v *View) bool { return v.State == s && v.Exact == exact })
	var v *View
	if i < 0 {
		v = u.add(s, exact)
		db.countState(s)
	} else {
		v = u.views[i]
		copy(u.views[1:i+1], u.views[:i])
		u.views[0] = v
	}
	last.Store(v)
	return v
}

// add adds a view, which gets the generations that it shares with others. In place of one
// that was not used for longest, if there are too many: its generations go, but those
// that other views share. A generation that no view has yet, as a commit has just made it,
// stays for as long as a view stays that nobody uses.
func (u *unordered) add(s *backend.State, exact bool) *View {
	v := newView(s, nil)
	v.Unordered, v.Exact = true, exact
	u.made++
	if len(u.views) == maxViews {
		gone := u.views[maxViews-1]
		u.views = u.views[:maxViews-1]
		for i := range u.last { // the next transaction with that state gets a view that is kept
			u.last[i].CompareAndSwap(gone, nil)
		}
	}
	u.views = slices.Insert(u.views, 0, v)
	resolved := newSlots(len(u.generations))
	for key, g := range u.generations {
		if exact == key.exact && v.Token(g.cache) == key.token {
			resolved.put(key.cache, g.contents, v.marks(g.cache, nil))
		} else if !u.used(key, g) { // P10
			g.discard()
			delete(u.generations, key)
		}
	}
	v.slots.Store(resolved)
	return v
}

// used reports whether a view that is kept has g, or may have it soon.
func (u *unordered) used(key ownKey, g *generation) bool {
	return u.made-g.made < maxViews || slices.ContainsFunc(u.views, func(v *View) bool {
		return v.Exact == key.exact && v.Token(g.cache) == key.token
	})
}

// unorderedContents returns the contents of c under a token. They are kept only if keep is
// set: a view that is not kept any more keeps what it resolves to itself.
func (db *Database) unorderedContents(c *Cache, token backend.Token, exact, keep bool) any {
	u := db.unordered
	key := ownKey{c.ID, token, exact}
	if g := u.generations[key]; g != nil {
		return g.contents
	}
	if !keep || db.dropped || db.left {
		return c.Contents.New(token, 0, true, nil)
	}
	contents := c.Contents.New(token, 0, true, db)
	if u.generations == nil {
		u.generations = map[ownKey]*generation{}
	}
	u.generations[key] = &generation{cache: c, token: token, contents: contents, made: u.made}
	return contents
}

// Recorded returns the contents of c for what a transaction with the view v publishes
// at its commit, which has cleared c and given it that token.
func (db *Database) Recorded(v *View, c *Cache, token backend.Token) any {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.unorderedContents(c, token, v.Exact, true)
}

// Exact returns the contents of c that transactions with one snapshot have under the state
// of v, whose transactions have none, or nil if no such transaction has asked for them.
func (db *Database) Exact(v *View, c *Cache) any {
	if !v.Unordered || v.Exact {
		return nil
	}
	token := v.Token(c)
	db.mu.Lock()
	defer db.mu.Unlock()
	if g := db.unordered.generations[ownKey{c.ID, token, true}]; g != nil {
		return g.contents
	}
	return nil
}

// discardAll lets all generations go.
func (u *unordered) discardAll() {
	for _, g := range u.generations {
		g.discard()
	}
	u.generations, u.views = nil, nil
	u.last[0].Store(nil)
	u.last[1].Store(nil)
}
