package sqltest_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/mattn/go-sqlite3"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// An engine is a database, a driver, and where the generations are.
type engine struct {
	dialect sqlbackend.Dialect
	driver  string
	dsn     string
	inSQL   bool // the generations are in the database
}

// onEngines runs f over each database with each driver, with the generations in memory
// and in the database.
func onEngines(t *testing.T, f func(t *testing.T, e *engine)) {
	both := func(t *testing.T, dialect sqlbackend.Dialect, driver string, dsn func(t *testing.T) string) {
		for class, inSQL := range map[string]bool{"memory": false, "sql": true} {
			t.Run(driver+", class "+class, func(t *testing.T) { f(t, &engine{dialect, driver, dsn(t), inSQL}) })
		}
	}
	file := func(t *testing.T) string { return "file:" + filepath.Join(t.TempDir(), "shop.db") }
	t.Run("postgres", func(t *testing.T) {
		uri := postgrestest.Start(t).URI("postgres")
		for _, driver := range []string{"pgx", "postgres"} {
			both(t, sqlbackend.Postgres, driver, func(*testing.T) string { return uri })
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		dsn := mariadbtest.Start(t).DSN("test")
		both(t, sqlbackend.MySQL, "mysql", func(*testing.T) string { return dsn })
	})
	t.Run("sqlite", func(t *testing.T) {
		both(t, sqlbackend.SQLite, "sqlite", func(t *testing.T) string {
			return file(t) + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
		})
		both(t, sqlbackend.SQLite, "sqlite3", func(t *testing.T) string {
			return file(t) + "?_txlock=immediate&_busy_timeout=10000&_journal_mode=WAL&_synchronous=OFF"
		})
	})
}

// exact reports whether a transaction that asks for no level has one snapshot, and the
// cache knows of it.
func (e *engine) exact() bool { return e.inSQL && e.dialect != sqlbackend.Postgres }

// deferred returns the name of the same SQLite file, for transactions that do not lock it
// when they begin.
func (e *engine) deferred() string {
	return strings.Replace(e.dsn, "_txlock=immediate", "_txlock=deferred", 1)
}

func (e *engine) open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(e.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

type kept struct{ backend.Backend }

func (kept) Close() error { return nil } // the servers share it

// shops returns n servers that share a database, in which products 1 to products have
// price 1.
func (e *engine) shops(t *testing.T, n int) []*shop {
	t.Helper()
	shared := memorybackend.New()
	shops := make([]*shop, n)
	for i := range shops {
		s := &shop{engine: e, db: e.open(t, e.dsn)}
		if s.readDB = s.db; e.driver == "sqlite3" { // it begins read-only transactions immediately, too
			s.readDB = e.open(t, e.deferred())
		}
		var b backend.Backend = kept{shared}
		if e.inSQL {
			own, err := sqlbackend.New(func(string) (*sql.DB, error) { return s.db, nil }, e.dialect, &sqlbackend.Options{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			b = own
		}
		s.store = txcache.Must(txcache.New(b, &txcache.Options{Logger: slog.New(slog.DiscardHandler)}))
		s.price = txcache.Must(txcache.NewCache[int, int64](s.store, "price", nil))
		t.Cleanup(func() {
			if err := s.store.Close(); err != nil {
				t.Error(err)
			}
		})
		shops[i] = s
	}
	a := shops[0]
	a.exec(t, "DROP TABLE IF EXISTS product")
	a.exec(t, "CREATE TABLE product (id INTEGER PRIMARY KEY, price INTEGER NOT NULL)")
	for id := 1; id <= products; id++ {
		a.exec(t, fmt.Sprintf("INSERT INTO product VALUES (%d, 1)", id))
	}
	if e.inSQL {
		for _, s := range shops {
			if err := s.store.Sync(t.Context(), database); err != nil { // it begins an epoch
				t.Fatal(err)
			}
		}
	}
	return shops
}

// A shop is a server of a service that knows nothing of the engine.
type shop struct {
	*engine
	db     *sql.DB
	readDB *sql.DB // of read-only transactions
	store  *txcache.Store
	price  *txcache.Cache[int, int64]
}

func (s *shop) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func stock(ctx context.Context, q sqltx.DBTX, id int) (price int64, err error) {
	err = q.QueryRowContext(ctx, fmt.Sprintf("SELECT price FROM product WHERE id = %d", id)).Scan(&price)
	return price, err
}

func (s *shop) load(ctx context.Context, tx *sqltx.Tx, id int) (int64, error) {
	return s.price.Load(ctx, tx.Cache, id, func(ctx context.Context) (int64, error) { return stock(ctx, tx, id) })
}

func (s *shop) change(ctx context.Context, tx *sqltx.Tx, id int, price int64) error {
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE product SET price = %d WHERE id = %d", price, id)); err != nil {
		return err
	}
	return s.price.Delete(tx.Cache, id)
}

func (s *shop) changes(t *testing.T, id int, price int64) {
	t.Helper()
	err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error { return s.change(t.Context(), tx, id, price) })
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shop) reads(t *testing.T, opts *sql.TxOptions, id int, want int64) {
	t.Helper()
	err := sqltx.View(t.Context(), s.store, database, s.readDB, opts, func(tx *sqltx.Tx) error {
		got, err := s.load(t.Context(), tx, id)
		if got != want {
			t.Errorf("product %d is read as %d, want %d", id, got, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The same service runs over each engine. A rule is run over all of them by one test, as
// servers take a while to start.
func TestEngines(t *testing.T) {
	onEngines(t, func(t *testing.T, e *engine) {
		for _, rule := range []struct {
			name string
			run  func(*testing.T, *engine)
		}{
			{"sees what is committed", seesWhatIsCommitted},
			{"hits without a connection", hitsWithoutAConnection},
			{"prepares", prepares},
			{"undoes savepoints", undoesSavepoints},
			{"undoes savepoints without an error", undoesSavepointsWithoutAnError},
			{"begins within savepoints", beginsWithinSavepoints},
			{"keeps old snapshots", keepsOldSnapshots},
			{"is serializable", isSerializable},
			{"loses savepoints", losesSavepoints},
			{"needs immediate", needsImmediate},
			{"reads nothing else", readsNothingElse},
		} {
			t.Run(rule.name, func(t *testing.T) { rule.run(t, e) })
		}
	})
}

// What one server commits, each reads after that.
func seesWhatIsCommitted(t *testing.T, e *engine) {
	shops := e.shops(t, 2)
	for price := int64(2); price < 6; price++ {
		shops[price%2].changes(t, 1, price)
		for _, s := range shops {
			for range 2 {
				s.reads(t, nil, 1, price)
			}
		}
	}
	for i, s := range shops {
		if got := s.price.Stats(); got.Hits < 4 {
			t.Errorf("server %d hits %d times, want each second read", i, got.Hits)
		}
	}
}

// Reads that hit hold no connection: what class sql sends for the state has been
// answered. Where the database has one snapshot for a transaction, its state is of that one.
func hitsWithoutAConnection(t *testing.T, e *engine) {
	s := e.shops(t, 1)[0]
	s.reads(t, nil, 1, 1)
	opened := e.open(t, e.dsn) // another pool
	tx, err := sqltx.Begin(t.Context(), s.store, database, opened, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, hit := s.price.Get(t.Context(), tx.Cache, 1); !hit {
		t.Error("a miss, want a hit")
	}
	inUse, open := 0, 0
	if e.inSQL {
		open = 1
	}
	if e.exact() {
		inUse = 1
	}
	if got := opened.Stats(); got.InUse != inUse || got.OpenConnections != open {
		t.Errorf("%d connections are in use of %d; want %d of %d", got.InUse, got.OpenConnections, inUse, open)
	}
	for range 2 {
		if price, err := stock(t.Context(), tx, 1); price != 1 || err != nil {
			t.Errorf("read %d, %v", price, err)
		}
	}
	if got := opened.Stats().InUse; got != 1 {
		t.Errorf("%d connections are in use after the first statement, want 1", got)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

// What *sql.Tx can do, a transaction can that has not begun.
func prepares(t *testing.T, e *engine) {
	s := e.shops(t, 1)[0]
	prepared, err := s.db.PrepareContext(t.Context(), "SELECT price FROM product WHERE id = 1")
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	for name, stmt := range map[string]func(*sqltx.Tx) (*sql.Stmt, error){
		"PrepareContext": func(tx *sqltx.Tx) (*sql.Stmt, error) {
			return tx.PrepareContext(t.Context(), "SELECT price FROM product WHERE id = 1")
		},
		"StmtContext": func(tx *sqltx.Tx) (*sql.Stmt, error) { return tx.StmtContext(t.Context(), prepared), nil },
	} {
		err := sqltx.View(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
			stmt, err := stmt(tx)
			if err != nil {
				return err
			}
			var price int64
			for range 2 {
				if err := stmt.QueryRowContext(t.Context()).Scan(&price); err != nil || price != 1 {
					return fmt.Errorf("%d, %w", price, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
