package databases

import (
	"runtime"
	"weak"
)

// A database that was not used for long leaves the registry, with its values, and the backend
// forgets what it knows of it in the process. Transactions that have begun before go on: they share
// nothing with others any more. As long as there are such, or the garbage collector has not been there,
// the database comes back as the same one when it is used again, so that what concerns it later, a drop
// for instance, concerns them.

// leave makes db leave. It returns false, and does nothing, if commits hold caches of it, or
// the backend needs to know it.
func (r *Registry) leave(db *Database) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	v := db.newest.Load()
	switch {
	case db.dropped:
		return true
	case len(v.held) > 0, r.forgetter != nil && !r.forgetter.Forget(db.Name):
		return false
	}
	db.left = true
	db.discardAll()
	db.newest.Store(newView(v.State, nil)) // another one: what others have resolved is of no use
	here := weak.Make(db)
	r.away.Store(db.Name, here)
	runtime.AddCleanup(db, func(name string) { r.away.CompareAndDelete(name, here) }, db.Name)
	r.byName.CompareAndDelete(db.Name, db)
	return true
}

// back returns the database of that name that has left, if there still is one.
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
	db.left = false
	return db
}
