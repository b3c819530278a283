package enlistertest

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
)

var (
	// ErrDone is returned by the methods of a transaction that has ended.
	ErrDone = errors.New("enlistertest: the transaction has ended")

	// ErrConflict is returned by Put if another transaction has the row, or has changed it
	// since the snapshot was taken; and by Commit of a fold if another one was faster.
	ErrConflict = errors.New("enlistertest: another transaction was faster")

	// ErrReadOnly is returned where a transaction on an old snapshot writes.
	ErrReadOnly = errors.New("enlistertest: the transaction is read-only")
)

// A DB is a database. It is safe for concurrent use.
type DB struct {
	mu     sync.Mutex
	now    *Snapshot
	writer map[string]*Tx // which open transaction has written a row
	ids    uint64         // of rows of clears, in the order in which they were inserted
}

// New returns a database without rows.
func New() *DB {
	return &DB{now: &Snapshot{data: map[string]version{}, rows: map[string][]*row{}}, writer: map[string]*Tx{}}
}

// A Snapshot is what was committed at one moment. Nobody changes it.
type Snapshot struct {
	commits uint64 // how many there were
	data    map[string]version
	rows    map[string][]*row // by the database that they tell of
}

type version struct {
	value   int64
	changed uint64 // by which commit
}

// A row is what one transaction has cleared and deleted, or the sum of several.
type row struct {
	caches map[string]sum // "": all caches
	keys   map[place]uint64
	of     []*row // all that are in the sum
}

// A place is a key of a cache by its hash, or a group of keys by its number.
type place struct {
	cache string
	hash  uint64
	group bool
}

func newRow() *row { return &row{caches: map[string]sum{}, keys: map[place]uint64{}} }

func (r *row) addTo(caches map[string]sum, keys map[place]uint64) {
	for cache, s := range r.caches {
		caches[cache] = caches[cache].plus(s)
	}
	for at, number := range r.keys {
		keys[at] = (keys[at] + number) & mask
	}
}

// A sum is how many clears there were, the sum of their numbers, and the highest ID of
// their rows.
type sum struct{ n, numbers, highest uint64 }

// Snapshot returns what is committed now: a backup, or what a replica shows.
func (db *DB) Snapshot() *Snapshot {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.now
}

// Restore makes everything what it was at s. Open transactions keep what they see.
func (db *DB) Restore(s *Snapshot) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.now = s
}

// Lose takes the rows of a database's clears away, as a restore of the data alone does, or a
// TRUNCATE of the table.
func (db *DB) Lose(database string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	next := db.now.clone()
	delete(next.rows, database)
	db.now = next
}

// Fold makes one row of those of a database that are committed. No sum changes by it.
func (db *DB) Fold(database string) { db.fold(database, false) }

// Forget is Fold, and forgets all keys by adding their sums to those of their groups.
func (db *DB) Forget(database string) { db.fold(database, true) }

func (db *DB) fold(database string, forget bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.now.rows[database]) == 0 {
		return
	}
	whole := newRow()
	for _, r := range db.now.rows[database] {
		whole.of = append(append(whole.of, r), r.of...)
		if forget {
			r = r.forgotten()
		}
		r.addTo(whole.caches, whole.keys)
	}
	next := db.now.clone()
	next.rows[database] = []*row{whole}
	db.now = next
}

// forgotten returns r without keys, but their groups.
func (r *row) forgotten() *row {
	f := newRow()
	f.caches = r.caches
	for at, number := range r.keys {
		if !at.group {
			at = place{at.cache, backend.Group(at.hash), true}
		}
		f.keys[at] = (f.keys[at] + number) & mask
	}
	return f
}

// Databases returns the names of those that have rows of clears.
func (db *DB) Databases() []string { return slices.Sorted(maps.Keys(db.Snapshot().rows)) }

// Rows returns how many rows of clears a database has.
func (db *DB) Rows(database string) int { return len(db.Snapshot().rows[database]) }

func (s *Snapshot) clone() *Snapshot {
	return &Snapshot{s.commits + 1, maps.Clone(s.data), maps.Clone(s.rows)}
}

const mask = 1<<62 - 1

func (s sum) plus(t sum) sum {
	return sum{s.n + t.n, (s.numbers + t.numbers) & mask, max(s.highest, t.highest)}
}

func without(rows, gone []*row) []*row {
	return slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return slices.Contains(gone, r) })
}
