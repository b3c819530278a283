package txpgx_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// A clears is the smallest backend that keeps its generations in a table of PostgreSQL:
// a row for each cache that a transaction has cleared, and rows of no cache for all.
// It does without deletes, folds and all that makes it fast.
type clears struct {
	pool *pgxpool.Pool

	mu    sync.Mutex
	known map[string]*backend.State
}

const (
	readClears  = "SELECT cache, token, current_setting('transaction_isolation') FROM clear WHERE database = $1"
	writeClears = "INSERT INTO clear SELECT $1, unnest($2::text[]), $3"
)

// enlists makes s a stage of a store whose backend is an Enlister.
func (s *stage) enlists(t testing.TB) {
	t.Helper()
	s.exec(t, "CREATE TABLE IF NOT EXISTS clear (database text NOT NULL, cache text NOT NULL CHECK (cache <> 'refused'), token bigint NOT NULL)")
	s.exec(t, "INSERT INTO clear VALUES ('shop', '', 1)")
	s.useClears(t)
	s.taken()
}

func (s *stage) useClears(t testing.TB) {
	b := &clears{pool: s.pool, known: map[string]*backend.State{}}
	s.store = s.newStoreOver(t, b, nil)
	s.price = newCache(t, s.store)
}

func (c *clears) State(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
	s, _, err := c.StateExact(ctx, q, database)
	return s, err
}

func (c *clears) StateExact(ctx context.Context, q backend.Querier, database string) (*backend.State, bool, error) {
	var level string
	sums := map[string]struct{ n, sum uint64 }{}
	err := q.Query(ctx, readClears, []any{database}, func(scan func(...any) error) error {
		var cache string
		var token int64
		if err := scan(&cache, &token, &level); err != nil {
			return err
		}
		s := sums[cache]
		s.n++
		s.sum += uint64(token)
		sums[cache] = s
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	text := func(cache string) backend.Token {
		return backend.Token(fmt.Sprintf("%d-%d", sums[cache].n+sums[""].n, sums[cache].sum+sums[""].sum))
	}
	base := sums[""]
	all := []string{}
	for cache := range sums {
		if cache != "" {
			all = append(all, cache)
		}
	}
	slices.Sort(all)
	state := &backend.State{Base: backend.Token(fmt.Sprintf("%d-%d", base.n, base.sum)), AllFenced: base.n == 0}
	state.Epoch = state.Base
	name := string(state.Base)
	for _, cache := range all {
		g := backend.Generation{Cache: cache, Token: text(cache)}
		state.Caches = append(state.Caches, g)
		name += " " + cache + " " + string(g.Token)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known[name]; known != nil {
		state = known
	} else {
		c.known[name] = state
	}
	return state, strings.HasPrefix(level, "repeatable") || level == "serializable", nil
}

func (c *clears) Record(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
	number := f.ID.Number()
	var generations []backend.Generation
	names := []string{}
	for _, g := range f.Caches {
		var n, sum uint64
		if _, err := fmt.Sscanf(string(from.Token(g.Cache)), "%d-%d", &n, &sum); err != nil {
			return nil, err
		}
		names = append(names, g.Cache)
		generations = append(generations, backend.Generation{Cache: g.Cache, Token: backend.Token(fmt.Sprintf("%d-%d", n+1, sum+number))})
	}
	if f.All {
		names = []string{""}
	}
	_, err := q.Exec(ctx, writeClears, []any{database, names, int64(number)})
	return generations, err
}

func (c *clears) Sync(ctx context.Context, database string) (*backend.State, error) {
	return c.State(ctx, txpgx.Querier(c.pool), database)
}

func (c *clears) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	from, err := c.Sync(ctx, database)
	if err != nil {
		return nil, err
	}
	if _, err = c.Record(ctx, txpgx.Querier(c.pool), database, from, f); err != nil {
		return nil, err
	}
	return c.Sync(ctx, database)
}

func (c *clears) Fence(ctx context.Context, _ string, _ backend.Fence) error   { return ctx.Err() }
func (c *clears) Unfence(ctx context.Context, _ string, _ backend.Fence) error { return ctx.Err() }
func (c *clears) Drop(context.Context, string) error                           { return nil }
func (c *clears) Close() error                                                 { return nil }
