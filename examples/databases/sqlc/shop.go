package shop

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/examples/databases/sqlc/query"
	"github.com/seed-dad15c92/txcache/txpgx"
)

type Shop struct {
	Store  *txcache.Store
	Prices *txcache.Cache[int64, int64]
	Pool   *pgxpool.Pool
}

func (s *Shop) Price(ctx context.Context, id int64) (price int64, err error) {
	err = txpgx.View(ctx, s.Store, "shop", s.Pool, pgx.TxOptions{}, func(tx *txpgx.Tx) (err error) {
		price, err = s.Prices.Load(ctx, tx.Cache, id, func(ctx context.Context) (int64, error) {
			return query.New(tx).Price(ctx, id)
		})
		return err
	})
	return price, err
}

func (s *Shop) SetPrice(ctx context.Context, id, price int64) error {
	return txpgx.Update(ctx, s.Store, "shop", s.Pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		if err := query.New(tx).SetPrice(ctx, query.SetPriceParams{ID: id, Price: price}); err != nil {
			return err
		}
		return s.Prices.Delete(tx.Cache, id)
	})
}
