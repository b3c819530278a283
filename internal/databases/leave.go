package databases

import (
	"runtime"
	"weak"
)

// A database that was not used for long leaves the registry, with its values. Transactions that have
// begun before go on, and share nothing with others any more. As long as there are such, and the
// garbage collector has not been there, the database comes back as the same one when it is
// used again: so what concerns it later, a drop for instance, concerns them. When nobody refers to it
// any more, the backend forgets what it knows of it in the process.

// leave makes db leave. It returns false, and does nothing, if commits hold caches of it.
func (r *Registry) leave(db *Database) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	v := db.newest.Load()
	switch {
	case db.dropped:
		return true
	case len(v.held) > 0:
		return false
	}
	db.left = true
	db.countState(nil)
	db.discardAll()
	db.newest.Store(newView(v.State, nil)) // another one: what others have resolved is of no use
	here := weak.Make(db)
	r.away.Store(db.Name, here)
	runtime.AddCleanup(db, forget, departed{weak.Make(r), db.Name, here})
	r.byName.CompareAndDelete(db.Name, db)
	return true
}

// A departed is a database that has left. It refers to nothing, or what it refers to would stay for ever.
type departed struct {
	registry weak.Pointer[Registry]
	name     string
	database weak.Pointer[Database]
}

// forget makes the backend forget a database that has left, and to which nobody refers any more.
func forget(d departed) {
	r := d.registry.Value()
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away.CompareAndDelete(d.name, d.database) && r.forgetter != nil && !r.closed.Load() {
		r.forgetter.Forget(d.name)
	}
}

// back returns the database of that name that has left, if there still is one. r.mu is held.
func (r *Registry) back(name string) *Database {
	here, ok := r.away.LoadAndDelete(name)
	if !ok {
		return nil
	}
	db := here.(weak.Pointer[Database]).Value()
	if db == nil {
		return nil
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.dropped { // while it left
		return nil
	}
	db.left = false
	db.countState(db.newest.Load().State)
	return db
}
