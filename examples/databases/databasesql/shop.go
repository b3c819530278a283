package shop

import (
	"context"
	"database/sql"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

type Shop struct {
	Store  *txcache.Store
	Prices *txcache.Cache[int64, int64]
	DB     *sql.DB
}

func (s *Shop) Price(ctx context.Context, id int64) (price int64, err error) {
	err = sqltx.View(ctx, s.Store, "shop", s.DB, nil, func(tx *sqltx.Tx) (err error) {
		price, err = s.Prices.Load(ctx, tx.Cache, id, func(ctx context.Context) (price int64, err error) {
			err = tx.QueryRowContext(ctx, "SELECT price FROM product WHERE id = $1", id).Scan(&price)
			return price, err
		})
		return err
	})
	return price, err
}

func (s *Shop) SetPrice(ctx context.Context, id, price int64) error {
	return sqltx.Update(ctx, s.Store, "shop", s.DB, nil, func(tx *sqltx.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE product SET price = $1 WHERE id = $2", price, id); err != nil {
			return err
		}
		return s.Prices.Delete(tx.Cache, id)
	})
}
