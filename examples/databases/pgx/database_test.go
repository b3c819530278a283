package shop

import (
	"testing"

	"github.com/seed-dad15c92/txcache/examples/databases/internal/shoptest"
)

// database returns the address of a database with a table of products.
func database(t *testing.T) string { return shoptest.Database(t) }
