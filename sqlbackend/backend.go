package sqlbackend

import (
	"container/list"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/limits"
	"github.com/seed-dad15c92/txcache/internal/querier"
	"github.com/seed-dad15c92/txcache/internal/quiet"
)

// Options change what a Backend does. The zero Options, and nil, are good.
type Options struct {
	// Table is the name of the table, which may have that of a schema in front, as
	// in "cache.clears". Names are made of ASCII letters, digits and underscores, and are
	// quoted. Default DefaultTable.
	Table string

	// Logger is told of rows that cannot be read, and of what fails in the background.
	// Default slog.Default().
	Logger *slog.Logger
}

// A Backend is a backend.Enlister. It is safe for concurrent use.
type Backend struct {
	open    func(string) (*sql.DB, error)
	dialect Dialect
	table   string
	ddl     string
	sql     *statements
	log     *quiet.Logger
	owned   io.Closer    // closed with the Backend
	each    *connections // one for each tenant, if the Backend opens them; nil: open does

	ctx     context.Context // of what is done in the background
	cancel  context.CancelFunc
	folding chan struct{} // holds an element while there is a fold

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	tenants map[string]*list.Element // by database
	used    *list.List               // of *tenant, the last used first
	pools   map[*sql.DB]*pool        // those that are prepared
}

var _ interface {
	backend.Isolated
	backend.Preparer
	backend.Defaulted
} = (*Backend)(nil)

// New returns a Backend. open returns the connections to the SQL database in which the
// table with the clears of a database (tenant) is, which must be the one with the data that
// is cached: one for all, or one for each. It is called now and then, should return at
// once, and may be called by several goroutines. The Backend does not close what open returns.
//
// The Backend creates the table when it first uses it, if it is not there.
func New(open func(database string) (*sql.DB, error), dialect Dialect, opts *Options) (*Backend, error) {
	if open == nil {
		return nil, errors.New("txcache: sql: New needs a function that returns connections")
	}
	o := Options{}
	if opts != nil {
		o = *opts
	}
	quoted, err := quoteTable(dialect, o.Table)
	if err != nil {
		return nil, err
	}
	ddl, err := ddlOf(dialect, o.Table)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	b := &Backend{
		open: open, dialect: dialect, table: quoted, ddl: ddl, sql: newStatements(dialect, quoted), log: quiet.New(o.Logger),
		folding: make(chan struct{}, 1), tenants: map[string]*list.Element{}, used: list.New(), pools: map[*sql.DB]*pool{},
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b, nil
}

// Dialect returns the dialect of the database.
func (b *Backend) Dialect() Dialect { return b.dialect }

// DefaultExact reports whether a transaction that asks for no isolation level has one
// snapshot, unless the database is set up otherwise: so it is with MySQL, MariaDB and SQLite.
func (b *Backend) DefaultExact() bool { return b.dialect != Postgres }

// usable returns the tenant, or why it cannot be used.
func (b *Backend) usable(ctx context.Context, database string) (*tenant, error) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return nil, backend.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := limits.CheckName("database", database); err != nil {
		return nil, err
	}
	return b.tenant(database), nil
}

// maxPools is how many pools are remembered to have the table.
const maxPools = 4096

// pool returns the connections to the table of a tenant, which is there. They stay open until the
// caller calls release.
func (b *Backend) pool(ctx context.Context, n *tenant) (p *pool, release func(), err error) {
	known := n.prepared()
	if known != nil && b.each == nil {
		return known, func() {}, nil
	}
	db, release, err := b.connections(n.name)
	if err != nil {
		return nil, nil, fmt.Errorf("txcache: sql: connections for database %q: %w", n.name, cause.Of(err))
	}
	if known != nil && known.db == db {
		return known, release, nil
	}
	b.mu.Lock()
	p = b.pools[db]
	b.mu.Unlock()
	if p == nil {
		if p, err = b.prepare(ctx, db); err != nil {
			release()
			if b.each != nil {
				err = fmt.Errorf("txcache: sql: connections for database %q: %w", n.name, cause.Of(err))
			}
			return nil, nil, err
		}
		b.mu.Lock()
		if len(b.pools) >= maxPools {
			clear(b.pools)
		}
		b.pools[db] = p
		b.mu.Unlock()
	}
	n.mu.Lock()
	n.pool = p
	n.mu.Unlock()
	return p, release, nil
}

