package shop

import (
	"context"

	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txgorm"
)

type Product struct {
	ID    int64
	Price int64
}

func (Product) TableName() string { return "product" }

type Shop struct {
	Prices *txcache.Cache[int64, int64]
	DB     *gorm.DB // with txgorm.New(store, "shop")
}

func (s *Shop) Price(ctx context.Context, id int64) (price int64, err error) {
	err = txgorm.View(s.DB.WithContext(ctx), func(tx *gorm.DB) (err error) {
		price, err = s.Prices.Load(ctx, txgorm.Cache(tx), id, func(ctx context.Context) (int64, error) {
			product := Product{ID: id}
			err := tx.WithContext(ctx).Take(&product).Error
			return product.Price, err
		})
		return err
	})
	return price, err
}

func (s *Shop) SetPrice(ctx context.Context, id, price int64) error { // the cache says which table it shows
	return s.DB.WithContext(ctx).Model(&Product{ID: id}).Update("price", price).Error
}
