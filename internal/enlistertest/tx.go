package enlistertest

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Tx is a transaction of a DB. It is a [backend.Querier] for the Enlisters of that DB, and for no
// other SQL. It is safe for concurrent use.
type Tx struct {
	db       *DB
	snapshot *Snapshot // of the whole transaction; nil: each statement has its own
	old      bool      // the snapshot may not be of what is committed: nothing can be written
	data     map[string]int64
	added    map[string][]*row
	gone     map[string][]*row
	ended    bool
}

var _ backend.Querier = (*Tx)(nil)

// Begin begins a transaction: exact, with one snapshot, which it takes now, or at
// read committed.
func (db *DB) Begin(exact bool) *Tx {
	tx := &Tx{db: db, data: map[string]int64{}, added: map[string][]*row{}, gone: map[string][]*row{}}
	if exact {
		tx.snapshot = db.Snapshot()
	}
	return tx
}

// BeginAt begins an exact, read-only transaction that sees s, as one of a replica does.
func (db *DB) BeginAt(s *Snapshot) *Tx {
	tx := db.Begin(false)
	tx.snapshot, tx.old = s, true
	return tx
}

// sees returns what a statement sees of the others' rows. db.mu is held.
func (tx *Tx) sees() *Snapshot {
	if tx.snapshot != nil {
		return tx.snapshot
	}
	return tx.db.now
}

// Exact reports whether the transaction has one snapshot.
func (tx *Tx) Exact() bool { return tx.snapshot != nil }

// Get returns a row of user data, 0 if there is none.
func (tx *Tx) Get(key string) (int64, error) {
	tx.db.mu.Lock()
	defer tx.db.mu.Unlock()
	if tx.ended {
		return 0, ErrDone
	}
	if value, ok := tx.data[key]; ok {
		return value, nil
	}
	return tx.sees().data[key].value, nil
}

// Put changes a row of user data. It does not wait for another transaction that has
// changed it, but fails, and so it does at one snapshot if the row was changed since.
func (tx *Tx) Put(key string, value int64) error {
	tx.db.mu.Lock()
	defer tx.db.mu.Unlock()
	switch writer := tx.db.writer[key]; {
	case tx.ended:
		return ErrDone
	case tx.old:
		return ErrReadOnly
	case writer != nil && writer != tx, tx.db.now.data[key].changed != tx.sees().data[key].changed:
		return ErrConflict
	}
	tx.db.writer[key] = tx
	tx.data[key] = value
	return nil
}

// Commit makes what the transaction has written visible, all at once.
func (tx *Tx) Commit() error {
	tx.db.mu.Lock()
	defer tx.db.mu.Unlock()
	if tx.ended {
		return ErrDone
	}
	tx.end()
	next := tx.db.now.clone()
	for key, value := range tx.data {
		next.data[key] = version{value, next.commits}
	}
	for database, gone := range tx.gone {
		next.rows[database] = without(next.rows[database], gone)
	}
	for database, rows := range tx.added {
		next.rows[database] = slices.Concat(next.rows[database], rows)
	}
	tx.db.now = next
	return nil
}

// Rollback ends the transaction without a trace. It does nothing after the end.
func (tx *Tx) Rollback() error {
	tx.db.mu.Lock()
	defer tx.db.mu.Unlock()
	if tx.ended {
		return ErrDone
	}
	tx.end()
	return nil
}

func (tx *Tx) end() {
	tx.ended = true
	for key := range tx.data {
		delete(tx.db.writer, key)
	}
}

// Highest returns the highest ID of a row that clears a cache. IDs are given when rows are inserted, so
// a row with a lower one may become visible later. No right Enlister uses them.
func (tx *Tx) Highest(database, cache string) uint64 {
	tx.db.mu.Lock()
	defer tx.db.mu.Unlock()
	s := sum{}
	for _, r := range tx.rows(database) {
		s = s.plus(r.caches[cache]).plus(r.caches[""])
	}
	return s.highest
}

// rows returns the rows of clears that a statement sees. db.mu is held.
func (tx *Tx) rows(database string) []*row {
	return slices.Concat(without(tx.sees().rows[database], tx.gone[database]), tx.added[database])
}

// The statements of the Enlister.
const (
	selectClears = "SELECT row, exact FROM clears WHERE database = $1" // row is what scan gives its first destination, a **row
	insertClears = "INSERT INTO clears (database, row) VALUES ($1, $2)"
	deleteClears = "DELETE FROM clears WHERE database = $1"
)

// Query executes the statement of [Backend.State].
func (tx *Tx) Query(ctx context.Context, sql string, args []any, each func(scan func(...any) error) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if sql != selectClears {
		return fmt.Errorf("enlistertest: unknown statement %q", sql)
	}
	tx.db.mu.Lock()
	ended, exact := tx.ended, tx.Exact()
	database := args[0].(string)
	rows := tx.rows(database)
	tx.db.mu.Unlock()
	if ended {
		return ErrDone
	}
	for _, r := range rows {
		err := each(func(to ...any) error {
			*to[0].(**row), *to[1].(*bool) = r, exact
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Exec executes the statements of [Backend.Record] and [Backend.Drop].
func (tx *Tx) Exec(ctx context.Context, sql string, args []any) (affected int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	tx.db.mu.Lock()
	defer tx.db.mu.Unlock()
	database := args[0].(string)
	switch {
	case tx.ended:
		return 0, ErrDone
	case tx.old:
		return 0, ErrReadOnly
	case sql == insertClears:
		r := args[1].(*row)
		tx.db.ids++
		for cache, s := range r.caches {
			s.highest = tx.db.ids
			r.caches[cache] = s
		}
		tx.added[database] = append(tx.added[database], r)
		return 1, nil
	case sql == deleteClears:
		gone := without(tx.sees().rows[database], tx.gone[database])
		tx.gone[database] = append(tx.gone[database], gone...)
		n := len(gone) + len(tx.added[database])
		delete(tx.added, database)
		return int64(n), nil
	}
	return 0, fmt.Errorf("enlistertest: unknown statement %q", sql)
}
