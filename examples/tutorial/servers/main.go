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
)

const database = "tutorial" // of its own, as the Redis may be anybody's

// A server has a store of its own, as a process has.
type server struct {
	name   string
	out    io.Writer
	db     *table.Table
	store  *txcache.Store
	prices *txcache.Cache[string, int]
}

func open(ctx context.Context, name string, cfg *config.Config, db *table.Table, out io.Writer) *server {
	store := txcache.Must(txcache.OpenConfig(ctx, cfg))
	return &server{name, out, db, store, txcache.Must(txcache.NewCache[string, int](store, "prices", nil))}
}

// show reads the price in a transaction of its own.
func (s *server) show(ctx context.Context) error {
	return s.store.View(ctx, database, func(tx *txcache.Tx) error {
		price, err := s.prices.Load(ctx, tx, "pen", func(ctx context.Context) (int, error) {
			return s.db.Price(ctx, "pen")
		})
		fmt.Fprintln(s.out, s.name, "reads", price)
		return err
	})
}

// raise changes the price.
func (s *server) raise(ctx context.Context, price int) error {
	tx, err := s.store.Begin(ctx, database)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	change := s.db.Begin("pen", price)
	if err := s.prices.Clear(tx); err != nil {
		return err
	}
	if err := tx.CommitWith(ctx, change.Commit); err != nil {
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
	db := table.New(out) // which both servers use
	a, b := open(ctx, "A", cfg, db, out), open(ctx, "B", cfg, db, out)
	defer a.store.Close()
	defer b.store.Close()
	if err := a.store.Drop(ctx, database); err != nil { // of an earlier run
		return err
	}
	return errors.Join(a.show(ctx), b.show(ctx), b.raise(ctx, 3), a.show(ctx), b.show(ctx))
}
