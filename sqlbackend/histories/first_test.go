package histories_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache/sqltx"
)

// The first transaction of all may be one that writes. On SQLite it holds the lock that the
// creation of the table needs.
func TestFirstTransactionWrites(t *testing.T) {
	e, _ := overSQLite(t)
	s := newServer(t, e, "a")
	if err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error { return s.row.Clear(tx.Cache) }); err != nil {
		t.Error(err)
	}
}
