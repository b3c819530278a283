package sqlbackend

import (
	"container/list"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/limits"
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
	owned   *sql.DB // closed with the Backend

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

var _ backend.Pipelined = (*Backend)(nil)

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

// pool returns the connections to the table of a tenant, which is there.
func (b *Backend) pool(ctx context.Context, n *tenant) (*pool, error) {
	n.mu.Lock()
	p := n.pool
	n.mu.Unlock()
	if p != nil {
		return p, nil
	}
	db, err := b.open(n.name)
	if err == nil && db == nil {
		err = errors.New("there are none")
	}
	if err != nil {
		return nil, fmt.Errorf("txcache: sql: connections for database %q: %w", n.name, cause.Of(err))
	}
	b.mu.Lock()
	p = b.pools[db]
	b.mu.Unlock()
	if p == nil {
		if p, err = b.prepare(ctx, db); err != nil {
			return nil, err
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
	return p, nil
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
		b.mu.Lock()
		delete(b.pools, p.db)
		b.mu.Unlock()
	}
	return true
}

// Prepare makes sure that the table is there and that the database has an epoch, if that is not known yet. A caller
// that begins a transaction calls it first: within the transaction an error would
// abort it, and the first state would be private.
func (b *Backend) Prepare(ctx context.Context, database string) error {
	n, err := b.usable(ctx, database)
	if err != nil {
		return err
	}
	n.mu.Lock()
	ready := n.pool != nil && len(n.views) > 0
	n.mu.Unlock()
	if ready {
		return nil
	}
	_, err = b.Sync(ctx, database)
	return err
}

// Sync returns the state that is committed.
func (b *Backend) Sync(ctx context.Context, database string) (*backend.State, error) {
	n, err := b.usable(ctx, database)
	if err != nil {
		return nil, err
	}
	p, err := b.pool(ctx, n)
	if err != nil {
		return nil, err
	}
	v, _, err := b.read(ctx, querier{p.db}, n)
	if err != nil {
		return nil, b.stateError(n, err)
	}
	if v != nil && v.base.n == 0 {
		return b.beginEpoch(ctx, p, n)
	}
	return stateOf(v), nil
}

// beginEpoch begins an epoch, unless another goroutine or process has done so meanwhile, and
// returns the state that is committed then.
func (b *Backend) beginEpoch(ctx context.Context, p *pool, n *tenant) (*backend.State, error) {
	select {
	case n.beginning <- struct{}{}:
		defer func() { <-n.beginning }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	v, _, err := b.read(ctx, querier{p.db}, n)
	if err == nil && v != nil && v.base.n == 0 {
		if err := b.insertEpoch(ctx, p, n); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			b.warnEpoch(ctx, n, err)
			return private(), nil
		}
		v, _, err = b.read(ctx, querier{p.db}, n)
	}
	if err != nil {
		return nil, b.stateError(n, err)
	}
	return stateOf(v), nil
}

// stateOf returns the State of a view, which is nil if a row could not be read.
func stateOf(v *view) *backend.State {
	if v == nil || v.base.n == 0 {
		return private()
	}
	return v.state
}

// read returns the view of what q shows, and whether q has one snapshot. The view is nil
// if a row cannot be read.
func (b *Backend) read(ctx context.Context, q backend.Querier, n *tenant) (v *view, exact bool, err error) {
	sql, args, parse := b.stateSQL(ctx, n)
	return parse(func(row func(scan func(...any) error) error) error { return q.Query(ctx, sql, args, row) })
}

type rowsFunc func(row func(scan func(...any) error) error) error

func (b *Backend) stateSQL(ctx context.Context, n *tenant) (sql string, args []any, parse func(rowsFunc) (*view, bool, error)) {
	args, known := n.args()
	n.mu.Lock()
	p := n.pool
	n.mu.Unlock()
	sql = b.sql.state
	if p != nil {
		sql = p.state
	}
	return sql, args, func(rows rowsFunc) (*view, bool, error) {
		var all []*row
		var level string
		err := rows(func(scan func(...any) error) error {
			var token, n int64
			var clears string
			if err := scan(&token, &n, &clears, &level); err != nil {
				return err
			}
			all = append(all, newRow(token, n, clears, known))
			return nil
		})
		if err != nil {
			return nil, false, err
		}
		v, many, err := n.view(all)
		if many {
			b.foldLater(n)
		}
		if err != nil {
			b.warnBad(ctx, n, err)
			return nil, b.dialect.exact(level), nil
		}
		return v, b.dialect.exact(level), nil
	}
}

func (b *Backend) stateError(n *tenant, err error) error {
	advice := ""
	if b.missing(n, err) {
		advice = "; the Backend creates the table before a transaction begins that was prepared by Prepare"
	}
	return fmt.Errorf("txcache: sql: state of database %q: %w%s", n.name, cause.Of(err), advice)
}

// State returns the state that q shows.
func (b *Backend) State(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
	s, _, err := b.StateExact(ctx, q, database)
	return s, err
}

// patience is how long a transaction waits for what should have been prepared, which it may
// itself be in the way of.
const patience = 3 * time.Second

// StateExact is State, and reports whether q has one snapshot. On MySQL and MariaDB it tells the level
// of the session: a transaction whose own level was set by SET TRANSACTION, as
// database/sql does, does not show it. Where there are no rows it is false, and the state is private.
func (b *Backend) StateExact(ctx context.Context, q backend.Querier, database string) (*backend.State, bool, error) {
	n, err := b.usable(ctx, database)
	if err != nil {
		return nil, false, err
	}
	preparing, cancel := context.WithTimeout(ctx, patience)
	_, err = b.pool(preparing, n)
	cancel()
	if err != nil && preparing.Err() == nil {
		return nil, false, err
	}
	v, exact, err := b.read(ctx, q, n)
	if err != nil {
		return nil, false, b.stateError(n, err)
	}
	b.needsEpoch(n, v)
	return stateOf(v), exact, nil
}

// StateSQL returns the statement of StateExact, and what makes its result of the rows.
func (b *Backend) StateSQL(database string) (sql string, args []any, parse func(rows func(row func(scan func(...any) error) error) error) (*backend.State, bool, error)) {
	n, err := b.usable(b.ctx, database)
	if err != nil {
		closed := err
		if b.ctx.Err() != nil {
			closed = backend.ErrClosed
		}
		return b.sql.state, make([]any, leftOut+1), func(func(func(func(...any) error) error) error) (*backend.State, bool, error) {
			return nil, false, closed
		}
	}
	sql, args, view := b.stateSQL(b.ctx, n)
	return sql, args, func(rows func(func(func(...any) error) error) error) (*backend.State, bool, error) {
		v, exact, err := view(rows)
		if err != nil {
			return nil, false, b.stateError(n, err)
		}
		b.needsEpoch(n, v)
		return stateOf(v), exact, nil
	}
}

// Record inserts the row of f into q.
func (b *Backend) Record(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
	if _, err := b.usable(ctx, database); err != nil {
		return nil, err
	}
	sql, args, generations, err := b.RecordSQL(database, from, f)
	if err != nil {
		return nil, err
	}
	if _, err := q.Exec(ctx, sql, args); err != nil {
		return nil, fmt.Errorf("txcache: sql: recording a clear of database %q: %w", database, cause.Of(err))
	}
	return generations, nil
}

// RecordSQL returns the statement of Record, and what Record returns.
func (b *Backend) RecordSQL(database string, from *backend.State, f backend.Fence) (sql string, args []any, generations []backend.Generation, err error) {
	n, err := b.usable(context.Background(), database)
	if err != nil {
		return "", nil, nil, err
	}
	generations = make([]backend.Generation, len(f.Caches))
	for i, g := range f.Caches {
		generations[i] = backend.Generation{Cache: g.Cache, Token: f.ID} // which nobody sees, if from is private
		if s, ok := sumOf(from.Token(g.Cache)); ok {
			generations[i].Token = s.plus(sum{1, f.ID.Number()}).token()
		}
	}
	return b.sql.record, recordArgs(n, f), generations, nil
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
	p, err := b.pool(ctx, n)
	if err != nil {
		return nil, err
	}
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
	p, err := b.pool(ctx, n)
	if err != nil {
		return err
	}
	err = b.within(ctx, p, "", func(q handle) error {
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
