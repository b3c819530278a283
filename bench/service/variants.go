package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A service answers requests. Its methods are safe for concurrent use.
type service interface {
	// read returns rows by their keys.
	read(ctx context.Context, ids []int64) (map[int64]Row, error)

	// write changes a row, and returns its version when that is committed.
	write(ctx context.Context, id int64) (version int64, err error)
}

// An environment is what a process of a service opens its cache with.
type environment struct {
	db       *database
	postgres string // URI
	redis    string // host and port
	rows     int
}

// room is for how many values a cache in the process has room.
func (e *environment) room() int { return 2 * e.rows }

// A variant is a way to build the service.
type variant struct {
	Name      string
	Processes int
	Kind      kind
	Exact     bool // no read may be stale
	open      func(ctx context.Context, e *environment) (service, error)
}

// A kind is what a variant is an example of.
type kind int

const (
	plain kind = iota // no cache
	aside             // a cache beside the database
	ours              // txcache
)

// alone is the name of the variant without a cache.
const alone = "PostgreSQL alone"

// variants are all, in the order of the page.
var variants = []variant{
	{alone, 2, plain, true, openAlone},
	{"go-redis/cache", 2, aside, false, openGoRedisCache(false)},
	{"go-redis/cache, local cache", 2, aside, false, openGoRedisCache(true)},
	{"go-redis, MGET by hand", 2, aside, false, openGoRedis},
	{"rueidis, client-side cache", 2, aside, false, openRueidis},
	{"otter, 1 s", 2, aside, false, openOtterExpiring},
	{"otter, pub/sub", 2, aside, false, openOtterTold},
	{`txcache, Redis, sync = "begin"`, 2, ours, true, onRedis("begin")},
	{`txcache, Redis, sync = "lease"`, 2, ours, true, onRedis("lease")},
	{`txcache, Redis, sync = "channel"`, 2, ours, false, onRedis("channel")},
	{`txcache, Redis, sync = "1s"`, 2, ours, false, onRedis("1s")},
	{"txcache, SQL, read committed", 2, ours, true, onSQL("memory", pgx.ReadCommitted)},
	{"txcache, SQL", 2, ours, true, onSQL("memory", pgx.RepeatableRead)},
	{"txcache, SQL, values in Redis", 2, ours, true, onSQL("redis", pgx.RepeatableRead)},
	{"otter, one process", 1, aside, false, openOtter},
	{"txcache, memory, one process", 1, ours, true, inMemory},
}

func variantOf(name string) (variant, error) {
	for _, v := range variants {
		if v.Name == name {
			return v, nil
		}
	}
	return variant{}, fmt.Errorf("there is no variant %q", name)
}

// A bare service has no cache.
type bare struct{ db *database }

func openAlone(_ context.Context, e *environment) (service, error) { return bare{e.db}, nil }

func (s bare) read(ctx context.Context, ids []int64) (map[int64]Row, error) {
	return s.db.rows(ctx, s.db.pool, ids)
}

func (s bare) write(ctx context.Context, id int64) (int64, error) {
	r, err := s.db.commit(ctx, id)
	return r.Version, err
}
