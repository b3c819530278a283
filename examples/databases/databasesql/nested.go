// Package shop is a shop over database/sql.
package shop

import (
	"context"

	"github.com/seed-dad15c92/txcache/sqltx"
)

// SetPrices leaves out the prices that are refused, and sets the others.
func (s *Shop) SetPrices(ctx context.Context, prices map[int64]int64) (refused []error, err error) {
	err = sqltx.Update(ctx, s.Store, "shop", s.DB, nil, func(tx *sqltx.Tx) error {
		for id, price := range prices {
			err := tx.Savepoint(ctx, func(tx *sqltx.Tx) error {
				if _, err := tx.ExecContext(ctx, "UPDATE product SET price = $1 WHERE id = $2", price, id); err != nil {
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
