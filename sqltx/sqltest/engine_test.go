package sqltest_test

import (
	"context"
	"database/sql"
	"errors"
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

// P2: a savepoint undoes both sides, also after a statement that has failed.
func undoesSavepoints(t *testing.T, e *engine) {
	shops := e.shops(t, 2)
	s := shops[0]
	s.reads(t, nil, 1, 1)
	err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		if err := s.change(t.Context(), tx, 2, 20); err != nil {
			return err
		}
		err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
			if err := s.change(t.Context(), tx, 1, 10); err != nil {
				return err
			}
			if err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return s.change(t.Context(), tx, 3, 30) }); err != nil {
				return err
			}
			_, err := tx.ExecContext(t.Context(), "INSERT INTO product VALUES (1, 1)")
			return err
		})
		if err == nil {
			t.Error("the savepoint returns no error")
		}
		for id, want := range map[int]int64{1: 1, 2: 20, 3: 1} {
			if got, err := s.load(t.Context(), tx, id); got != want || err != nil {
				t.Errorf("product %d is %d, %v after the savepoint; want %d", id, got, err, want)
			}
		}
		return tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return s.change(t.Context(), tx, 4, 40) })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shops {
		for id, want := range map[int]int64{1: 1, 2: 20, 3: 1, 4: 40} {
			s.reads(t, nil, id, want)
		}
	}
}

// An error that fn does not return: PostgreSQL has aborted the transaction, and Savepoint says
// so and brings it back.
func undoesSavepointsWithoutAnError(t *testing.T, e *engine) {
	s := e.shops(t, 1)[0]
	err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
			if err := s.change(t.Context(), tx, 1, 10); err != nil {
				return err
			}
			tx.ExecContext(t.Context(), "INSERT INTO product VALUES (1, 1)")
			return nil
		})
		if aborted := err != nil; aborted != (e.dialect == sqlbackend.Postgres) {
			t.Errorf("Savepoint: %v", err)
		}
		return s.change(t.Context(), tx, 2, 20)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := int64(10)
	if e.dialect == sqlbackend.Postgres {
		want = 1
	}
	s.reads(t, nil, 1, want)
	s.reads(t, nil, 2, 20)
}

// A read-only transaction that begins within savepoints goes on after a statement that
// has failed there.
func beginsWithinSavepoints(t *testing.T, e *engine) {
	s := e.shops(t, 1)[0]
	err := sqltx.View(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		for range 2 {
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
				return tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
					_, err := tx.QueryContext(t.Context(), "SELECT nothing FROM nowhere")
					return err
				})
			})
			if err == nil {
				return errors.New("the savepoint returns no error")
			}
		}
		_, err := s.load(t.Context(), tx, 1)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// At repeatable read, or in a database where that is the default, an old snapshot reads its
