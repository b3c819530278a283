package page

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/seed-dad15c92/txcache"
)

type catalogue struct{ prices *txcache.Cache[string, int] }

var t *testing.T

func newCatalogue(t *testing.T, store *txcache.Store) *catalogue               { return nil }
func (c *catalogue) price(t *testing.T, product string) int                    { return 0 }
func (c *catalogue) setPrice(t *testing.T, product string, price int)          {}
func (c *catalogue) trySetPrice(t *testing.T, product string, price int) error { return nil }
func (c *catalogue) priceIn(ctx context.Context, tx *txcache.Tx, product string) (int, error) {
	return 0, nil
}

func warmUp(store *txcache.Store)                                                           {}
func exercise(t *testing.T, store *txcache.Store)                                           {}
func exercisePrices(t *testing.T, store *txcache.Store, prices *txcache.Cache[string, int]) {}

var connector driver.Connector

func exerciseShop(t *testing.T, store *txcache.Store, db *sql.DB) {}
