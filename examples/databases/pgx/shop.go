package shop

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txpgx"
)

type Shop struct {
	Store  *txcache.Store
	Prices *txcache.Cache[int64, int64]
	Pool   *pgxpool.Pool
}

func (s *Shop) Price(ctx context.Context, id int64) (price int64, err error) {
	err = txpgx.View(ctx, s.Store, "shop", s.Pool, pgx.TxOptions{}, func(tx *txpgx.Tx) (err error) {
		price, err = s.Prices.Load(ctx, tx.Cache, id, func(ctx context.Context) (price int64, err error) {
			err = tx.QueryRow(ctx, "SELECT price FROM product WHERE id = $1", id).Scan(&price)
			return price, err
		})
		return err
	})
	return price, err
}

func (s *Shop) SetPrice(ctx context.Context, id, price int64) error {
	return txpgx.Update(ctx, s.Store, "shop", s.Pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE product SET price = $1 WHERE id = $2", price, id); err != nil {
			return err
		}
		return s.Prices.Delete(tx.Cache, id)
	})
}