// own values, cached or not, and its fills are nobody's who came later.
func keepsOldSnapshots(t *testing.T, e *engine) {
	if !e.inSQL {
		t.Skip("with the generations elsewhere a hit may be older than the snapshot")
	}
	opts := &sql.TxOptions{ReadOnly: true}
	if e.dialect != sqlbackend.SQLite {
		opts.Isolation = sql.LevelRepeatableRead
	}
	shops := e.shops(t, 2)
	a, b := shops[0], shops[1]
	a.reads(t, opts, 1, 1) // cached
	old, err := sqltx.Begin(t.Context(), a.store, database, a.readDB, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Rollback()
	b.changes(t, 1, 10)
	b.changes(t, 2, 20)
	if got, hit := a.price.Get(t.Context(), old.Cache, 1); got != 1 || !hit {
		t.Errorf("the old snapshot reads %d, %v; want to hit its own 1", got, hit)
	}
	a.reads(t, opts, 1, 10)
	a.reads(t, opts, 2, 20)
	for id := range 2 {
		if got, err := a.load(t.Context(), old, id+1); got != 1 || err != nil {
			t.Errorf("the old snapshot reads product %d as %d, %v; want its own 1", id+1, got, err)
		}
	}
	if err := old.Commit(); err != nil {
		t.Error(err)
	}
	a.reads(t, opts, 1, 10)
	a.reads(t, opts, 2, 20)
}

// A serializable transaction does not conflict with one that clears another key, or
// another cache.
func isSerializable(t *testing.T, e *engine) {
	if e.dialect == sqlbackend.SQLite {
		t.Skip("one writer at a time")
	}
	s := e.shops(t, 1)[0]
	opts := &sql.TxOptions{Isolation: sql.LevelSerializable}
	var all []*sqltx.Tx
	for id := 1; id <= 4; id++ {
		tx, err := sqltx.Begin(t.Context(), s.store, database, s.db, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		all = append(all, tx)
	}
	for i, tx := range all {
		if err := s.change(t.Context(), tx, i+1, 10); err != nil {
			t.Fatal(err)
		}
	}
	for _, tx := range all {
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
	for i := range all {
		s.reads(t, nil, i+1, 10)
		s.reads(t, &sql.TxOptions{Isolation: sql.LevelSerializable}, i+1, 10)
	}
}

// P2: MariaDB has lost the savepoint, as a deadlock has rolled the whole transaction back, or a
// statement has committed it. Nothing more is done in it.
func losesSavepoints(t *testing.T, e *engine) {
	if e.dialect != sqlbackend.MySQL {
		t.Skip("of MariaDB")
	}
	t.Run("deadlock", func(t *testing.T) {
		s := e.shops(t, 1)[0]
		other, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Rollback()
		// It has changed more, so it is not the one that is rolled back.
		if _, err := other.ExecContext(t.Context(), "UPDATE product SET price = price + 100 WHERE id > 1"); err != nil {
			t.Fatal(err)
		}
		crossed := make(chan error, 1)
		err = sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
			if err := s.change(t.Context(), tx, 1, 10); err != nil {
				return err
			}
			go func() {
				_, err := other.ExecContext(t.Context(), "UPDATE product SET price = 101 WHERE id = 1")
				crossed <- err
			}()
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return s.change(t.Context(), tx, 2, 20) })
			if err == nil || !strings.Contains(err.Error(), "Deadlock") {
				t.Errorf("Savepoint: %v, want a deadlock", err)
			}
			// Without the refusal this statement would be committed at once.
			if err := s.change(t.Context(), tx, 3, 30); err == nil {
				t.Error("a statement was executed in a transaction that is no more")
			}
			return nil
		})
		if err == nil || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Update: %v, want the error of the savepoint", err)
		}
		if err := <-crossed; err != nil {
			t.Error(err)
		}
		if err := other.Rollback(); err != nil {
			t.Error(err)
		}
		for id := 1; id <= 3; id++ {
			if got, err := stock(t.Context(), s.db, id); got != 1 || err != nil {
				t.Errorf("product %d is %d, %v; want 1, as nothing was committed", id, got, err)
			}
		}
	})
	t.Run("implicit commit", func(t *testing.T) {
		s := e.shops(t, 1)[0]
		err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
				if _, err := tx.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS other (id INTEGER)"); err != nil {
					return err
				}
				return errRefused
			})
			if !errors.Is(err, errRefused) || err == errRefused {
				t.Errorf("Savepoint: %v, want that it was not undone", err)
			}
			return nil
		})
		if err == nil || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Update: %v, want the error of the savepoint", err)
		}
	})
}

// A transaction of SQLite that reads first, and it does for its state, cannot write
// when another one has written since. The error says what helps.
func needsImmediate(t *testing.T, e *engine) {
	if e.dialect != sqlbackend.SQLite || !e.inSQL {
		t.Skip("of SQLite with the generations in it")
	}
	shops := e.shops(t, 2)
	deferred := e.open(t, e.deferred())
	tx, err := sqltx.Begin(t.Context(), shops[0].store, database, deferred, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	shops[1].changes(t, 1, 10)
	err = shops[0].change(t.Context(), tx, 2, 20)
	if err == nil || !strings.Contains(err.Error(), "_txlock=immediate") {
		t.Errorf("the statement: %v, want advice", err)
	}
}
