package sqltx

import (
	"database/sql"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/querier"
)

// Querier returns q as a backend asks for it: for [txcache.Store.Enlist] by a
// service that begins its transactions itself, with an *sql.Tx, and for reads in no transaction,
// with an *sql.DB or *sql.Conn. What runs in a transaction that this package has begun
// needs it not.
func Querier(q DBTX) backend.Querier { return querier.Of(q) }

var _ DBTX = (*sql.Tx)(nil)
