package command

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/spelling"
)

// environment is the variable that a DSN is taken from which is not given with --dsn.
const environment = "TXCACHE_DSN"

// connecting is how long a database may take to let the command in.
const connecting = 10 * time.Second

func isSQL(cfg *config.Config) bool {
	return cfg.Class == config.ClassSQL || cfg.Class == module+"sqlbackend"
}

// direct returns the configuration that --dialect, --dsn and --table describe.
func (p *program) direct() (*config.Config, error) {
	if p.dialect == "" {
		return nil, usage(`--dsn and --table go with --dialect, which is "postgres", "mysql" or "sqlite"`)
	}
	if p.given("config") {
		return nil, usage("either name a configuration file with --config, or give --dialect and a DSN")
	}
	cfg := config.Default()
	cfg.Class = config.ClassSQL
	cfg.SQL.Dialect, cfg.SQL.DSN, cfg.SQL.Table = p.dialect, cmp.Or(p.dsn, os.Getenv(environment)), p.table
	if cfg.SQL.DSN == "" {
		return nil, usage("there is no DSN; put it into the environment as %s, or give --dsn, which others on this machine can see in the list of processes", environment)
	}
	if err := cfg.Validate(); err != nil {
		return nil, usageError{err}
	}
	return cfg, nil
}

// errNoDrivers says which program to take instead of this one.
var errNoDrivers = usage(`class "sql" needs the drivers of SQL databases, which this program does not have; the same one with them is txcache-sql: ` +
	"git clone https://github.com/seed-dad15c92/txcache && go -C txcache/cmd/txcache-sql install .")

// checkDriver returns an error if this program lacks the driver.
func checkDriver(cfg *config.Config) error {
	have := sql.Drivers()
	if len(have) == 0 {
		return errNoDrivers
	}
	if name := cfg.SQL.Driver; name != "" && !slices.Contains(have, name) {
		return usage("cache.sql.driver is %q, and this program has the drivers %s only; give --dialect %s, and the DSN in the environment as %s",
			name, strings.Join(have, ", "), cfg.SQL.Dialect, environment)
	}
	return nil
}

// openSQL opens the backend of class sql, whose database answers.
func (p *program) openSQL(ctx context.Context, cfg *config.Config) (inspect.SQLInspector, *txcache.Options, error) {
	if err := checkDriver(cfg); err != nil {
		return nil, nil, err
	}
	if err := p.checkNamed(cfg); err != nil {
		return nil, nil, err
	}
	if err := checkFile(cfg); err != nil {
		return nil, nil, err
	}
	slog.SetDefault(p.logger()) // the backend takes it from there
	own := *cfg
	own.Sync = config.SyncBegin
	b, opts, err := txcache.FromConfig(ctx, &own)
	if err != nil {
		return nil, nil, usageError{err}
	}
	i, ok := inspect.SQLOf(b, p.database)
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("class %q is not one of SQL", cfg.Class), b.Close())
	}
	opts.Logger = p.logger()
	patient, cancel := context.WithTimeoutCause(ctx, connecting, fmt.Errorf("the database did not let the command in within %v", connecting))
	defer cancel()
	if err := i.Ping(patient); err != nil {
		if ctx.Err() == nil && patient.Err() != nil {
			err = unavailableError{context.Cause(patient)}
		}
		return nil, nil, errors.Join(sqlError(ctx, fmt.Errorf("connecting to the database: %w", err)), b.Close())
	}
	return i, opts, nil
}

// isEach reports whether each database has an SQL database of its own.
func isEach(cfg *config.Config) bool {
	return isSQL(cfg) && strings.Contains(cfg.SQL.DSN, inspect.SQLDatabase)
}

// checkNamed returns an error if a database has to be named and is not.
func (p *program) checkNamed(cfg *config.Config) error {
	if !isEach(cfg) || p.database != "" {
		return nil
	}
	return usage("the DSN has %s in it, so each database has an SQL database of its own, and the command cannot know which there are; name one: %s %s DATABASE",
		inspect.SQLDatabase, p.name, p.command)
}

// checkUnnamed returns an error if a database is named for a command that is about all of them.
func (p *program) checkUnnamed(cfg *config.Config) error {
	if isEach(cfg) || p.database == "" {
		return nil
	}
	return usage("%s takes the name of a database only where each has an SQL database of its own, and %s in the DSN of class sql stands for it", p.command, inspect.SQLDatabase)
}

