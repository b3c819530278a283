package sqltest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

const (
	database = "shop"
	fence    = 100 * time.Millisecond // the lease, for which caches are bypassed when a commit is in doubt
)

// A server stands for a process: it has connections and a store of its own, and
// shares the database file and the backend with the other servers.
type server struct {
	db    *sql.DB
	store *txcache.Store
	price *txcache.Cache[int, int64] // by product

	line  *line
	hooks hooks
}

// hooks are called before and after the server gets its state at the begin of a
// transaction, before and after it fences what it is to clear, and before it
// clears. They are set while the server has no transaction.
type hooks struct{ syncing, synced, fencing, fenced, clearing func() }

func call(hook func()) {
	if hook != nil {
		hook()
	}
}

type hooked struct {
	backend.Backend
	server *server
}

func (h hooked) Sync(ctx context.Context, database string) (*backend.State, error) {
	call(h.server.hooks.syncing)
	state, err := h.Backend.Sync(ctx, database)
	call(h.server.hooks.synced)
	return state, err
}

func (h hooked) Fence(ctx context.Context, database string, f backend.Fence) error {
	call(h.server.hooks.fencing)
	err := h.Backend.Fence(ctx, database, f)
	call(h.server.hooks.fenced)
	return err
}

func (h hooked) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	call(h.server.hooks.clearing)
	return h.Backend.Clear(ctx, database, f)
}

func (h hooked) Close() error { return nil } // the servers share it

const products = 6

// newServers returns n servers over one new file, in which products 1 to
// products have price 1. begin is how a read-write transaction begins: "deferred"
// or "immediate". Every other server keeps its cache warm.
func newServers(t *testing.T, n int, begin string) []*server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.db")
	shared := memorybackend.New()
	servers := make([]*server, n)
	for i := range servers {
		s := &server{line: &line{}}
		dsn := fmt.Sprintf("file:%s?_txlock=%s&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=foreign_keys(ON)", file, begin)
		s.db = sql.OpenDB(connector{dsn, s.line})
		s.store = txcache.Must(txcache.New(hooked{shared, s}, &txcache.Options{Fence: fence, NotCommitted: refused, Logger: slog.New(slog.DiscardHandler)}))
		s.price = txcache.Must(txcache.NewCache[int, int64](s.store, "price", &txcache.CacheOptions{ContextFree: true, Warm: i%2 == 1}))
		t.Cleanup(func() {
			if err := s.db.Close(); err != nil {
				t.Error(err)
			}
			if err := s.store.Close(); err != nil && !errors.Is(err, txcache.ErrInDoubt) {
				t.Error(err)
			}
		})
		servers[i] = s
	}
	a := servers[0]
	a.exec(t, "CREATE TABLE product (id INTEGER PRIMARY KEY, price INTEGER NOT NULL)")
	a.exec(t, "CREATE TABLE sale (product INTEGER REFERENCES product (id) DEFERRABLE INITIALLY DEFERRED)")
	for id := 1; id <= products; id++ {
		a.exec(t, "INSERT INTO product VALUES (?, 1)", id)
	}
	return servers
}

func (s *server) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// stored returns the price as the database has it.
func stored(ctx context.Context, q querier, id int) (price int64, err error) {
	err = q.QueryRowContext(ctx, "SELECT price FROM product WHERE id = ?", id).Scan(&price)
	return price, err
}

// load returns the price from the cache or else from the database.
func (s *server) load(ctx context.Context, tx *sqltx.Tx, id int) (int64, error) {
	return s.price.Load(ctx, tx.Cache, id, func(ctx context.Context) (int64, error) {
		return stored(ctx, tx, id)
	})
}

// change sets the price in the database and clears the cache.
func (s *server) change(ctx context.Context, tx *sqltx.Tx, id int, price int64) error {
	if _, err := tx.ExecContext(ctx, "UPDATE product SET price = ? WHERE id = ?", price, id); err != nil {
		return err
	}
	return s.price.Clear(tx.Cache)
}

// begin begins a transaction.
func (s *server) begin(t *testing.T, readOnly bool) *sqltx.Tx {
	t.Helper()
	tx, err := sqltx.Begin(t.Context(), s.store, database, s.db, &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

// loads returns what a transaction that begins now reads.
func (s *server) loads(t *testing.T, id int) (price int64) {
	t.Helper()
	err := sqltx.View(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) (err error) {
		price, err = s.load(t.Context(), tx, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return price
}

// cached returns what a transaction that begins now has in the cache, 0 for
// nothing.
func (s *server) cached(t *testing.T, id int) (price int64) {
	t.Helper()
	err := s.store.View(t.Context(), database, func(tx *txcache.Tx) error {
		price = s.price.GetOr(t.Context(), tx, id, 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return price
}

// changes sets the price in a transaction of its own.
func (s *server) changes(t *testing.T, id int, price int64) {
	t.Helper()
	err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		return s.change(t.Context(), tx, id, price)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// everyoneReads checks what transactions that begin now read, first from
// wherever it is and then from the cache.
func everyoneReads(t *testing.T, servers []*server, id int, want int64) {
	t.Helper()
	for i, s := range servers {
		if got := s.loads(t, id); got != want {
			t.Errorf("server %d reads %d, want %d", i, got, want)
		}
		if got := s.cached(t, id); got != want {
			t.Errorf("server %d has %d in its cache, want %d", i, got, want)
		}
	}
}

// code returns the primary result code of SQLite, 0 if err is none of its own.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// refused reports whether SQLite itself has refused a commit: its errors have no
// SQLSTATE.
func refused(err error) bool { return busy(err) || code(err) == sqlite3.SQLITE_CONSTRAINT }

func busy(err error) bool { return code(err) == sqlite3.SQLITE_BUSY }
