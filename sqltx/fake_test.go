package sqltx_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A stage is a fake SQL database and a backend that write down, in one list,
// what they are asked. Its hooks are set before the call that they concern.
type stage struct {
	db    *sql.DB
	store *txcache.Store

	onBegin, onCommit, onRollback, onFence func() error // nil: succeed

	on map[string]func() error // by statement, likewise

	fenced func() // called when a fence stands; nil: nothing

	prints bool // the statements, for examples

	begun context.Context // that of the last begin, which drivers keep

	mu       sync.Mutex
	steps    []string
	cleared  map[string]int // how often, by the transactions that have committed
	recorded []string       // by the one that is open
}

func newStage(t testing.TB) *stage {
	t.Helper()
	return newStageOver(t, func(b backend.Backend, s *stage) backend.Backend { return recorder{b, s} })
}

// newStageOver returns a stage whose backend is what over makes of a usual one.
func newStageOver(t testing.TB, over func(backend.Backend, *stage) backend.Backend) *stage {
	t.Helper()
	s := &stage{}
	s.openOver(over)
	t.Cleanup(func() {
		if err := s.db.Close(); err != nil {
			t.Error(err)
		}
		if err := s.store.Close(); err != nil && !errors.Is(err, txcache.ErrInDoubt) {
			t.Error(err)
		}
	})
	return s
}

func (s *stage) open() (*txcache.Store, *sql.DB) {
	return s.openOver(func(b backend.Backend, s *stage) backend.Backend { return recorder{b, s} })
}

func (s *stage) openOver(over func(backend.Backend, *stage) backend.Backend) (*txcache.Store, *sql.DB) {
	s.db = sql.OpenDB(connector{s})
	s.store = txcache.Must(txcache.New(over(memorybackend.New(), s), &txcache.Options{NotCommitted: func(err error) bool { return errors.Is(err, errRefused) }}))
	return s.store, s.db
}

func (s *stage) do(step string, hook func() error) error {
	s.mu.Lock()
	s.steps = append(s.steps, step)
	s.mu.Unlock()
	if hook != nil {
		return hook()
	}
	return nil
}

// taken returns the steps since it was last called.
func (s *stage) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps := s.steps
	s.steps = nil
	return steps
}

// expect fails the test unless these are the steps since the last call.
func (s *stage) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := s.taken(); !slices.Equal(got, want) {
		t.Errorf("steps are\n\t%q, want\n\t%q", got, want)
	}
}

type recorder struct {
	backend.Backend
	stage *stage
}

func (r recorder) Sync(ctx context.Context, database string) (*backend.State, error) {
	r.stage.do("Sync", nil)
	return r.Backend.Sync(ctx, database)
}

func (r recorder) Fence(ctx context.Context, database string, f backend.Fence) error {
	if err := r.stage.do("Fence", r.stage.onFence); err != nil {
		return err
	}
	err := r.Backend.Fence(ctx, database, f)
	if r.stage.fenced != nil {
		r.stage.fenced()
	}
	return err
}

func (r recorder) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	r.stage.do("Clear", nil)
	return r.Backend.Clear(ctx, database, f)
}

type connector struct{ stage *stage }

func (c connector) Connect(context.Context) (driver.Conn, error) { return conn(c), nil }
func (c connector) Driver() driver.Driver                        { return nil }

type conn struct{ stage *stage }

func (c conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.stage.begun = ctx
	step := "BEGIN"
	if opts.ReadOnly {
		step = "BEGIN READ ONLY"
	}
	if level := sql.IsolationLevel(opts.Isolation); level != sql.LevelDefault {
		step += " " + strings.ToUpper(level.String())
	}
	return tx(c), c.sql(step, c.stage.onBegin)
}

// sql is do for a statement.
func (c conn) sql(statement string, hook func() error) error {
	if c.stage.prints {
		fmt.Println(statement)
	}
	if hook == nil {
		hook = c.stage.on[statement]
	}
	return c.stage.do(statement, hook)
}

func (c conn) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	if query == "break the connection" {
		c.stage.onCommit = func() error { return driver.ErrBadConn }
	}
	return driver.RowsAffected(1), c.sql(query, nil)
}

func (c conn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	return &rows{}, c.sql(query, nil)
}

func (c conn) Begin() (driver.Tx, error) { return nil, errors.ErrUnsupported }
func (c conn) Close() error              { return nil }

func (c conn) Prepare(query string) (driver.Stmt, error) {
	return stmt{c, query}, c.sql("PREPARE "+query, nil)
}

type stmt struct {
	conn
	query string
}

func (s stmt) NumInput() int { return -1 }

func (s stmt) Exec([]driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), s.query, nil)
}

func (s stmt) Query([]driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), s.query, nil)
}

// These two let database/sql keep the connection after a rollback.
func (c conn) ResetSession(context.Context) error { return nil }
func (c conn) IsValid() bool                      { return true }

type tx struct{ stage *stage }

func (x tx) Commit() error {
	if err := conn(x).sql("COMMIT", x.stage.onCommit); err != nil {
		return err
	}
	x.stage.mu.Lock()
	defer x.stage.mu.Unlock()
	for _, cache := range x.stage.recorded {
		x.stage.cleared[cache]++
	}
	x.stage.recorded = nil
	return nil
}

func (x tx) Rollback() error {
	x.stage.mu.Lock()
	x.stage.recorded = nil
	x.stage.mu.Unlock()
	return conn(x).sql("ROLLBACK", x.stage.onRollback)
}

// rows are one row with the number 12.
type rows struct{ read bool }

func (r *rows) Columns() []string { return []string{"price"} }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read, dest[0] = true, 12.0
	return nil
}
