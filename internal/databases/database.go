package databases

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Cache is what databases know of a cache.
type Cache struct {
	ID       uint32 // of the caches of one process, from 1
	Name     string
	Contents Contents
	Tagged   atomic.Bool   // its values may bear tags
	Floors   atomic.Uint64 // how often its floor was raised, in any database
}

// Contents makes and manages what a cache holds in one database and generation. It is
// opaque to other packages: only the cache knows the types of its keys and values.
type Contents interface {
	// New is never nil. number is that of a state with this token, 0 if states are unordered.
	// What it keeps is accounted for in account, if that is not nil.
	New(at backend.Token, number uint64, unordered bool, account *Database) any
	Len(any) int
	Trim(contents any, slots int) (end bool) // as near.Map.Trim
	Discard(any)                             // removes all values, and ends the account; other goroutines may be reading and filling
}

// A generation is what a cache holds in a database under one token.
type generation struct {
	cache    *Cache
	token    backend.Token
	contents any
	marks    *Marks // of the newest view, or at first of the view under which it was made
	base     uint64 // the number of the state of that view
	made     uint64 // how many views there were when it was made; if states are unordered
}

// maxChanges is how many changes a generation is kept for at most, though its token
// stays: its contents keep the numbers of states above the first one in few bits.
const maxChanges = 1 << 29

// A Database is what this process knows of one database: the newest state, and
// the generations that hold values.
type Database struct {
	Name string

	// newest is the view of the newest state, never nil. A view becomes the newest
	// at most once, so equal pointers mean that nothing has changed. It is written
	// with mu held.
	newest atomic.Pointer[View]

	// synced is when the newest state was last known to be the newest, as
	// near.Now counts; kept only for Options.Poll.
	synced atomic.Int64

	budget *budget
	bytes  atomic.Int64 // that the process keeps of it, about

	// Guarded by the budget's mu:
	before, after *Database // in its line
	trimmed       int32     // the generation that is trimmed next
	passed        uint32    // the tick when the hand passed it, or it came
	place         place
	lives         uint8 // rounds for which it stays unused

	seen atomic.Uint32 // the tick of the budget when it was last used

	// Guarded by mu; the order keeps a Database small, as there are very many:
	dropped    bool
	left       bool  // it is in no registry, until it is used again
	stateBytes int32 // counted for its state
	mu         sync.Mutex

	generations []*generation // sorted by the ID of their cache; one for each cache that was used

	unordered *unordered // used in place of the newest view and the generations if states are unordered; else nil
}

func newDatabase(name string, held []*backend.Fence, b *budget) *Database {
	db := &Database{Name: name, budget: b}
	if b.registry.Enlister != nil {
		db.unordered = &unordered{}
	}
	db.newest.Store(newView(nil, held))
	return db
}

// Newest returns the view of the newest state: the same pointer as long as nothing
// changes.
func (db *Database) Newest() *View { return db.newest.Load() }

// Contents returns the contents of c that a transaction with the view v may read and
// fill, or nil if c is private to it, and the marks of c in that view.
func (db *Database) Contents(v *View, c *Cache) (any, *Marks) {
	if v.State == nil {
		return nil, nil
	}
	if contents, marks, ok := Resolved[any](v, c.ID); ok {
		return contents, marks
	}
	return db.resolve(v, c)
}

// resolve finds or makes the generation of c for v. The database keeps only the newest
// generation of a cache. So an older view gets nil, and keeps it.
func (db *Database) resolve(v *View, c *Cache) (any, *Marks) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if contents, marks, ok := Resolved[any](v, c.ID); ok { // another goroutine was faster
		return contents, marks
	}
	if db.left && !v.Unordered {
		return nil, nil
	}
	var contents any
	marks := v.marks(c, nil)
	if v.Unordered {
		if token := v.Token(c); token != "" {
			contents = db.unorderedContents(c, token, v.Exact, slices.Contains(db.unordered.views, v))
		}
	} else if token := v.Token(c); token != "" && token == db.newest.Load().Token(c) {
		i, there := slices.BinarySearchFunc(db.generations, c.ID, compareID)
		if !there {
			number := v.State.Number
			g := &generation{cache: c, token: token, contents: c.Contents.New(token, number, false, db), marks: marks, base: number}
			db.generations = slices.Insert(db.generations, i, g)
		}
		contents = db.generations[i].contents
	}
	v.keep(c.ID, contents, marks)
	return contents, marks
}

