package shop

import (
	"context"
	"database/sql"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/examples/databases/ent/client"
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
			found, err := client.NewClient(client.Driver(in(tx))).Product.Get(ctx, id)
			if err == nil {
				price = found.Price
			}
			return price, err
		})
		return err
	})
	return price, err
}

func (s *Shop) SetPrice(ctx context.Context, id, price int64) error {
	return sqltx.Update(ctx, s.Store, "shop", s.DB, nil, func(tx *sqltx.Tx) error {
		if err := client.NewClient(client.Driver(in(tx))).Product.UpdateOneID(id).SetPrice(price).Exec(ctx); err != nil {
			return err
		}
		return s.Prices.Delete(tx.Cache, id)
	})
}
