package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Row is what the service reads and changes.
type Row struct {
	ID      int64
	Version int64 // how often it was changed
	Name    string
	Text    string
}

// A database is the connections of a process to PostgreSQL.
type database struct {
	pool  *pgxpool.Pool
	asked atomic.Int64 // how often rows were read from it
}

func openDatabase(ctx context.Context, uri string, connections int) (*database, error) {
	cfg, err := pgxpool.ParseConfig(uri)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(connections)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	return &database{pool: pool}, err
}

// create makes the table.
func create(ctx context.Context, pool *pgxpool.Pool, rows int) error {
	for _, statement := range []string{
		"CREATE TABLE item (id bigint PRIMARY KEY, version bigint NOT NULL, name text NOT NULL, text text NOT NULL) WITH (fillfactor = 80)",
		fmt.Sprintf("INSERT INTO item SELECT id, 0, 'item ' || id, repeat('What there is to say of it. ', 8) FROM generate_series(0, %d) id", rows-1),
	} {
		if _, err := pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// A querier is a pool, or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// rows reads rows by their keys, with one statement.
func (d *database) rows(ctx context.Context, q querier, ids []int64) (map[int64]Row, error) {
	d.asked.Add(1)
	rows, err := q.Query(ctx, "SELECT id, version, name, text FROM item WHERE id = ANY($1)", ids)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]Row, len(ids))
	var r Row
	_, err = pgx.ForEachRow(rows, []any{&r.ID, &r.Version, &r.Name, &r.Text}, func() error {
		found[r.ID] = r
		return nil
	})
	return found, err
}

// change changes a row in a transaction, and returns it as it is then.
func change(ctx context.Context, tx pgx.Tx, id int64) (r Row, err error) {
	err = tx.QueryRow(ctx, "UPDATE item SET version = version + 1 WHERE id = $1 RETURNING id, version, name, text", id).
		Scan(&r.ID, &r.Version, &r.Name, &r.Text)
	return r, err
}

// commit changes a row in a transaction of its own.
func (d *database) commit(ctx context.Context, id int64) (r Row, err error) {
	err = pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		r, err = change(ctx, tx, id)
		return err
	})
	return r, err
}
