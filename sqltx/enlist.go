package sqltx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// beginEnlisted begins both sides where the backend keeps the generations in the
// database. The state is that of the transaction's snapshot where a transaction has one,
// and that is worth more than it costs; else it is read just before.
func (tx *Tx) beginEnlisted(ctx context.Context, store *txcache.Store, e backend.Enlister) (*txcache.Tx, error) {
	s := tx.side
	opts := &txcache.EnlistOptions{ReadOnly: s.opts.ReadOnly}
	var inside bool
	if inside, opts.Exact = s.stateInside(e); !inside {
		var err error
		if opts.State, err = e.State(ctx, Querier(s.db), s.database); err != nil {
			return nil, fmt.Errorf("%w: reading the state of database %q: %w", txcache.ErrUnavailable, s.database, err)
		}
	}
	if inside || !opts.ReadOnly {
		if _, err := s.begin(ctx); err != nil {
			return nil, err
		}
	}
	return store.Enlist(ctx, s.database, Querier(tx), opts)
}

// stateInside reports whether the state is read in the transaction, and whether that then has
// one snapshot.
func (s *side) stateInside(e backend.Enlister) (inside, exact bool) {
	d, ok := e.(interface{ DefaultExact() bool })
	defaultExact := ok && d.DefaultExact()
	switch s.opts.Isolation {
	case sql.LevelRepeatableRead, sql.LevelSnapshot:
		return true, true
	case sql.LevelSerializable, sql.LevelLinearizable:
		// A serializable transaction that reads the table of clears conflicts with each
		// one that writes it. One that is read-only does so in MySQL and MariaDB, where it locks
		// what it reads.
		inside = s.opts.ReadOnly && !defaultExact
		return inside, inside
	case sql.LevelDefault:
		exact = defaultExact
	}
	// At read committed a read-only transaction need not begin for the state.
	return exact || !s.opts.ReadOnly, exact
}

// sqliteBusySnapshot is the extended result code of SQLite for a transaction that has
// read, and cannot write any more as another one has written since.
const sqliteBusySnapshot = 517

// explain adds to an error of a statement what its user may not know: that the transaction
// has read the state of the cache before.
func (s *side) explain(err error) error {
	if err == nil || !s.enlisted || !isBusySnapshot(err) {
		return err
	}
	return fmt.Errorf("%w (txcache: a read-write transaction of SQLite must begin with BEGIN IMMEDIATE, as _txlock=immediate in the name of the data source says)", err)
}

// isBusySnapshot knows the errors of modernc.org/sqlite by their method Code, those of
// github.com/mattn/go-sqlite3 by their field ExtendedCode.
func isBusySnapshot(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if c, ok := err.(interface{ Code() int }); ok {
			return c.Code() == sqliteBusySnapshot
		}
		if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
			if f := v.FieldByName("ExtendedCode"); f.IsValid() && f.CanInt() {
				return f.Int() == sqliteBusySnapshot
			}
		}
	}
	return false
}
