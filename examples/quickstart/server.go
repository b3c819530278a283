package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
)

// A server stands for one process of a service.
type server struct {
	name     string
	store    *txcache.Store
	price    *txcache.Cache[string, int]
	greeting *txcache.Cache[string, string]
	count    *txcache.Cache[string, tally]
}

// newServer gives a store the caches of the service, as a program does when it
// starts.
func newServer(name string, store *txcache.Store) (*server, error) {
	s := &server{name: name, store: store}
	var errs [3]error
	s.price, errs[0] = txcache.NewCache[string, int](store, "price", &txcache.CacheOptions{ContextFree: true})
	s.greeting, errs[1] = txcache.NewCache[string, string](store, "greeting", nil)
	s.count, errs[2] = txcache.NewCache[string, tally](store, "count", &txcache.CacheOptions{ContextFree: true})
	return s, errors.Join(errs[:]...)
}

// inProcess reports whether the backend is one that other processes, and other
// stores, have no part in.
func inProcess(cfg *config.Config) bool {
	return cfg.Class == config.ClassMemory || cfg.Class == "github.com/seed-dad15c92/txcache/memorybackend"
}

// inDatabase reports whether the generations are in the database that is cached.
func inDatabase(cfg *config.Config) bool {
	return cfg.Class == config.ClassSQL || cfg.Class == "github.com/seed-dad15c92/txcache/sqlbackend"
}

// settle changes those settings that would make the story another one.
func settle(n *narrator, cfg *config.Config) {
	if cfg.Sync != config.SyncBegin {
		n.say("The tour takes sync = %q in place of %q: it tells what others see at once.", config.SyncBegin, cfg.Sync)
		cfg.Sync = config.SyncBegin
	}
	if len(cfg.ContextIgnoredKeys) > 0 {
		n.say("The tour ignores no context keys.")
		cfg.ContextIgnoredKeys = nil
	}
	if !cfg.Redis.Near {
		n.say("The tour takes near = true: it counts what is loaded by one process.")
		cfg.Redis.Near = true
	}
}

// openServers opens the two servers: each with a store of its own if the
// backend is shared, else both with the same.
func openServers(ctx context.Context, cfg *config.Config) (a, b *server, err error) {
	store, err := txcache.OpenConfig(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if a, err = newServer("A", store); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	if inProcess(cfg) {
		b := *a
		b.name = "B"
		return a, &b, nil
	}
	other, err := txcache.OpenConfig(ctx, cfg)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	if b, err = newServer("B", other); err != nil {
		return nil, nil, errors.Join(err, store.Close(), other.Close())
	}
	return a, b, nil
}

func closeServers(a, b *server) error {
	err := a.store.Close()
	if b.store != a.store {
		err = errors.Join(err, b.store.Close())
	}
	return err
}

// A session is a transaction of a server: the cache's side and the database's.
type session struct {
	*server
	cache *txcache.Tx
	rows  *snapshot
}

// begin begins a read-write session: first the cache's side, then the snapshot.
func (s *server) begin(ctx context.Context, database string, t *table) (*session, error) {
	tx, err := s.store.Begin(ctx, database)
	if err != nil {
		return nil, err
	}
	return &session{s, tx, t.begin()}, nil
}

// view is begin for a session that only reads.
func (s *server) view(ctx context.Context, database string, t *table) (*session, error) {
	tx, err := s.store.BeginReadOnly(ctx, database)
	if err != nil {
		return nil, err
	}
	return &session{s, tx, t.begin()}, nil
}

func (x *session) commit(ctx context.Context) error {
	return x.cache.CommitWith(ctx, x.rows.commit)
}

// cached returns what the cache has of a price.
func (x *session) cached(ctx context.Context, product string) string {
	if v, ok := x.price.Get(ctx, x.cache, product); ok {
		return fmt.Sprint(v)
	}
	return "nothing"
}

// read returns a price, from the cache or else from the database, and which.
func (x *session) read(ctx context.Context, product string) (string, error) {
	from := "cache"
	v, err := x.price.Load(ctx, x.cache, product, func(context.Context) (int, error) {
		from = "database"
		return x.rows.query(product), nil
	})
	return fmt.Sprintf("%d from the %s", v, from), err
}