// connections returns those to the SQL database of a tenant, which stay open until release is called.
func (b *Backend) connections(tenant string) (db *sql.DB, release func(), err error) {
	if b.each != nil {
		return b.each.of(tenant)
	}
	db, err = b.open(tenant)
	if err == nil && db == nil {
		err = errors.New("there are none")
	}
	return db, func() {}, err
}

// forget forgets that the table is there where connections lead that are closed.
func (b *Backend) forget(db *sql.DB) {
	b.mu.Lock()
	delete(b.pools, db)
	b.mu.Unlock()
}

// missing forgets that the table is there, if that is what an error says.
func (b *Backend) missing(n *tenant, err error) bool {
	if !isMissing(err) {
		return false
	}
	n.mu.Lock()
	p := n.pool
	n.pool = nil
	n.mu.Unlock()
	if p != nil {
		b.forget(p.db)
	}
	return true
}

// Record inserts the row of f into q.
func (b *Backend) Record(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
	n, err := b.usable(ctx, database)
	if err != nil {
		return nil, err
	}
	if _, err := q.Exec(ctx, b.sql.record, recordArgs(n, f)); err != nil {
		return nil, fmt.Errorf("txcache: sql: recording a clear of database %q: %w", database, cause.Of(err))
	}
	generations := make([]backend.Generation, len(f.Caches))
	for i, g := range f.Caches {
		generations[i] = backend.Generation{Cache: g.Cache, Token: f.ID} // which nobody sees, if from is private
		if s, ok := sumOf(from.Token(g.Cache)); ok {
			generations[i].Token = s.plus(sum{1, f.ID.Number()}).token()
		}
	}
	return generations, nil
}

func recordArgs(n *tenant, f backend.Fence) []any {
	return []any{n.column, int64(f.ID.Number()), int64(1), clearsOf(f)}
}

// Fence does nothing, as a clear is committed with the data.
func (b *Backend) Fence(ctx context.Context, database string, _ backend.Fence) error {
	_, err := b.usable(ctx, database)
	return err
}

// Unfence does nothing.
func (b *Backend) Unfence(ctx context.Context, database string, _ backend.Fence) error {
	_, err := b.usable(ctx, database)
	return err
}

// Clear records f in a transaction of its own, and returns what is committed then.
func (b *Backend) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	n, err := b.usable(ctx, database)
	if err != nil {
		return nil, err
	}
	p, release, err := b.pool(ctx, n)
	if err != nil {
		return nil, err
	}
	defer release()
	if _, err := p.db.ExecContext(ctx, b.sql.record, recordArgs(n, f)...); err != nil {
		b.missing(n, err)
		return nil, fmt.Errorf("txcache: sql: clearing in database %q: %w", database, cause.Of(err))
	}
	return b.Sync(ctx, database)
}

// Drop begins another epoch, and deletes all rows of the database.
func (b *Backend) Drop(ctx context.Context, database string) error {
	n, err := b.usable(ctx, database)
	if err != nil {
		return err
	}
	p, release, err := b.pool(ctx, n)
	if err != nil {
		return err
	}
	defer release()
	err = b.within(ctx, p, "", func(q querier.Handle) error {
		if _, err := q.ExecContext(ctx, b.sql.delete, n.column); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, b.sql.record, recordArgs(n, newEpoch())...)
		return err
	})
	if err != nil {
		b.missing(n, err)
		return fmt.Errorf("txcache: sql: dropping database %q: %w", database, cause.Of(err))
	}
	return nil
}

// Close ends what is done in the background.
func (b *Backend) Close() error {
	b.mu.Lock()
	done := b.closed
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.running.Wait()
	if !done && b.owned != nil {
		return b.owned.Close()
	}
	return nil
}
