package shop

import (
	"database/sql"
	"testing"

	"github.com/seed-dad15c92/txcache/examples/databases/ent/client"
	"github.com/seed-dad15c92/txcache/sqltx"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// A transaction of the client is a part of ours, so neither its Commit nor its Rollback does anything.
func TestTransactionOfAClientIsNoSavepoint(t *testing.T) {
	ctx := t.Context()
	db, err := sql.Open("pgx", database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, end := range map[string]func(*client.Tx) error{"Commit": (*client.Tx).Commit, "Rollback": (*client.Tx).Rollback} {
		var inside, after int64
		sqltx.Update(ctx, txcachetest.Memory(t), "shop", db, nil, func(tx *sqltx.Tx) error {
			inner, err := client.NewClient(client.Driver(in(tx))).Tx(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := inner.Product.UpdateOneID(1).SetPrice(99).Exec(ctx); err != nil || end(inner) != nil {
				t.Fatal(err)
			}
			tx.QueryRowContext(ctx, "SELECT price FROM product WHERE id = 1").Scan(&inside)
			return sql.ErrTxDone // so ours is rolled back
		})
		db.QueryRowContext(ctx, "SELECT price FROM product WHERE id = 1").Scan(&after)
		if inside != 99 || after != 10 {
			t.Errorf("after %s the transaction has %d and the database %d, want 99 and 10", name, inside, after)
		}
	}
}
