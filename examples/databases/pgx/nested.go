// Package shop is a shop over pgx.
package shop

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache/txpgx"
)

// SetPrices leaves out the prices that are refused, and sets the others.
func (s *Shop) SetPrices(ctx context.Context, prices map[int64]int64) (refused []error, err error) {
	err = txpgx.Update(ctx, s.Store, "shop", s.Pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		for id, price := range prices {
			err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error { // a savepoint of both sides
				if _, err := inner.Exec(ctx, "UPDATE product SET price = $1 WHERE id = $2", price, id); err != nil {
					return err
				}
				return s.Prices.Delete(tx.Cache, id)
			})
			if err != nil {
				refused = append(refused, err)
			}
		}
		return nil
	})
	return refused, err
}
