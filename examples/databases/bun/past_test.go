package shop

import (
	"cmp"
	"context"
	"database/sql"
	"testing"

	"github.com/seed-dad15c92/txcache/sqltx"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// A query without Conn(tx), and RunInTx, are committed although the transaction is rolled back.
func TestQueriesPastTheTransaction(t *testing.T) {
	sqldb, _ := sql.Open("pgx", database(t))
	defer sqldb.Close()
	db := bun.NewDB(sqldb, pgdialect.New())
	set := func(ctx context.Context, q bun.IDB, price int) (err error) {
		_, err = q.NewUpdate().Table("product").Set("price = ?", price).Where("id = 1").Exec(ctx)
		return err
	}
	for want, change := range map[int]func(context.Context) error{
		11: func(ctx context.Context) error { return set(ctx, db, 11) },
		12: func(ctx context.Context) error { // a transaction of bun's own
			return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error { return set(ctx, tx, 12) })
		},
	} {
		got, undone := 0, func(*sqltx.Tx) error { return cmp.Or(change(t.Context()), sql.ErrTxDone) }
		err := sqltx.Update(t.Context(), txcachetest.Memory(t), "shop", sqldb, nil, undone)
		sqldb.QueryRow("SELECT price FROM product WHERE id = 1").Scan(&got)
		if err != sql.ErrTxDone || got != want {
			t.Errorf("%v; the price is %d, want %d", err, got, want)
		}
	}
}
