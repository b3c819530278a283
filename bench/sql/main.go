// Sql prints what class sql costs on PostgreSQL, as ratios of what was measured in turns.
//
//	go -C bench run ./sql -postgres 'postgres://user:password@localhost/test' -redis localhost:6379
//
// The database is written to: the tables bench_row, bench_counter and txcache_clear are made, and left.
// With -redis it also prints what a View of one hit costs that sends the database nothing, over classes memory
// and redis; the values of the database bench of class redis are dropped.
//
// What commits cost depends on how long the server's disk takes to sync: the first line says how many commits of one
// connection there are in a second.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/maypok86/otter/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/txpgx"
)

const (
	rows     = 40 // that a request reads
	writers  = 16
	database = "bench"
)

var exact = pgx.TxOptions{IsoLevel: pgx.RepeatableRead}

func main() {
	uri := flag.String("postgres", "", "a database that may be written to")
	rounds := flag.Int("rounds", 21, "how many turns each side has")
	turn := flag.Duration("turn", time.Second, "how long writers write in a turn")
	redis := flag.String("redis", "", "the address of a Redis that may be written to; none: no views are measured")
	flag.Parse()
	if err := run(context.Background(), *uri, *redis, *rounds, *turn); err != nil {
		log.Fatal(err)
	}
}

// A bench is a service: connections, a store of class sql, and a cache of the rows.
type bench struct {
	pool   *pgxpool.Pool
	db     *sql.DB // of the same pool
	store  *txcache.Store
	cache  *txcache.Cache[int, int64]
	rounds int
	turn   time.Duration
}

func run(ctx context.Context, uri, redis string, rounds int, turn time.Duration) error {
	cfg, err := pgxpool.ParseConfig(uri)
	if err != nil {
		return err
	}
	cfg.MaxConns = 2 * writers
	b := &bench{rounds: rounds, turn: turn}
	if b.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return err
	}
	defer b.pool.Close()
	for _, statement := range []string{
		"DROP TABLE IF EXISTS bench_row, bench_counter, " + sqlbackend.DefaultTable,
		"CREATE TABLE bench_row (id int PRIMARY KEY, v bigint NOT NULL) WITH (fillfactor = 50)",
		"CREATE TABLE bench_counter (n bigint NOT NULL) WITH (fillfactor = 10)",
		fmt.Sprintf("INSERT INTO bench_row SELECT id, 0 FROM generate_series(0, %d) id", max(rows, writers)),
		"INSERT INTO bench_counter VALUES (0)",
	} {
		if _, err := b.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	b.db = stdlib.OpenDBFromPool(b.pool)
	defer b.db.Close()
	if b.store, b.cache, err = b.service(); err != nil {
		return err
	}
	defer b.store.Close()
	if redis != "" {
		err = b.views(ctx, redis)
	}
	return errors.Join(err, b.syncs(ctx), b.begins(ctx), b.requests(ctx), b.commits(ctx), b.conflicts(ctx))
}

// service opens a store of class sql, as another process would.
func (b *bench) service() (*txcache.Store, *txcache.Cache[int, int64], error) {
	backend, err := sqlbackend.New(func(string) (*sql.DB, error) { return b.db, nil }, sqlbackend.Postgres, nil)
	if err != nil {
		return nil, nil, err
	}
	return newStore(backend)
}

func newStore(backend backend.Backend) (*txcache.Store, *txcache.Cache[int, int64], error) {
	store, err := txcache.New(backend, nil)
	if err != nil {
		return nil, nil, err
	}
	cache, err := txcache.NewCache[int, int64](store, "row", &txcache.CacheOptions{ContextFree: true})
	return store, cache, err
}

