package txpgx_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// A stage is a PostgreSQL database and a store that write down, in one list, what they
// are asked: statements that are sent at once are one step.
type stage struct {
	uri   string
	pool  *pgxpool.Pool
	store *txcache.Store
	price *txcache.Cache[int, int]

	onFence func() error // nil: succeed

	mu    sync.Mutex
	steps []string
}

// modes are the ways in which pgx sends statements.
var modes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
}

// newStage makes a database with ten products, whose price is 10.
func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{uri: server.NewDatabase(t)}
	s.pool = s.newPool(t, nil)
	s.store = s.newStore(t, nil)
	s.price = newCache(t, s.store)
	s.exec(t, "CREATE TABLE product (id int PRIMARY KEY, price int NOT NULL CHECK (price > 0))")
	s.exec(t, "INSERT INTO product SELECT g, 10 FROM generate_series(1, 10) g")
	s.taken()
	return s
}

func (s *stage) newPool(t testing.TB, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(s.uri)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.Tracer = tracer{s}
	if change != nil {
		change(cfg)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (s *stage) newStore(t testing.TB, opts *txcache.Options) *txcache.Store {
	t.Helper()
	return s.newStoreOver(t, recorder{memorybackend.New(), s}, opts)
}

func (s *stage) newStoreOver(t testing.TB, b backend.Backend, opts *txcache.Options) *txcache.Store {
	t.Helper()
	if opts == nil {
		opts = &txcache.Options{}
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	store := txcache.Must(txcache.New(b, opts))
	t.Cleanup(func() {
		if err := store.Close(); err != nil && !errors.Is(err, txcache.ErrInDoubt) {
			t.Error(err)
		}
	})
	return store
}

func newCache(t testing.TB, store *txcache.Store) *txcache.Cache[int, int] {
	t.Helper()
	return txcache.Must(txcache.NewCache[int, int](store, "price", &txcache.CacheOptions{ContextFree: true}))
}

// onModes runs f with a pool for each mode, in which the two statements of f have been
// prepared where the mode does so.
func (s *stage) onModes(t *testing.T, f func(t *testing.T)) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			before, store, price := s.pool, s.store, s.price
			defer func() { s.pool, s.store, s.price = before, store, price }()
			s.pool = s.newPool(t, func(cfg *pgxpool.Config) {
				cfg.ConnConfig.DefaultQueryExecMode = mode
				cfg.MaxConns = 1
			})
			if store.Enlister() != nil {
				s.useClears(t)
			} else {
				s.store = s.newStore(t, nil)
				s.price = newCache(t, s.store)
			}
			f(t)
		})
	}
}

func (s *stage) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// stored returns the price as the database has it.
func (s *stage) stored(t testing.TB, id int) (price int) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), selectPrice, id).Scan(&price); err != nil {
		t.Fatal(err)
	}
	return price
}

const (
	selectPrice = "SELECT price FROM product WHERE id = $1"
	updatePrice = "UPDATE product SET price = $1 WHERE id = $2"
)

// load returns the price from the cache or else from the database.
func (s *stage) load(ctx context.Context, tx *txpgx.Tx, id int) (int, error) {
	return s.price.Load(ctx, tx.Cache, id, func(ctx context.Context) (price int, err error) {
		err = tx.QueryRow(ctx, selectPrice, id).Scan(&price)
		return price, err
	})
}

// change sets the price in the database, and clears the cache.
func (s *stage) change(ctx context.Context, tx *txpgx.Tx, id, price int) error {
	if _, err := tx.Exec(ctx, updatePrice, price, id); err != nil {
		return err
	}
	return s.price.Clear(tx.Cache)
}

// changes does so in a transaction of its own.
func (s *stage) changes(ctx context.Context, id, price int) error {
	return txpgx.Update(ctx, s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		return s.change(ctx, tx, id, price)
	})
}

// cached returns what a transaction that begins now has in the cache, 0 for nothing.
func (s *stage) cached(t testing.TB, id int) (price int) {
	t.Helper()
	err := s.store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		price = s.price.GetOr(t.Context(), tx, id, 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return price
}

// fill makes the price a hit for those who begin now.
func (s *stage) fill(t testing.TB, id int) {
	t.Helper()
	err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		_, err := s.load(t.Context(), tx, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stage) begin(t testing.TB, opts pgx.TxOptions) *txpgx.Tx {
	t.Helper()
	tx, err := txpgx.Begin(t.Context(), s.store, "shop", s.pool, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback(context.Background()) })
	return tx
}

var readOnly = pgx.TxOptions{AccessMode: pgx.ReadOnly}

func (s *stage) do(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step)
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
func (s *stage) expect(t testing.TB, want ...string) {
	t.Helper()
	if got := s.taken(); !slices.Equal(got, want) {
		t.Errorf("steps are\n\t%q, want\n\t%q", got, want)
	}
}

// idle fails the test unless all connections of the pool are there and of use.
func (s *stage) idle(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); s.pool.Stat().AcquiredConns() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) { // connections that are of no use any more are closed in the background
			t.Fatalf("%d connections are still in use", s.pool.Stat().AcquiredConns())
		}
	}
}

type tracer struct{ stage *stage }

func (r tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.stage.do(data.SQL)
	return ctx
}

func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (r tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	var all []string
	for _, q := range data.Batch.QueuedQueries {
		all = append(all, q.SQL)
	}
	r.stage.do(strings.Join(all, " + "))
	return ctx
}

func (tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

type recorder struct {
	backend.Backend
	stage *stage
}

func (r recorder) Sync(ctx context.Context, database string) (*backend.State, error) {
	r.stage.do("Sync")
	return r.Backend.Sync(ctx, database)
}

func (r recorder) Fence(ctx context.Context, database string, f backend.Fence) error {
	r.stage.do("Fence")
	if r.stage.onFence != nil {
		if err := r.stage.onFence(); err != nil {
			return err
		}
	}
	return r.Backend.Fence(ctx, database, f)
}

func (r recorder) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	r.stage.do("Clear")
	return r.Backend.Clear(ctx, database, f)
}

func (r recorder) Unfence(ctx context.Context, database string, f backend.Fence) error {
	r.stage.do("Unfence")
	return r.Backend.Unfence(ctx, database, f)
}