// install makes s the state of the newest view, if it is newer, and returns the
// newest view, or nil if the database was dropped or has left meanwhile.
func (db *Database) install(s *backend.State) *View {
	if v := db.newest.Load(); v.State == s {
		return v
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.change(s, db.newest.Load().held)
}

// hold and release do for this database what Registry.hold and Registry.release do.
// They return false, and do nothing, if the database was dropped or has left.
func (db *Database) hold(f *backend.Fence) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	v := db.newest.Load()
	return db.change(v.State, append(slices.Clip(v.held), f)) != nil
}

func (db *Database) release(f *backend.Fence, s *backend.State) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	held := slices.DeleteFunc(slices.Clone(db.newest.Load().held), func(g *backend.Fence) bool { return g == f })
	return db.change(s, held) != nil
}

// change installs a view of the newer of s and the newest state. db.mu must be held.
func (db *Database) change(s *backend.State, held []*backend.Fence) *View {
	if db.dropped || db.left {
		return nil
	}
	v := db.newest.Load()
	if v.State != nil && (s == nil || s.Version <= v.State.Version) {
		s = v.State
	}
	if s == v.State && len(held) == len(v.held) {
		return v
	}
	next := newView(s, held)
	db.generations = slices.DeleteFunc(db.generations, func(g *generation) bool {
		dead := s.Token(g.cache.Name) != g.token || s.Number-g.base > maxChanges
		if dead { // P10: it goes at once
			g.discard()
		}
		return dead
	})
	resolved := newSlots(len(db.generations))
	for _, g := range db.generations {
		if next.Token(g.cache) != "" {
			g.remark(next)
			resolved.put(g.cache.ID, g.contents, g.marks)
		}
	}
	next.slots.Store(resolved)
	db.newest.Store(next)
	db.countState(next.State)
	return next
}

// remark makes the marks of g those of v, which is newer, and counts a raised floor.
func (g *generation) remark(v *View) {
	marks := v.marks(g.cache, g.marks)
	if keys, _ := marks.Floors(); marks != g.marks {
		if old, _ := g.marks.Floors(); keys > old {
			g.cache.Floors.Add(1)
		}
	}
	g.marks = marks
}

// drop detaches all transactions and removes all values. It removes the database from
// byName; while commits hold caches of it, it replaces the database by a new one that
// holds them too, and returns that.
func (db *Database) drop(byName *sync.Map) (next *Database) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.dropped {
		return nil
	}
	db.dropped = true
	if held := db.newest.Load().held; len(held) > 0 {
		next = newDatabase(db.Name, held, db.budget)
		if !byName.CompareAndSwap(db.Name, db, next) {
			next = nil
		}
	} else {
		byName.CompareAndDelete(db.Name, db)
	}
	gone := newView(nil, nil)
	gone.gone = true
	db.newest.Store(gone)
	db.countState(nil)
	db.discardAll()
	return next
}

// discardAll lets all generations go. db.mu is held.
func (db *Database) discardAll() {
	for _, g := range db.generations {
		g.discard()
	}
	db.generations = nil
	if db.unordered != nil {
		db.unordered.discardAll()
	}
}

// all returns the generations.
func (db *Database) all() []*generation {
	db.mu.Lock()
	defer db.mu.Unlock()
	all := slices.Clone(db.generations)
	if db.unordered != nil {
		all = slices.AppendSeq(all, maps.Values(db.unordered.generations))
	}
	return all
}

// discard removes the values of a generation: transactions that still refer to its
// contents must not read them any more.
func (g *generation) discard() { g.cache.Contents.Discard(g.contents) }

func compareID(g *generation, id uint32) int { return cmp.Compare(g.cache.ID, id) }

// A Holding is what a process holds of one cache in one database.
type Holding struct {
	Cache      *Cache
	Generation backend.Token // "" if it is not known
	Private    bool          // it is fenced, or held
	Values     int
}

// Holdings returns what the process holds of the caches that were read or filled
// since they were last cleared, in no order.
func (db *Database) Holdings() []Holding {
	db.mu.Lock()
	defer db.mu.Unlock()
	v := db.newest.Load()
	all := make([]Holding, 0, len(db.generations))
	for _, g := range db.generations {
		h := Holding{Cache: g.cache, Private: v.Token(g.cache) == "", Values: g.cache.Contents.Len(g.contents)}
		if v.State != nil {
			h.Generation = v.State.Token(g.cache.Name)
		}
		all = append(all, h)
	}
	if db.unordered == nil {
		return all
	}
	for _, g := range db.unordered.generations {
		all = append(all, Holding{Cache: g.cache, Generation: g.token, Values: g.cache.Contents.Len(g.contents)})
	}
	return all
}
