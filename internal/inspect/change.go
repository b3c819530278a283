package inspect

import (
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A ChangeKind says what became of a database.
type ChangeKind string

// The kinds of a Change.
const (
	// Cleared says that caches are at new generations: a transaction that
	// cleared them has committed, or its fence has expired.
	Cleared ChangeKind = "clear"

	// Deleted says that keys were deleted, or tags cleared, as Cleared says it of
	// caches. Each change comes by itself.
	Deleted ChangeKind = "delete"

	// Fenced says that a transaction is about to commit a clear of caches, or deletes.
	Fenced ChangeKind = "fence"

	// Unfenced says that a transaction that was about to has not: nothing was
	// cleared or deleted.
	Unfenced ChangeKind = "unfence"

	// Dropped says that the database was dropped.
	Dropped ChangeKind = "drop"

	// Renewed says that the database is at another epoch: it is new, was
	// dropped, or what was known of it was lost. Every value it had is dead.
	Renewed ChangeKind = "epoch"

	// Interrupted says that the server cannot be reached. Later, what changed
	// meanwhile comes before the next Listening.
	Interrupted ChangeKind = "gap"

	// Listening says that every change from here on is seen.
	Listening ChangeKind = "ready"
)

// A Change is something that happened to a database.
type Change struct {
	Time     time.Time // when it was learnt
	Kind     ChangeKind
	Database string // "" if Interrupted or Listening
	Caches   []string
	Keys     []backend.Keys // tags are the keys of the cache without a name
	All      bool           // it concerns every cache, not just those
	Version  uint64
}

// Changes returns what happened between two states of one epoch.
func Changes(last, next *Database) (list []Change) {
	stood := map[backend.Token]bool{}
	for _, f := range last.Fences {
		stood[f.ID] = true
	}
	for _, f := range next.Fences {
		if !stood[f.ID] {
			list = append(list, Change{Kind: Fenced, Caches: f.Caches, Keys: f.Keys, All: f.All})
		}
		delete(stood, f.ID)
	}
	cleared := Change{Kind: Cleared, All: last.State.Base != next.State.Base}
	for _, g := range next.State.Caches {
		if last.State.Token(g.Cache) != g.Token {
			cleared.Caches = append(cleared.Caches, g.Cache)
		}
	}
	changed := cleared.All || len(cleared.Caches) > 0
	if changed {
		list = append(list, cleared)
	}
	for _, d := range next.Deleted {
		if d.Version > last.State.Version {
			changed = true
			list = append(list, Change{Kind: Deleted, Keys: d.Keys, Version: d.Version})
		}
	}
	if changed {
		return list
	}
	for _, f := range last.Fences {
		if stood[f.ID] {
			list = append(list, Change{Kind: Unfenced, Caches: f.Caches, Keys: f.Keys, All: f.All})
		}
	}
	return list
}
