package sqltx_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// keeper is a recorder that is given values, too.
type keeper struct{ recorder }

func (k keeper) Get(_ context.Context, keys []backend.Key) ([][]byte, error) {
	return make([][]byte, len(keys)), nil
}

func (k keeper) Set(context.Context, []backend.Value) error { return k.stage.do("Set", nil) }

// What a read-only transaction has read is sent when it is rolled back: after the
// database's side, whose connection must not wait for that.
func TestRollbackHoldsNoConnectionWhileValuesAreSent(t *testing.T) {
	s := &stage{}
	s.db = sql.OpenDB(connector{s})
	defer s.db.Close()
	s.store = txcache.Must(txcache.New(keeper{recorder{memorybackend.New(), s}}, nil))
	defer s.store.Close()
	price := newCache(t, s.store)
	tx := begin(t, t.Context(), s, &sql.TxOptions{ReadOnly: true})
	ask(t, tx)
	price.Set(tx.Cache, "book", 12)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "Sync", "BEGIN READ ONLY", "SELECT", "ROLLBACK", "Set")
}
