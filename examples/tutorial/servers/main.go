// Servers is the third program of docs/tutorial.md: two servers of one service
// share what they cache and clear.
//
//	go run ./examples/tutorial/servers
//	go run ./examples/tutorial/servers -config testdata/redis.toml
//
// Without a configuration it starts a Redis of its own, github.com/alicebob/miniredis.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/examples/tutorial/table"
	"github.com/seed-dad15c92/txcache/sqltx"
)

const database = "tutorial" // of its own, as the Redis may be anybody's

// A server has a store of its own, as a process has.
type server struct {
	name   string
	out    io.Writer
	db     *sql.DB
	store  *txcache.Store
	prices *txcache.Cache[string, int]
}

func open(ctx context.Context, name string, cfg *config.Config, db *sql.DB, out io.Writer) *server {
	store := txcache.Must(txcache.OpenConfig(ctx, cfg))
	return &server{name, out, db, store, txcache.Must(txcache.NewCache[string, int](store, "prices", nil))}
}

// show reads the price in a transaction of its own.
func (s *server) show(ctx context.Context) error {
	return sqltx.View(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		price, err := s.prices.Load(ctx, tx.Cache, "pen", func(ctx context.Context) (price int, err error) {
			err = tx.QueryRowContext(ctx, "SELECT price FROM product WHERE name = $1", "pen").Scan(&price)
			return price, err
		})
		fmt.Fprintln(s.out, s.name, "reads", price)
		return err
	})
}

// raise changes the price.
func (s *server) raise(ctx context.Context, price int) error {
	err := sqltx.Update(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE product SET price = $1 WHERE name = $2", price, "pen"); err != nil {
			return err
		}
		return s.prices.Delete(tx.Cache, "pen")
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out, s.name, "has committed", price)
	return nil
}

func main() {
	path := flag.String("config", "", "the configuration, a TOML `file`")
	flag.Parse()
	cfg := config.Default()
	if *path != "" {
		cfg = txcache.Must(config.Load(*path))
	} else {
		redis := txcache.Must(miniredis.Run())
		defer redis.Close()
		cfg.Class, cfg.Redis.URI = config.ClassRedis, "redis://"+redis.Addr()
	}
	if err := run(context.Background(), cfg, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, cfg *config.Config, out io.Writer) error {
	db := table.Open(out) // which both servers use
	defer db.Close()
	a, b := open(ctx, "A", cfg, db, out), open(ctx, "B", cfg, db, out)
	defer a.store.Close()
	defer b.store.Close()
	if err := a.store.Drop(ctx, database); err != nil { // of an earlier run
		return err
	}
	return errors.Join(a.show(ctx), b.show(ctx), b.raise(ctx, 3), a.show(ctx), b.show(ctx))
}
