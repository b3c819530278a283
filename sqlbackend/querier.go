package sqlbackend

import (
	"context"
	"database/sql"
)

// handle is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type handle interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// A querier is a backend.Querier of database/sql.
type querier struct{ handle }

func (q querier) Query(ctx context.Context, sql string, args []any, row func(scan func(...any) error) error) error {
	rows, err := q.QueryContext(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (q querier) Exec(ctx context.Context, sql string, args []any) (int64, error) {
	result, err := q.ExecContext(ctx, sql, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
