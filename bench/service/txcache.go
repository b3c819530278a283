package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver of class sql

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// A cached service is one with txcache.
type cached struct {
	db    *database
	store *txcache.Store
	items *txcache.Cache[int64, Row]
	view  *pgx.TxOptions // of transactions that read; nil: they are none of the database
}

func inMemory(ctx context.Context, e *environment) (service, error) {
	return openCached(ctx, e, "[cache]\nclass = \"memory\"\nsize = %d", nil, e.room())
}

func onRedis(sync string) func(context.Context, *environment) (service, error) {
	return func(ctx context.Context, e *environment) (service, error) {
		return openCached(ctx, e, "[cache]\nclass = \"redis\"\nsize = %d\nsync = %q\n[cache.redis]\nuri = \"redis://%s\"", nil, e.room(), sync, e.redis)
	}
}

func onSQL(values string, level pgx.TxIsoLevel) func(context.Context, *environment) (service, error) {
	return func(ctx context.Context, e *environment) (service, error) {
		return openCached(ctx, e, "[cache]\nclass = \"sql\"\nsize = %d\n[cache.sql]\ndialect = \"postgres\"\ndsn = %q\nvalues = %q\n[cache.redis]\nuri = \"redis://%s\"",
			&pgx.TxOptions{IsoLevel: level}, e.room(), e.postgres, values, e.redis)
	}
}

// openCached opens the service with a configuration file. The code of all classes is the same.
func openCached(ctx context.Context, e *environment, file string, view *pgx.TxOptions, args ...any) (service, error) {
	cfg, err := config.Parse(strings.NewReader(fmt.Sprintf(file, args...)), "cache.toml")
	if err != nil {
		return nil, err
	}
	s := &cached{db: e.db, view: view}
	if s.store, err = txcache.OpenConfig(ctx, cfg); err != nil {
		return nil, err
	}
	s.items, err = txcache.NewCache[int64, Row](s.store, "item", &txcache.CacheOptions{ContextFree: true})
	return s, err
}

// read begins a transaction of the database only where the class asks for one: each statement
// has a snapshot of its own.
func (s *cached) read(ctx context.Context, ids []int64) (rows map[int64]Row, err error) {
	if s.view == nil {
		err = s.store.View(ctx, caches.Database, func(tx *txcache.Tx) error {
			rows, err = s.load(ctx, tx, s.db.pool, ids)
			return err
		})
		return rows, err
	}
	err = txpgx.View(ctx, s.store, caches.Database, s.db.pool, *s.view, func(tx *txpgx.Tx) error {
		rows, err = s.load(ctx, tx.Cache, tx, ids)
		return err
	})
	return rows, err
}

func (s *cached) load(ctx context.Context, tx *txcache.Tx, q querier, ids []int64) (map[int64]Row, error) {
	return s.items.LoadMany(ctx, tx, ids, func(ctx context.Context, missing []int64) (map[int64]Row, error) {
		return s.db.rows(ctx, q, missing)
	})
}

func (s *cached) write(ctx context.Context, id int64) (int64, error) {
	var r Row
	err := txpgx.Update(ctx, s.store, caches.Database, s.db.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) (err error) {
		if r, err = change(ctx, tx, id); err != nil {
			return err
		}
		return s.items.Delete(tx.Cache, id)
	})
	return r.Version, err
}
