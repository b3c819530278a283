package sqlbackend_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

func TestDialectsHaveNames(t *testing.T) {
	for want, d := range map[string]sqlbackend.Dialect{"postgres": sqlbackend.Postgres, "mysql": sqlbackend.MySQL, "sqlite": sqlbackend.SQLite} {
		var got sqlbackend.Dialect
		if err := got.UnmarshalText([]byte(want)); err != nil || got != d || d.String() != want {
			t.Errorf("%q is %s, %v", want, got, err)
		}
		if text, err := d.MarshalText(); string(text) != want || err != nil {
			t.Errorf("%s is written %q, %v", d, text, err)
		}
	}
	var d sqlbackend.Dialect
	for _, text := range []string{"", "Postgres", "oracle", "Dialect(1)"} {
		if err := d.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), `"mysql"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := sqlbackend.Dialect(0).MarshalText(); err == nil {
		t.Error("no dialect is written")
	}
}

func TestNamesOfTables(t *testing.T) {
	none := func(string) (*sql.DB, error) { return nil, errors.New("none") }
	for table, good := range map[string]bool{
		"": true, "txcache_clear": true, "cache.clears": true, "A1_": true, strings.Repeat("a", 54): true,
		"1a": false, "a.b.c": false, ".a": false, "a.": false, "a b": false, `a"b`: false, "a`b": false, "a;b": false, "é": false, "a-b": false, strings.Repeat("a", 55): false,
	} {
		b, err := sqlbackend.New(none, sqlbackend.Postgres, &sqlbackend.Options{Table: table})
		if (err == nil) != good {
			t.Errorf("%q: %v", table, err)
		}
		if err == nil {
			b.Close()
		}
	}
	if _, err := sqlbackend.New(nil, sqlbackend.Postgres, nil); err == nil {
		t.Error("New takes no function")
	}
	if _, err := sqlbackend.New(none, 0, nil); err == nil {
		t.Error("New takes no dialect")
	}
}

func ExampleDDL() {
	fmt.Print(sqlbackend.DDL(sqlbackend.SQLite, "cache.clears"))
	// Output:
	// -- The clears of txcache, for SQLite.
	// CREATE TABLE IF NOT EXISTS "cache"."clears" (
	//   id       INTEGER PRIMARY KEY,
	//   database TEXT    NOT NULL,
	//   token    INTEGER NOT NULL,
	//   n        INTEGER NOT NULL,
	//   clears   TEXT    NOT NULL
	// );
	// CREATE INDEX IF NOT EXISTS "cache"."clears_database" ON "clears" (database);
}

func TestConnectionsThatCannotBeOpened(t *testing.T) {
	b, err := sqlbackend.New(func(database string) (*sql.DB, error) { return nil, errors.New("no such tenant") }, sqlbackend.SQLite, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sync(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), `"shop": no such tenant`) {
		t.Errorf("Sync returned %v", err)
	}
	if _, err := b.Sync(t.Context(), ""); err == nil {
		t.Error("Sync takes a database without a name")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.State(t.Context(), nil, "shop"); !errors.Is(err, backend.ErrClosed) {
		t.Errorf("after Close State returned %v", err)
	}
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	for _, w := range []struct {
		sql  config.SQL
		want string
	}{
		{config.SQL{}, "cache.sql.dialect: is missing"},
		{config.SQL{Dialect: "oracle", DSN: "x"}, "cache.sql.dialect: is missing or unknown"},
		{config.SQL{Dialect: "postgres"}, "cache.sql.dsn: is missing"},
		{config.SQL{Dialect: "postgres", DSN: "x"}, `import _ "github.com/jackc/pgx/v5/stdlib"`},
		{config.SQL{Dialect: "mysql", DSN: "x"}, `import _ "github.com/go-sql-driver/mysql"`},
		{config.SQL{Dialect: "sqlite", DSN: "x"}, `import _ "modernc.org/sqlite"`},
		{config.SQL{Dialect: "sqlite", DSN: "x", Driver: "sqlite3"}, `import _ "github.com/mattn/go-sqlite3"`},
		{config.SQL{Dialect: "sqlite", DSN: "x", Driver: "own"}, `no driver "own" is registered`},
	} {
		cfg := config.Default()
		cfg.SQL = w.sql
		if _, err := sqlbackend.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), w.want) || !strings.HasPrefix(err.Error(), "txcache: ") {
			t.Errorf("%s: %v, want %s", w.sql, err, w.want)
		}
	}
}
