package databases

import (
	"runtime"
	"slices"
	"weak"
)

// A database that was not used for long leaves the registry, with its values. Transactions that have
// begun before go on, and share nothing with others any more. As long as there are such, and the
// garbage collector has not been there, the database comes back as the same one when it is
// used again: so what concerns it later, a drop for instance, concerns them. When nobody refers to it
// any more, the backend forgets what it knows of it in the process, as soon as another database comes:
// the collector's goroutine is no place to call a backend.

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
	runtime.AddCleanup(db, departed.bury, departed{weak.Make(r), db.Name, here})
	r.byName.CompareAndDelete(db.Name, db)
	return true
}

// A departed is a database that has left. It refers to nothing, or what it refers to would stay for ever.
type departed struct {
	registry weak.Pointer[Registry]
	name     string
	database weak.Pointer[Database]
}

// bury takes note that nobody refers to the database any more.
func (d departed) bury() {
	if r := d.registry.Value(); r != nil {
		r.buryMu.Lock()
		defer r.buryMu.Unlock()
		r.buried = append(r.buried, d)
	}
}

// forgetAtOnce is how many databases the backend forgets at most when one comes: more than leave for it.
const forgetAtOnce = 64

// forget makes the backend forget databases to which nobody refers any more. One that it cannot forget now
// it is asked to forget again. r.mu is held.
func (r *Registry) forget() {
	r.buryMu.Lock()
	n := min(len(r.buried), forgetAtOnce)
	some := slices.Clone(r.buried[:n])
	r.buried = slices.Delete(r.buried, 0, n)
	r.buryMu.Unlock()
	for _, d := range some {
		if last, _ := r.away.Load(d.name); last != d.database {
			continue // it was used again
		}
		if r.forgetter == nil || r.forgetter.Forget(d.name) {
			r.away.Delete(d.name)
		} else {
			d.bury()
		}
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
	db.left = false
	db.countState(db.newest.Load().State)
	return db
}
