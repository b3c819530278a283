package sqltx

import (
	"context"
	"database/sql"

	"github.com/seed-dad15c92/txcache/backend"
)

// Querier returns q as a backend asks for it: for [txcache.Store.Enlist] by a
// service that begins its transactions itself, with an *sql.Tx, and for reads in no transaction,
// with an *sql.DB or *sql.Conn. What runs in a transaction that this package has begun
// needs it not.
func Querier(q DBTX) backend.Querier { return querier{q} }

type querier struct{ DBTX }

func (q querier) Query(ctx context.Context, query string, args []any, row func(scan func(...any) error) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

func (q querier) Exec(ctx context.Context, query string, args []any) (affected int64, err error) {
	result, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

var _ DBTX = (*sql.Tx)(nil)
