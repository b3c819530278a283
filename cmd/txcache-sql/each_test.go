package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
)

// Where each database has an SQL database of its own, a command works on the one that it is given, and
// no other; those that are about all of them must be given one.
func TestDatabasesOfTheirOwn(t *testing.T) {
	each := func(name string, e *engine, create func(tenant string), missing string) {
		t.Run(name, func(t *testing.T) {
			e.configure(t)
			for _, tenant := range []string{"shop", "acme"} {
				create(tenant)
			}
			serve(t).fillOne(t, "shop")
			serve(t).fillOne(t, "acme")
			expect(t, 2, "name one: txcache-sql databases DATABASE", "databases", "databases --json")
			expect(t, 2, "name one: txcache-sql check DATABASE", "check")
			if out, _, _ := run(t, "", "check"); !strings.Contains(out, "cache.sql.dsn") || strings.Contains(out, "{database}") {
				t.Errorf("check without a database prints\n%s", out)
			}
			if out := must(t, "databases", "shop"); !strings.Contains(out, "shop") || strings.Contains(out, "acme") {
				t.Errorf("databases prints\n%s", out)
			}
			if out := must(t, "check", "shop"); !strings.Contains(out, "databases in it: 1") {
				t.Errorf("check prints\n%s", out)
			}
			before := must(t, "caches", "acme")
			for _, line := range []string{"caches shop", "clear shop users", "delete shop users 42", "clear-tags shop a", "drop shop --yes"} {
				must(t, strings.Fields(line)...)
			}
			if after := must(t, "caches", "acme"); after != before {
				t.Errorf("the other database was\n%s\nand is\n%s", before, after)
			}
			expect(t, 1, "known in shop", "clear shop uesrs")
			for _, line := range []string{"check nowhere", "databases nowhere", "caches nowhere", "clear nowhere users", "drop nowhere --yes"} {
				expect(t, 1, missing, line)
			}
			expect(t, 1, "its name", "databases ../shop", "clear a/b users")
			for _, line := range []string{"__complete clear ", "__complete clear shop "} {
				if out, _, code := run(t, "", strings.Split(line, " ")...); code != 0 || line == "__complete clear " && strings.Contains(out, "shop") {
					t.Errorf("%s: exit code %d, prints\n%s", line, code, out)
				}
			}
			t.Setenv("TXCACHE_DSN", e.dsn)
			must(t, "databases", "acme", "--dialect", e.dialect)
			expect(t, 2, "name one", "databases --dialect "+e.dialect)
		})
	}
	postgres := postgrestest.Start(t)
	each("postgres", &engine{"postgres", "pgx", postgres.URI("erp_{database}")}, func(tenant string) {
		(&engine{"postgres", "pgx", postgres.URI("postgres")}).exec(t, "CREATE DATABASE erp_"+tenant)
	}, "no database of that name")
	maria := mariadbtest.Start(t)
	each("mysql", &engine{"mysql", "mysql", maria.DSN("{database}")}, func(tenant string) {
		(&engine{"mysql", "mysql", maria.DSN("test")}).exec(t, "CREATE DATABASE "+tenant)
	}, "no database of that name")
	folder := t.TempDir()
	each("sqlite", &engine{"sqlite", "sqlite", "file:" + folder + "/{database}.db?_pragma=busy_timeout(10000)"}, func(tenant string) {
		if err := os.WriteFile(filepath.Join(folder, tenant+".db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}, "no file where the dsn says")
	// One database for all: there is no question which.
	sqlite(t).configure(t)
	expect(t, 2, "only where each has an SQL database of its own", "check shop", "databases shop")
}

// fillOne leaves clears in one database.
func (s *service) fillOne(t *testing.T, database string) {
	t.Helper()
	if err := s.Clear(t.Context(), database, "users"); err != nil {
		t.Fatal(err)
	}
}
