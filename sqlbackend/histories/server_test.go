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

// tagOf returns the tag of a row with that version: it moves to another one as it changes.
func tagOf(version int64) string { return fmt.Sprint("tag ", version%5) }

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
	s.row.TagBy(func(_ int, v value) []string { return []string{tagOf(v[0])} })
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

// unknown is a version that a writer does not know.
const unknown = -1

// clear clears all that shows a row, by key, cache, database, or, if it knows the version that it has overwritten, by tag.
func (s *server) clear(random *rand.Rand, tx *txcache.Tx, row int, old int64) (err error) {
	switch n := random.IntN(10); {
	case n == 0:
		return tx.ClearAll()
	case n == 1:
		err = s.row.Clear(tx)
	case n < 6 && old != unknown:
		err = tx.ClearTags(tagOf(old))
	default:
		err = s.row.Delete(tx, row)
	}
	return errors.Join(err, s.pair.Clear(tx), s.warm.Clear(tx))
}
