// Package shop is a shop over gorm.
package shop

import (
	"context"

	"gorm.io/gorm"
)

// SetPrices leaves out the prices that are refused, and sets the others.
func (s *Shop) SetPrices(ctx context.Context, prices map[int64]int64) (refused []error, err error) {
	err = s.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for id, price := range prices {
			err := tx.Transaction(func(tx *gorm.DB) error { // a savepoint of both sides
				return tx.Model(&Product{ID: id}).Update("price", price).Error
			})
			if err != nil {
				refused = append(refused, err)
			}
		}
		return nil
	})
	return refused, err
}
