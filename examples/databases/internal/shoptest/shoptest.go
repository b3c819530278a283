// Package shoptest has databases for the tests of the shops.
package shoptest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache/internal/postgrestest"
)

// Table is what makes the table of products.
const Table = `
	CREATE TABLE product (id bigint PRIMARY KEY, price bigint NOT NULL CHECK (price >= 0));
	INSERT INTO product VALUES (1, 10), (2, 20);`

// Database returns the address of a database with a table of two products, on a server that runs
// until the test ends.
func Database(t testing.TB) string {
	t.Helper()
	address := postgrestest.Start(t).URI("postgres")
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), Table); err != nil {
		t.Fatal(err)
	}
	return address
}