// inTurns runs each side so many times a round, and returns the medians of an operation in microseconds, and those of
// the ratios to the first side. A side returns how long it took of what is measured.
func (b *bench) inTurns(times int, sides ...func() (time.Duration, error)) (medians, ratios []float64, err error) {
	all, of := make([][]float64, len(sides)), make([][]float64, len(sides))
	for range b.rounds {
		for i, side := range sides {
			var took time.Duration
			for range times {
				once, err := side()
				if err != nil {
					return nil, nil, err
				}
				took += once
			}
			all[i] = append(all[i], float64(took.Nanoseconds())/1000/float64(times))
		}
		for i := range sides {
			of[i] = append(of[i], all[i][len(all[i])-1]/all[0][len(all[0])-1])
		}
	}
	for i := range sides {
		medians, ratios = append(medians, median(all[i])), append(ratios, median(of[i]))
	}
	return medians, ratios, nil
}

// whole makes a side of what is measured as a whole.
func whole(do func() error) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		start := time.Now()
		err := do()
		return time.Since(start), err
	}
}

// begin makes a side of the begin of a transaction, which is then rolled back.
func begin(ctx context.Context, do func() (pgx.Tx, error)) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		start := time.Now()
		tx, err := do()
		took := time.Since(start)
		if err == nil {
			err = tx.Rollback(ctx)
		}
		return took, err
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// begins compares how transactions begin.
func (b *bench) begins(ctx context.Context) error {
	fmt.Println("| caches | BEGIN, µs | BEGIN; SELECT 1 | BEGIN and the state | to BEGIN | to BEGIN; SELECT 1 |\n|--:|--:|--:|--:|--:|--:|")
	for _, caches := range []int{10, 300, 2000} {
		store, err := b.clearMany(ctx, caches)
		if err != nil {
			return err
		}
		m, r, err := b.inTurns(200,
			begin(ctx, func() (pgx.Tx, error) { return b.pool.BeginTx(ctx, exact) }),
			begin(ctx, func() (pgx.Tx, error) {
				tx, err := b.pool.BeginTx(ctx, exact)
				if err == nil {
					_, err = tx.Exec(ctx, "SELECT 1")
				}
				return tx, err
			}),
			begin(ctx, func() (pgx.Tx, error) { return txpgx.Begin(ctx, store, database, b.pool, exact) }))
		if err := errors.Join(err, store.Close()); err != nil {
			return err
		}
		fmt.Printf("| %d | %.0f | %.0f | %.0f | %.2f | %.2f |\n", caches, m[0], m[1], m[2], r[2], r[2]/r[1])
	}
	fmt.Println()
	return nil
}

// clearMany clears so many caches by name, makes one row of that, and returns the store of a process that
// has seen nothing of it.
func (b *bench) clearMany(ctx context.Context, caches int) (*txcache.Store, error) {
	backend, err := sqlbackend.New(func(string) (*sql.DB, error) { return b.db, nil }, sqlbackend.Postgres, nil)
	if err != nil {
		return nil, err
	}
	defer backend.Close()
	for i := range caches {
		if err := b.store.Clear(ctx, database, fmt.Sprintf("cache%d", i)); err != nil {
			return nil, err
		}
	}
	if err := backend.Fold(ctx, database); err != nil {
		return nil, err
	}
	if _, err := b.pool.Exec(ctx, "VACUUM ANALYZE "+sqlbackend.DefaultTable); err != nil {
		return nil, err
	}
	store, _, err := b.service()
	return store, err
}

// syncs prints how many commits of one connection there are in a second.
func (b *bench) syncs(ctx context.Context) error {
	rate, err := b.write(ctx, 1, func(ctx context.Context, _ int) error {
		_, err := b.pool.Exec(ctx, "UPDATE bench_counter SET n = n + 1")
		return err
	})
	fmt.Printf("Commits of one connection in a second: %.0f\n\n", rate)
	return err
}

