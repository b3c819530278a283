package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

// imports are the packages that register the drivers that are known, by the name under which they
// do. The first of a dialect is its default.
var imports = map[Dialect][][2]string{
	Postgres: {{"pgx", "github.com/jackc/pgx/v5/stdlib"}, {"postgres", "github.com/lib/pq"}},
	MySQL:    {{"mysql", "github.com/go-sql-driver/mysql"}},
	SQLite:   {{"sqlite", "modernc.org/sqlite"}, {"sqlite3", "github.com/mattn/go-sqlite3"}},
}

// Open returns a Backend with connections of its own, as [cache.sql] of cfg says. All
// databases (tenants) are in the one that the DSN leads to; or each has an SQL database of its own, if the name of the
// database in the DSN has {database} in it, which stands for the name of the tenant.
//
// The program must import the driver. The database need not be up: what is asked of the Backend fails until it is.
// No error shows the DSN, or a part of it that may be secret.
func Open(ctx context.Context, cfg *config.Config) (*Backend, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var dialect Dialect
	if err := dialect.UnmarshalText([]byte(cfg.SQL.Dialect)); err != nil {
		return nil, fmt.Errorf("txcache: cache.sql.dialect: %w", err)
	}
	each, err := newTemplate(dialect, cfg.SQL.DSN)
	if err != nil {
		return nil, fmt.Errorf("txcache: cache.sql.dsn: %w", err)
	}
	dsn := cfg.SQL.DSN
	if each != nil {
		if dsn, err = each.of("a"); err != nil {
			return nil, fmt.Errorf("txcache: cache.sql.dsn: %w", err)
		}
	}
	db, err := connect(dialect, cfg.SQL.Driver, dsn) // with each it shows whether the driver can read such a DSN
	if err != nil {
		return nil, fmt.Errorf("txcache: cache.sql.%w", err)
	}
	b, err := New(func(string) (*sql.DB, error) { return db, nil }, dialect, &Options{Table: cfg.SQL.Table})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("txcache: cache.sql.table: %w", cause.Of(err)), db.Close())
	}
	b.owned = db
	if each != nil {
		b.each = newConnections(func(tenant string) (*connection, error) {
			dsn, err := each.of(tenant)
			if err != nil {
				return nil, err
			}
			isCurrent, err := existing(dialect, dsn)
			if err != nil {
				return nil, err
			}
			db, err := connect(dialect, cfg.SQL.Driver, dsn)
			if err != nil {
				return nil, err
			}
			return &connection{db: db, isCurrent: isCurrent}, nil
		}, b.forget)
		b.owned = b.each
		return b, db.Close()
	}
	return b, nil
}

// connect returns connections, or an error that begins with the key of the configuration that is wrong.
func connect(dialect Dialect, name, dsn string) (*sql.DB, error) {
	if dsn == "" {
		return nil, errors.New(`dsn: is missing; expected the address of the database, as the driver takes it`)
	}
	known := imports[dialect]
	if name == "" {
		name = known[0][0]
	}
	if !slices.Contains(sql.Drivers(), name) {
		advice := "the program must import the package that registers it"
		for _, d := range known {
			if d[0] == name {
				advice = fmt.Sprintf("the program must import it: import _ %q", d[1])
			}
		}
		return nil, fmt.Errorf("driver: no driver %q is registered with database/sql; %s", name, advice)
	}
	db, err := sql.Open(name, dsn)
	if err != nil {
		return nil, fmt.Errorf("dsn: the driver %q cannot read it; its message is left out, as it may show the dsn", name)
	}
	if hidden, ok := db.Driver().(driver.DriverContext); ok {
		c, err := hidden.OpenConnector(dsn)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("dsn: the driver %q cannot read it; its message is left out, as it may show the dsn", name), db.Close())
		}
		if err := db.Close(); err != nil {
			return nil, fmt.Errorf("driver: %q: %w", name, hide(err, dsn))
		}
		return sql.OpenDB(&connector{c, dsn}), nil
	}
	d := db.Driver()
	if err := db.Close(); err != nil {
		return nil, fmt.Errorf("driver: %q: %w", name, hide(err, dsn))
	}
	return sql.OpenDB(&connector{plain{dsn, d}, dsn}), nil
}

// plain is the connector of a driver that has none.
type plain struct {
	dsn    string
	driver driver.Driver
}

func (p plain) Connect(context.Context) (driver.Conn, error) { return p.driver.Open(p.dsn) }
func (p plain) Driver() driver.Driver                        { return p.driver }

// A connector hides the dsn in the errors of another one.
type connector struct {
	driver.Connector
	dsn string
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return conn, hide(err, c.dsn)
}

// hide returns err, or another error in its place if its text shows the dsn, or a password in it.
func hide(err error, dsn string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, secret := range secrets(dsn) {
		if strings.Contains(text, secret) {
			return errors.New("connecting failed; the driver's message is left out, as it shows a part of the dsn that may be secret")
		}
	}
	return err
}

// secrets returns the texts that no error may have: the dsn, and what may be a password in it, in the
// forms of URLs, of key=value, and of MySQL.
func secrets(dsn string) (all []string) {
	quoted := strconv.Quote(dsn)
	found := []string{dsn, quoted[1 : len(quoted)-1]}
	address := dsn
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	ends := []int{len(address), strings.LastIndexByte(address, '/'), strings.IndexAny(address, "/?#")} // of what has the password
	for _, end := range ends {
		if at := strings.LastIndexByte(address[:max(end, 0)], '@'); at >= 0 {
			if _, password, ok := strings.Cut(address[:at], ":"); ok {
				found = append(found, password)
			}
		}
	}
	for part := range strings.FieldsFuncSeq(dsn, func(r rune) bool { return strings.ContainsRune(" ?&;", r) }) {
		if key, value, ok := strings.Cut(part, "="); ok && strings.Contains(strings.ToLower(key), "pass") {
			found = append(found, strings.Trim(value, "'"))
		}
	}
	for _, secret := range found {
		if plain, err := url.PathUnescape(secret); err == nil && plain != secret {
			found = append(found, plain)
		}
	}
	for _, secret := range found {
		if secret != "" {
			all = append(all, secret)
		}
	}
	return all
}
