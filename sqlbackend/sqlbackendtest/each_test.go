package sqlbackendtest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// An estate is a server, or a folder, with an SQL database for each tenant.
type estate struct {
	dialect, driver, dsn string
	of                   func(tenant string) string // the DSN of a service
	create, drop         func(t *testing.T, tenant string)
	names                []string
}

// onEachEstate runs f over each database.
func onEachEstate(t *testing.T, f func(t *testing.T, e *estate)) {
	plain := []string{"acme", "A-1_b.c"}
	exec := func(t *testing.T, driver, dsn, statement string) {
		t.Helper()
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	t.Run("postgres", func(t *testing.T) {
		server := postgrestest.Start(t)
		uri := server.URI("postgres")
		uriOf := func(name string) string { return strings.Replace(uri, "/postgres?", "/"+name+"?", 1) }
		names := append(plain, "two words?", "Ü & 100%", "a'b=c")
		for _, driver := range []string{"pgx", "postgres"} {
			t.Run(driver, func(t *testing.T) {
				f(t, &estate{"postgres", driver, uriOf(driver + "_{database}"), func(tenant string) string {
					return uriOf(driver + "_" + escaped(tenant))
				}, func(t *testing.T, tenant string) {
					exec(t, driver, uri, `CREATE DATABASE "`+driver+"_"+tenant+`"`)
				}, func(t *testing.T, tenant string) {
					exec(t, driver, uri, `DROP DATABASE "`+driver+"_"+tenant+`" WITH (FORCE)`)
				}, names})
			})
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		server := mariadbtest.Start(t)
		f(t, &estate{"mysql", "mysql", server.DSN("{database}"), server.DSN, func(t *testing.T, tenant string) {
			exec(t, "mysql", server.DSN("test"), "CREATE DATABASE `"+tenant+"`")
		}, func(t *testing.T, tenant string) {
			exec(t, "mysql", server.DSN("test"), "DROP DATABASE `"+tenant+"`")
		}, plain})
	})
	for driver, busy := range map[string]string{"sqlite": "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)", "sqlite3": "_busy_timeout=10000&_journal_mode=WAL"} {
		t.Run(driver, func(t *testing.T) {
			folder := t.TempDir()
			of := func(tenant string) string { return "file:" + folder + "/" + tenant + ".db?_txlock=immediate&" + busy }
			f(t, &estate{"sqlite", driver, of("{database}"), of, func(t *testing.T, tenant string) {
				if err := os.WriteFile(filepath.Join(folder, tenant+".db"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}, func(t *testing.T, tenant string) {
				for _, suffix := range []string{"", "-wal", "-shm"} {
					if err := os.Remove(filepath.Join(folder, tenant+".db"+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Fatal(err)
					}
				}
			}, plain})
		})
	}
}

func escaped(name string) string {
	var b strings.Builder
	for i := range len(name) {
		fmt.Fprintf(&b, "%%%02X", name[i])
	}
	return b.String()
}

// P7: a service whose tenants have SQL databases of their own needs nothing but its file.
func TestTenantsWithDatabasesOfTheirOwn(t *testing.T) {
	onEachEstate(t, func(t *testing.T, e *estate) {
		cfg, err := config.Parse(strings.NewReader(fmt.Sprintf("[cache]\nclass = \"sql\"\n[cache.sql]\ndialect = %q\ndriver = %q\ndsn = %q\n", e.dialect, e.driver, e.dsn)), "cache.toml")
		if err != nil {
			t.Fatal(err)
		}
		open := func() *txcache.Store {
			store, err := txcache.OpenConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
			return store
		}
		store, other := open(), open()
		price := txcache.Must(txcache.NewCache[int, string](store, "price", &txcache.CacheOptions{ContextFree: true}))
		dbs := map[string]*sql.DB{}
		for _, tenant := range e.names {
			e.create(t, tenant)
			db, err := sql.Open(e.driver, e.of(tenant))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			dbs[tenant] = db
		}
		read := func(tenant string) (value string, loaded bool) {
			t.Helper()
			err := sqltx.View(t.Context(), store, tenant, dbs[tenant], &sql.TxOptions{Isolation: e.exact()}, func(tx *sqltx.Tx) (err error) {
				value, err = price.Load(t.Context(), tx.Cache, 1, func(context.Context) (string, error) {
					loaded = true
					return "of " + tenant, nil
				})
				return err
			})
			if err != nil {
				t.Errorf("%s: %v", tenant, err)
			}
			return value, loaded
		}
		expect := func(loads map[string]bool) {
			t.Helper()
			for _, tenant := range e.names {
				if value, loaded := read(tenant); value != "of "+tenant || loaded != loads[tenant] {
					t.Errorf("%s: the value is %q, loaded: %v", tenant, value, loaded)
				}
			}
		}
		all := map[string]bool{}
		for _, tenant := range e.names {
			all[tenant] = true
		}
		expect(all)
		expect(nil)
		first := e.names[0]
		ctx, text := t.Context(), price.KeyText
		for what, clear := range map[string]func() error{
			"by the service": func() error {
				return sqltx.Update(ctx, store, first, dbs[first], nil, func(tx *sqltx.Tx) error { return price.Clear(tx.Cache) })
			},
			"by an operator":   func() error { return other.Clear(ctx, first, "price") },
			"its key":          func() error { return other.Delete(ctx, first, "price", text(1)) },
			"another key":      func() error { return other.Delete(ctx, first, "price", text(2)) },
			"all is dropped":   func() error { return other.Drop(ctx, first) },
			"all is cleared":   func() error { return other.ClearAll(ctx, first) },
			"another tenant's": func() error { return other.Clear(ctx, e.names[1], "price") },
		} {
			if err := clear(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			switch what {
			case "another key":
				expect(nil)
			case "another tenant's":
				expect(map[string]bool{e.names[1]: true})
			default:
				expect(map[string]bool{first: true})
			}
		}
		for _, tenant := range e.names { // each table has the rows of its tenant, and no others
			var tenants int
			column := "database"
			if e.dialect == "mysql" {
				column = "`database`"
			}
			if err := dbs[tenant].QueryRowContext(t.Context(), "SELECT count(DISTINCT "+column+") FROM txcache_clear").Scan(&tenants); err != nil || tenants != 1 {
				t.Errorf("%s: the table has rows of %d databases, %v", tenant, tenants, err)
			}
		}
		e.missing(t, store)
		expect(nil)
	})
}

// exact is a level with one snapshot.
func (e *estate) exact() sql.IsolationLevel {
	if e.dialect == "postgres" {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// missing looks what becomes of a tenant whose database is not there, and is created later.
func (e *estate) missing(t *testing.T, store *txcache.Store) {
	t.Helper()
	const tenant = "not-yet"
	c := txcache.Must(txcache.NewCache[int, int](store, "c", &txcache.CacheOptions{ContextFree: true}))
	for range 3 {
		for what, err := range map[string]error{"Sync": store.Sync(t.Context(), tenant), "Clear": store.Clear(t.Context(), tenant, "c"), "Drop": store.Drop(t.Context(), tenant)} {
			if !errors.Is(err, txcache.ErrUnavailable) || !strings.Contains(err.Error(), tenant) {
				t.Errorf("%s: %v, want an error that names the database", what, err)
			}
		}
		err := store.View(t.Context(), tenant, func(tx *txcache.Tx) error { // it has no state, and shares nothing
			c.Set(tx, 1, 1)
			return nil
		})
		if err != nil {
			t.Errorf("View: %v", err)
		}
	}
	t.Log(store.Sync(t.Context(), tenant))
	e.create(t, tenant)
	if err := store.Sync(t.Context(), tenant); err != nil {
		t.Errorf("it is there now: %v", err)
	}
	err := store.View(t.Context(), tenant, func(tx *txcache.Tx) error {
		if _, ok := c.Get(t.Context(), tx, 1); ok {
			t.Error("a value is cached that was set when there was no database")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// An SQL database that is dropped, and later created anew, is the one that a tenant has then: no connection of before
// is used for it, and a clear by an operator is one of the new database.
func TestDatabaseThatIsCreatedAnew(t *testing.T) {
	onEachEstate(t, func(t *testing.T, e *estate) {
		for _, restored := range []bool{false, true} { // with the table, as from a dump
			t.Run(fmt.Sprintf("restored=%v", restored), func(t *testing.T) { e.createdAnew(t, fmt.Sprintf("again-%v", restored), restored) })
		}
	})
}

func (e *estate) createdAnew(t *testing.T, tenant string, restored bool) {
	cfg := config.Default()
	cfg.Class = config.ClassSQL
	cfg.SQL.Dialect, cfg.SQL.Driver, cfg.SQL.DSN = e.dialect, e.driver, e.dsn
	store, err := txcache.OpenConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := txcache.Must(txcache.NewCache[int, int](store, "c", &txcache.CacheOptions{ContextFree: true}))
	open := func() *sql.DB {
		db, err := sql.Open(e.driver, e.of(tenant))
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	// load reports whether nothing was cached.
	load := func(db *sql.DB) (loaded bool, err error) {
		err = sqltx.View(t.Context(), store, tenant, db, &sql.TxOptions{Isolation: e.exact()}, func(tx *sqltx.Tx) error {
			_, err := c.Load(t.Context(), tx.Cache, 1, func(context.Context) (int, error) {
				loaded = true
				return 1, nil
			})
			return err
		})
		return loaded, err
	}
	e.create(t, tenant)
	db := open()
	if _, err := load(db); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e.drop(t, tenant)
	if err := store.Clear(t.Context(), tenant, "c"); err == nil {
		t.Error("a clear of a database that is not there was done")
	}
	e.create(t, tenant)
	db = open()
	defer db.Close()
	if restored {
		dialect := map[string]sqlbackend.Dialect{"postgres": sqlbackend.Postgres, "mysql": sqlbackend.MySQL, "sqlite": sqlbackend.SQLite}[e.dialect]
		for statement := range strings.SplitSeq(sqlbackend.DDL(dialect, ""), ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	for try := 1; ; try++ { // the first finds that the table is missing
		if _, err := load(db); err == nil {
			break
		} else if try == 3 {
			t.Fatal("try 3: ", err)
		}
	}
	if err := store.Clear(t.Context(), tenant, "c"); err != nil { // it may be the epoch that the first begin found missing
		t.Fatal(err)
	}
	if _, err := load(db); err != nil {
		t.Fatal(err)
	}
	if loaded, err := load(db); loaded || err != nil {
		t.Errorf("not cached: %v, %v", loaded, err)
	}
	if err := store.Clear(t.Context(), tenant, "c"); err != nil {
		t.Fatal(err)
	}
	if loaded, err := load(db); !loaded || err != nil {
		t.Errorf("cached after a clear: %v, %v", !loaded, err)
	}
}
