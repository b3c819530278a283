package txcache

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
)

// A database is what this process knows of one database: the newest state, and
// the generations that hold values.
type database struct {
	name string

	// newest is the view of the newest state. It is never nil, and no view
	// becomes the newest twice, so comparing pointers tells whether anything
	// happened since. It is written with mu held.
	newest atomic.Pointer[view]

	// synced is when the newest state was last known to be the newest, as
	// near.Now counts; kept only for Options.Poll.
	synced atomic.Int64

	mu          sync.Mutex
	dropped     bool
	generations map[uint32]generation // by cache; one for each cache that was used
}

// A view is one state of a database as the transactions see it that began with
// it, and the way to the generations it allows to read and fill. What it says
// of a cache never changes, so a transaction that keeps to its view reads and
// fills under its own tokens whatever happens meanwhile. // P4
type view struct {
	state *backend.State   // nil if it could not be had: every cache is private
	held  []*backend.Fence // of commits of this process that the state may not show
	gone  bool             // the database was dropped
	slots atomic.Pointer[slots]
}

// stateless is the view of a transaction that began without a state.
var stateless = newView(nil, nil)

func newView(state *backend.State, held []*backend.Fence) *view {
	v := &view{state: state, held: held}
	v.slots.Store(noSlots)
	return v
}

// A generation holds the values of one cache at one token; see
// generationOf for what is in it.
type generation interface {
	cache() *core
	token() backend.Token
	size() int
	empty()
}

func newDatabase(name string, held []*backend.Fence) *database {
	db := &database{name: name, generations: map[uint32]generation{}}
	db.newest.Store(newView(nil, held))
	return db
}

// token returns the token under which c may be read and filled, "" if it is
// private to whoever sees this view.
func (v *view) token(c *core) backend.Token {
	if v.state == nil || v.state.IsFenced(c.name) || slices.ContainsFunc(v.held, func(f *backend.Fence) bool { return covers(f, c.name) }) {
		return ""
	}
	return v.state.Token(c.name)
}

func covers(f *backend.Fence, cache string) bool {
	return f.All || slices.ContainsFunc(f.Caches, func(g backend.Generation) bool { return g.Cache == cache })
}

// generation returns the generation of c that v allows to read and fill, nil
// if c is private.
func (db *database) generation(v *view, c *core) generation {
	if v.state == nil {
		return nil
	}
	if g, ok := v.slots.Load().get(c.id); ok {
		return g
	}
	return db.resolve(v, c)
}

// resolve finds or makes the generation of c for v. Only the newest generation
// of a cache is kept, so a view that is behind gets nil, for good.
func (db *database) resolve(v *view, c *core) generation {
	db.mu.Lock()
	defer db.mu.Unlock()
	if g, ok := v.slots.Load().get(c.id); ok { // another goroutine was faster
		return g
	}
	var g generation
	if token := v.token(c); token != "" && token == db.newest.Load().token(c) {
		g = db.generations[c.id]
		if g == nil || g.token() != token {
			g = c.newGeneration(token)
			db.generations[c.id] = g
		}
	}
	v.keep(c.id, g)
	return g
}

// install makes s the state of the newest view, if it is newer, and returns
// the newest view; nil if the database has been dropped meanwhile.
func (db *database) install(s *backend.State) *view {
	if v := db.newest.Load(); v.state == s {
		return v
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.change(s, db.newest.Load().held)
}

// hold and release are Store's. They report false, and do nothing, if the
// database has been dropped.
func (db *database) hold(f *backend.Fence) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	v := db.newest.Load()
	return db.change(v.state, append(slices.Clip(v.held), f)) != nil
}

func (db *database) release(f *backend.Fence, s *backend.State) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	held := slices.DeleteFunc(slices.Clone(db.newest.Load().held), func(g *backend.Fence) bool { return g == f })
	return db.change(s, held) != nil
}

// change installs a view of the newer of s and the newest state. db.mu is held.
func (db *database) change(s *backend.State, held []*backend.Fence) *view {
	if db.dropped {
		return nil
	}
	v := db.newest.Load()
	if v.state != nil && (s == nil || s.Version <= v.state.Version) {
		s = v.state
	}
	if s == v.state && len(held) == len(v.held) {
		return v
	}
	next := newView(s, held)
	known := newSlots(len(db.generations))
	for id, g := range db.generations {
		switch {
		case s.Token(g.cache().name) != g.token(): // P10: what is dead goes at once
			db.discard(id, g)
		case next.token(g.cache()) != "":
			known.put(id, g)
		}
	}
	next.slots.Store(known)
	db.newest.Store(next)
	return next
}

// drop detaches every transaction and lets all values go. It takes the database
// out of byName; if commits hold caches of it, another takes its place, where
// they are held too.
func (db *database) drop(byName *sync.Map) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.dropped {
		return
	}
	db.dropped = true
	if held := db.newest.Load().held; len(held) > 0 {
		byName.CompareAndSwap(db.name, db, newDatabase(db.name, held))
	} else {
		byName.CompareAndDelete(db.name, db)
	}
	gone := newView(nil, nil)
	gone.gone = true
	db.newest.Store(gone)
	for id, g := range db.generations {
		db.discard(id, g)
	}
}

// discard lets a generation go, and its values, which transactions that still
// hold it may not read any more. db.mu is held.
func (db *database) discard(id uint32, g generation) {
	g.empty()
	delete(db.generations, id)
}

// count adds what lives here to the stats of caches, by id.
func (db *database) count(stats map[uint32]*Stats) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for id, g := range db.generations {
		if s := stats[id]; s != nil {
			s.Values += g.size()
		}
	}
}
