// Package querier makes what database/sql executes statements with a backend.Querier.
package querier

import (
	"context"
	"database/sql"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Handle is an *sql.DB, an *sql.Conn, an *sql.Tx, or what works like one.
type Handle interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Of returns h as a backend asks for it.
func Of(h Handle) backend.Querier { return querier{h} }

type querier struct{ Handle }

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
