// Package shop is a shop over sqlx.
package shop

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/seed-dad15c92/txcache/sqltx"
)

// SetPrices leaves out the prices that are refused, and sets the others.
func (s *Shop) SetPrices(ctx context.Context, prices map[int64]int64) (refused []error, err error) {
	err = sqltx.Update(ctx, s.Store, "shop", s.DB.DB, nil, func(tx *sqltx.Tx) error {
		for id, price := range prices {
			err := tx.Savepoint(ctx, func(tx *sqltx.Tx) error {
				t, err := s.tx(ctx, tx)
				if err == nil {
					_, err = t.ExecContext(ctx, s.DB.Rebind("UPDATE product SET price = ? WHERE id = ?"), price, id)
				}
				if err == nil {
					err = s.Prices.Delete(tx.Cache, id)
				}
				return err
			})
			if err != nil {
				refused = append(refused, err)
			}
		}
		return nil
	})
	return refused, err
}

// tx returns the transaction with the methods of sqlx, and begins it if that was not done yet.
func (s *Shop) tx(ctx context.Context, tx *sqltx.Tx) (*sqlx.Tx, error) {
	t, err := tx.SQL(ctx)
	return &sqlx.Tx{Tx: t, Mapper: s.DB.Mapper}, err
}
