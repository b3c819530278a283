package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/redisserver"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// durable are the settings of PostgreSQL with which a commit that has returned survives a
// crash of the machine: those that it has by default, and a server for tests has not.
var durable = []string{"fsync=on", "synchronous_commit=on", "full_page_writes=on"}

// A stage is the servers on which the variants are measured in turns.
type stage struct {
	settings Settings
	postgres string // URI
	version  string // of PostgreSQL
	pool     *pgxpool.Pool
	redis    *redisserver.Server
	newest   string // file
}

func newStage(ctx context.Context, t testing.TB, s Settings) (*stage, error) {
	dir, err := os.MkdirTemp("", "txcache-bench-")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	a := &stage{settings: s, newest: filepath.Join(dir, "newest"), postgres: postgrestest.Start(t, durable...).URI("postgres")}
	if a.redis, err = redisserver.Start(ctx); err != nil {
		return nil, err
	}
	t.Cleanup(a.redis.Close)
	if a.pool, err = pgxpool.New(ctx, a.postgres); err != nil {
		return nil, err
	}
	t.Cleanup(a.pool.Close)
	if err := create(ctx, a.pool, s.Rows); err != nil {
		return nil, err
	}
	return a, a.pool.QueryRow(ctx, "SHOW server_version").Scan(&a.version)
}

// measure runs a variant once: it starts the processes of a service, on servers that know
// nothing of the last one, and has them ended when it returns.
func (a *stage) measure(ctx context.Context, v variant, hot bool) (m *measurement, err error) {
	if err := a.empty(ctx); err != nil {
		return nil, err
	}
	p := plan{Settings: a.settings, Variant: v.Name, Postgres: a.postgres, Redis: a.redis.Addr, Newest: a.newest}
	p.Hot = hot
	p.Clients, p.Pool = p.Clients/v.Processes, p.Pool/v.Processes
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []*process
	defer func() {
		for _, s := range all {
			err = errors.Join(err, s.end())
		}
	}()
	for i := range v.Processes {
		p.Seed = uint64(i * a.settings.Clients)
		s, err := start(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	var ready bool
	for _, s := range all {
		if err := s.out.Decode(&ready); err != nil {
			return nil, err
		}
	}
	for _, s := range all {
		if _, err := fmt.Fprintln(s.in, "play"); err != nil {
			return nil, err
		}
	}
	m = &measurement{}
	for _, s := range all {
		var seen measurement
		if err := s.out.Decode(&seen); err != nil {
			return nil, err
		}
		m.add(&seen)
	}
	return m, nil
}

// empty makes the servers forget the last service. The rows keep their versions.
func (a *stage) empty(ctx context.Context) error {
	client := caches.NewClient(a.redis.Addr)
	defer client.Close()
	if err := client.FlushAll(ctx).Err(); err != nil {
		return err
	}
	for _, statement := range []string{"DROP TABLE IF EXISTS " + sqlbackend.DefaultTable, "VACUUM ANALYZE item", "CHECKPOINT"} {
		if _, err := a.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