// checkFile returns an error if the DSN names a file of SQLite that is not there: the
// driver would create it.
func checkFile(cfg *config.Config) error {
	if cfg.SQL.Dialect != "sqlite" {
		return nil
	}
	path, query, _ := strings.Cut(strings.TrimPrefix(cfg.SQL.DSN, "file:"), "?")
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.Contains(query, "mode=memory") || strings.Contains(query, "vfs=") {
		return usage("the DSN names no file of SQLite; what a process has in its memory cannot be seen from outside")
	}
	if isEach(cfg) { // the backend creates none
		return nil
	}
	if _, err := os.Stat(strings.TrimPrefix(path, "//")); errors.Is(err, fs.ErrNotExist) {
		return errors.New("the file of SQLite that the DSN names does not exist; see its path, which counts from the present folder unless it begins with /")
	}
	return nil
}

// inspectSQL calls f with the backend, which is closed then.
func (p *program) inspectSQL(ctx context.Context, cfg *config.Config, f func(inspect.SQLInspector) error) (err error) {
	b, _, err := p.openSQL(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return f(b)
}

// sqlError returns err, which the backend returned, so that the exit code says whether the
// database is unavailable.
func sqlError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case inspect.SQLUnavailable(err):
		return unavailableError{err}
	}
	return err
}

// instead says what there is in place of a command that has nothing to do with class sql.
var instead = map[string]string{
	"keys":  "a value of it is found by the sums of the transaction that asks only, within a process or in Redis; the service itself can tell, with Store.Status, Store.Databases and Store.Stats",
	"get":   "a value of it is found by the sums of the transaction that asks only, within a process or in Redis; the service itself can tell, with Store.Status, Store.Databases and Store.Stats",
	"sweep": "it keeps no values that could be removed, and services fold the rows of the table by themselves",
	"watch": "it announces nothing: a transaction reads the clears as it begins; caches shows the generations of a database, which change with each clear",
	"bench": "it adds to a transaction one small read, and one insert if it clears; check shows how long these take",
}

// A sqlKeeper is the keeper of class sql.
type sqlKeeper struct{ inspect.SQLInspector }

func (k sqlKeeper) databases(ctx context.Context) (names []string, err error) {
	databases, err := k.Clears(ctx)
	for _, d := range databases {
		names = append(names, d.Name)
	}
	return names, err
}

func (k sqlKeeper) caches(ctx context.Context, database string) ([]string, error) {
	d, err := k.ClearsOf(ctx, database)
	if err != nil {
		return nil, err
	}
	return cacheNames(d), nil
}

func cacheNames(d *inspect.Clears) (names []string) {
	for _, c := range d.Caches {
		names = append(names, c.Name)
	}
	return names
}

func (k sqlKeeper) checkKnown(ctx context.Context, database string, caches ...string) error {
	d, err := k.ClearsOf(ctx, database)
	if err != nil {
		return sqlError(ctx, err)
	}
	if isUnknown(d) {
		return k.unknown(ctx, database)
	}
	known := cacheNames(d)
	for _, cache := range caches {
		if !slices.Contains(known, cache) {
			return fmt.Errorf("no cache called %s is known in %s: it was never cleared by name, and no key of it was deleted%s",
				quoted(cache), quoted(database), didYouMean(spelling.Nearest(cache, known)))
		}
	}
	return nil
}

// isUnknown reports whether the table has no rows of a database.
func isUnknown(d *inspect.Clears) bool { return d.Recent+d.Packed+d.Bad == 0 }

func (k sqlKeeper) unknown(ctx context.Context, database string) error {
	names, err := k.databases(ctx)
	if err != nil {
		names = nil // the error that there is says enough
	}
	return fmt.Errorf("no database called %s is known: the table has no rows of it%s", quoted(database), didYouMean(spelling.Nearest(database, names)))
}

// failure takes from an error of the store that it says of every one that the backend is
// unavailable.
func (sqlKeeper) failure(ctx context.Context, err error) error {
	if of, ok := err.(interface{ Unwrap() []error }); ok && errors.Is(err, txcache.ErrUnavailable) {
		all := of.Unwrap()
		err = all[len(all)-1]
	}
	return sqlError(ctx, err)
}

func (sqlKeeper) removed() uint64 { return 0 }