// requests compares requests of hits within a transaction of pgx.
func (b *bench) requests(ctx context.Context) error {
	cache := otter.Must(&otter.Options[int, int64]{MaximumSize: 10_000})
	for i := range rows {
		cache.Set(i, int64(i))
	}
	load := func(ctx context.Context, tx *txpgx.Tx) error {
		for i := range rows {
			if _, err := b.cache.Load(ctx, tx.Cache, i, func(context.Context) (int64, error) { return int64(i), nil }); err != nil {
				return err
			}
		}
		return nil
	}
	m, r, err := b.inTurns(200,
		whole(func() error {
			return pgx.BeginTxFunc(ctx, b.pool, exact, func(pgx.Tx) error {
				for i := range rows {
					if _, ok := cache.GetIfPresent(i); !ok {
						return errors.New("otter has lost a value")
					}
				}
				return nil
			})
		}),
		whole(func() error {
			return txpgx.Update(ctx, b.store, database, b.pool, exact, func(tx *txpgx.Tx) error { return load(ctx, tx) })
		}))
	if err != nil {
		return err
	}
	fmt.Printf("A request of %d hits in a transaction at repeatable read: otter %.0f µs, txcache %.0f µs, ratio %.2f\n\n", rows, m[0], m[1], r[1])
	return nil
}

// commits compares commits of writers, each of which changes a row of its own.
func (b *bench) commits(ctx context.Context) error {
	update := func(ctx context.Context, tx pgx.Tx, writer int) error {
		_, err := tx.Exec(ctx, "UPDATE bench_row SET v = v + 1 WHERE id = $1", writer)
		return err
	}
	with := func(statement string) func(ctx context.Context, writer int) error {
		return func(ctx context.Context, writer int) error {
			return pgx.BeginTxFunc(ctx, b.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
				err := update(ctx, tx, writer)
				if err == nil && statement != "" {
					_, err = tx.Exec(ctx, statement)
				}
				return err
			})
		}
	}
	sides := []func(ctx context.Context, writer int) error{
		with(""),
		func(ctx context.Context, writer int) error {
			return txpgx.Update(ctx, b.store, database, b.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
				return errors.Join(update(ctx, tx, writer), b.cache.Clear(tx.Cache))
			})
		},
		with("UPDATE bench_counter SET n = n + 1"),
		with("NOTIFY bench"),
	}
	rates := make([][]float64, len(sides))
	for range max(3, b.rounds/4) {
		for i, side := range sides {
			rate, err := b.write(ctx, writers, side)
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], rate)
		}
	}
	m := make([]float64, len(sides))
	for i := range sides {
		m[i] = median(rates[i])
	}
	fmt.Printf("| %d writers, commits a second | no clear | class sql | counter row | NOTIFY |\n|---|--:|--:|--:|--:|\n", writers)
	fmt.Printf("| read committed | %.0f | %.0f | %.0f | %.0f |\n", m[0], m[1], m[2], m[3])
	fmt.Printf("\nClass sql to no clear: %.2f; to a counter row: %.1f; to NOTIFY: %.1f\n\n", m[1]/m[0], m[1]/m[2], m[1]/m[3])
	return nil
}

// write has writers write for a turn, and returns how many commits there were in a second.
func (b *bench) write(ctx context.Context, writers int, side func(ctx context.Context, writer int) error) (float64, error) {
	var done atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, writers)
	start := time.Now()
	for w := range writers {
		group.Go(func() {
			for time.Since(start) < b.turn {
				if errs[w] = side(ctx, w); errs[w] != nil {
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(start).Seconds(), errors.Join(errs...)
}

// conflicts counts serialization failures of writers that change rows of their own and clear one cache.
func (b *bench) conflicts(ctx context.Context) error {
	const few = 8
	fmt.Printf("| %d writers of rows of their own | commits that clear | serialization failures |\n|---|--:|--:|\n", few)
	for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
		var failures, commits atomic.Int64
		_, err := b.write(ctx, few, func(ctx context.Context, writer int) error {
			err := txpgx.Update(ctx, b.store, database, b.pool, pgx.TxOptions{IsoLevel: level}, func(tx *txpgx.Tx) error {
				_, err := tx.Exec(ctx, "UPDATE bench_row SET v = v + 1 WHERE id = $1", writer)
				time.Sleep(time.Millisecond)
				return errors.Join(err, b.cache.Clear(tx.Cache))
			})
			var refused *pgconn.PgError
			if errors.As(err, &refused) && refused.SQLState() == "40001" {
				failures.Add(1)
				return nil
			}
			commits.Add(1)
			return err
		})
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d | %d |\n", level, commits.Load(), failures.Load())
	}
	return nil
}
