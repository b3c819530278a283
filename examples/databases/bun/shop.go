package shop

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

type Shop struct {
	Store  *txcache.Store
	Prices *txcache.Cache[int64, int64]
	DB     *bun.DB
}

func (s *Shop) Price(ctx context.Context, id int64) (price int64, err error) {
	err = sqltx.View(ctx, s.Store, "shop", s.DB.DB, nil, func(tx *sqltx.Tx) (err error) {
		price, err = s.Prices.Load(ctx, tx.Cache, id, func(ctx context.Context) (price int64, err error) {
			err = s.DB.NewSelect().Conn(tx).Table("product").Column("price").Where("id = ?", id).Scan(ctx, &price)
			return price, err
		})
		return err
	})
	return price, err
}

func (s *Shop) SetPrice(ctx context.Context, id, price int64) error {
	return sqltx.Update(ctx, s.Store, "shop", s.DB.DB, nil, func(tx *sqltx.Tx) error {
		if _, err := s.DB.NewUpdate().Conn(tx).Table("product").Set("price = ?", price).Where("id = ?", id).Exec(ctx); err != nil {
			return err
		}
		return s.Prices.Delete(tx.Cache, id)
	})
}
