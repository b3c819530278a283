package histories_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// database is the name of the tenant.
const database = "shop"

// A value is a row, or two rows.
type value [2]int64

// A server is what a process has: a store with its caches, and connections.
type server struct {
	name    string
	db      *sql.DB
	backend *sqlbackend.Backend
	store   *txcache.Store
	caches
	standby   bool // db is that of a replica
	elsewhere bool // the backend has other connections than db
}

type caches struct {
	row  *txcache.Cache[int, value] // a row; writers delete its key, its tag, or clear the cache
	pair *txcache.Cache[int, value] // two rows beside each other, loaded by two statements; writers clear it
	warm *txcache.Cache[int, value] // a row; writers clear it, and what they set is published
}

func tagOf(row int) string { return fmt.Sprint("tag ", row%2) }

// junk is a tenth of the keys that make a fold forget some.
const junk = 2000

func newServer(t *testing.T, e *engine, name string) *server {
	t.Helper()
	db := e.open(t)
	s, err := e.server(name, db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// server returns one with db, which the caller closes after the store.
func (e *engine) server(name string, db *sql.DB) (s *server, err error) {
	s = &server{name: name, db: db}
	if s.backend, err = e.backend(db); err != nil {
		return nil, err
	}
	var b backend.Backend = s.backend
	opts := &txcache.Options{}
	if e.redis != "" {
		if b, err = e.withRedis(s.backend); err != nil {
			return nil, err
		}
		opts.Size, opts.NoNear = 2, name == "b" // else most hits are in the process
	}
	if s.store, err = txcache.New(b, opts); err != nil {
		return nil, err
	}
	s.row = txcache.Must(txcache.NewCache[int, value](s.store, "row", nil))
	s.row.TagBy(func(row int, _ value) []string { return []string{tagOf(row)} })
	s.pair = txcache.Must(txcache.NewCache[int, value](s.store, "pair", nil))
	s.warm = txcache.Must(txcache.NewCache[int, value](s.store, "warm", &txcache.CacheOptions{Warm: true}))
	return s, nil
}

// shows returns which rows a cache shows under a key.
func (s *server) shows(c *txcache.Cache[int, value], key int) []int {
	if c == s.pair {
		return []int{key, (key + 1) % rows}
	}
	return []int{key}
}

// load returns what a cache shows by SQL, a statement for each row.
func (s *server) load(ctx context.Context, q queryer, c *txcache.Cache[int, value], key int, pause func()) (v value, err error) {
	for i, row := range s.shows(c, key) {
		pause()
		if v[i], err = readRow(ctx, q, row); err != nil {
			return v, err
		}
	}
	pause()
	return v, nil
}

// clear clears all that shows a row, by key, tag, cache, or database.
func (s *server) clear(random *rand.Rand, tx *txcache.Tx, row int) (err error) {
	switch random.IntN(10) {
	case 0:
		return tx.ClearAll()
	case 1:
		err = s.row.Clear(tx)
	case 2, 3:
		err = tx.ClearTags(tagOf(row))
	default:
		err = s.row.Delete(tx, row)
	}
	return errors.Join(err, s.pair.Clear(tx), s.warm.Clear(tx))
}
