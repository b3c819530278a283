package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

var (
	//go:embed schema.sql
	schema string
	//go:embed seed.sql
	seed string
)

// tenants are the databases of the shops by name. A shop's name is its host's
// first part, its database's name in the cache, and that of its file or schema.
type tenants map[string]*sql.DB

// database returns the connections to the database of a tenant, as package
// sqlbackend asks for them.
func (ts tenants) database(name string) (*sql.DB, error) {
	if db := ts[name]; db != nil {
		return db, nil
	}
	return nil, fmt.Errorf("shop: no tenant %q", name)
}

// tenantName is what a name may be: a part of a host name.
var tenantName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$`)

// openTenants opens the database of each name.
func openTenants(ctx context.Context, o options) (tenants, error) {
	ts := tenants{}
	for _, name := range o.tenants {
		if !tenantName.MatchString(name) || ts[name] != nil {
			return nil, errors.Join(fmt.Errorf("shop: %q is no name for a tenant, or is there twice: use lower-case letters, digits and hyphens", name), ts.close())
		}
		open := openSQLite
		if o.postgres != "" {
			open = openPostgres
		}
		db, err := open(ctx, name, o)
		if err != nil {
			return nil, errors.Join(err, ts.close())
		}
		ts[name] = db
	}
	return ts, nil
}

// openSQLite opens a file.
func openSQLite(_ context.Context, name string, o options) (*sql.DB, error) {
	path, err := filepath.Abs(filepath.Join(o.data, name+".db"))
	if err == nil {
		err = os.MkdirAll(o.data, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("shop: %w", err)
	}
	file := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{
		"_txlock": {"immediate"}, // a read-write transaction waits for others when it begins, not in its middle
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(ON)"},
	}.Encode()}
	return sql.Open("sqlite", file.String())
}

// lockSchema keeps other servers from setting a schema up at the same time.
const lockSchema = "SELECT pg_advisory_xact_lock(hashtext('shop'));"

// openPostgres opens a schema.
func openPostgres(ctx context.Context, name string, o options) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(o.postgres)
	if err != nil {
		return nil, fmt.Errorf("shop: -postgres: %w", err) // pgx leaves the password out
	}
	schema := pgx.Identifier{name}.Sanitize()
	cfg.RuntimeParams["search_path"] = schema
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10) // no less: opening a connection takes longer than a query
	if _, err := db.ExecContext(ctx, lockSchema+"CREATE SCHEMA IF NOT EXISTS "+schema); err != nil {
		return nil, errors.Join(fmt.Errorf("shop: schema %s: %w", schema, err), db.Close())
	}
	return db, nil
}

// setUp gives new databases their tables and something to sell.
func (ts tenants) setUp(ctx context.Context, store *txcache.Store, o options) error {
	lock := "" // of SQLite the transaction has one
	if o.postgres != "" {
		lock = lockSchema
	}
	for name, db := range ts {
		err := sqltx.Update(ctx, store, name, db, nil, func(tx *sqltx.Tx) error {
			if _, err := tx.ExecContext(ctx, lock+schema); err != nil {
				return err
			}
			var products int
			if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM product").Scan(&products); err != nil || products > 0 {
				return err
			}
			if _, err := tx.ExecContext(ctx, seed); err != nil {
				return err
			}
			slog.Info("new tenant", "tenant", name)
			return tx.Cache.ClearAll() // the cache may have values of an earlier database of that name
		})
		if err != nil {
			return fmt.Errorf("shop: setting up %q: %w", name, err)
		}
	}
	return nil
}

func (ts tenants) close() error {
	var errs []error
	for _, db := range ts {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}
