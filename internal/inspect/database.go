package inspect

import (
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Database is what the server keeps of one, at one moment.
type Database struct {
	Name string

	// Kept says that its generations are there and can be read. Where they are
	// not, the next transaction starts a new epoch, and every value is dead.
	Kept bool

	// State holds them; nil if they are not kept. Its Version is that of the
	// server, which counts the changes within an epoch.
	State *backend.State

	// Deleted are the deletes that the server remembers, oldest first.
	Deleted []Deletion

	// Fences are those that were placed, also those past their deadline: a
	// process that has seen one for its time to live turns it into a clear.
	Fences []PlacedFence

	// Members is how many processes are registered as members, those included whose terms
	// have ended and that nobody has removed yet.
	Members int

	// Values is the number of its values, dead ones included. Only
	// [Inspector.Databases] counts them.
	Values int
}

// Named returns the caches that its generations name: those that were cleared by
// name, and those that are fenced.
func (d *Database) Named() (caches []string) {
	if d.Kept {
		for _, g := range d.State.Caches {
			caches = append(caches, g.Cache)
		}
		caches = append(caches, d.State.Fenced...)
	}
	return caches
}

// A PlacedFence is a fence as the server keeps it.
type PlacedFence struct {
	ID       backend.Token
	Deadline time.Time // by the server's clock, for people to read
	TTL      time.Duration
	All      bool     // it stands on every cache
	Caches   []string // that it was placed for by name
	Keys     []backend.Keys
}

// A Deletion is what one change deleted.
type Deletion struct {
	Version uint64 // of the change
	Keys    []backend.Keys
}
