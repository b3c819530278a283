package txpgx_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// A transaction that waits for another's load holds no connection: 40 requests for one slow value leave
// three of four connections to others.
func TestWaitersHoldNoConnection(t *testing.T) {
	s := newStage(t)
	s.pool = s.newPool(t, func(cfg *pgxpool.Config) { cfg.MaxConns = 4 })
	slow := txcache.Must(txcache.NewCache[int, int](s.store, "slow", &txcache.CacheOptions{ContextFree: true}))
	s.fill(t, 1)

	loading, finish := make(chan struct{}), make(chan struct{})
	var began sync.WaitGroup
	var all sync.WaitGroup
	loads := 0
	request := func() {
		err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
			began.Done()
			v, err := slow.Load(t.Context(), tx.Cache, 1, func(ctx context.Context) (v int, err error) {
				loads++ // one at a time
				err = tx.QueryRow(ctx, "SELECT 42").Scan(&v)
				close(loading)
				<-finish
				return v, err
			})
			if v != 42 {
				t.Errorf("loaded %d", v)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	began.Add(1)
	all.Go(request)
	<-loading
	for range 40 {
		began.Add(1)
		all.Go(request)
	}
	began.Wait()
	for range 100 {
		err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
			if v, err := s.load(t.Context(), tx, 1); v != 10 || err != nil {
				t.Errorf("loaded %d, %v", v, err)
			}
			if n := s.pool.Stat().AcquiredConns(); n != 1 {
				t.Errorf("%d connections are in use, want that of the load alone", n)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if n := s.pool.Stat().EmptyAcquireCount(); n != 1 { // the first one was made
		t.Errorf("%d times there was no idle connection", n)
	}
	close(finish)
	all.Wait()
	if loads != 1 {
		t.Errorf("%d loads, want 1", loads)
	}
	s.idle(t)
}

// A transaction that has begun in the database leaves no load to the background, which needs a connection too.
func TestWhoHoldsAConnectionLeavesNoLoadToTheBackground(t *testing.T) {
	s := newStage(t)
	report := txcache.Must(txcache.NewCache[bool, string](s.store, "report", &txcache.CacheOptions{LoadLimit: time.Minute}))
	report.RefreshEarly(func(context.Context, *txcache.Tx, bool) (string, error) { return "in the background", nil })
	for _, begun := range []bool{false, true} {
		err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
			if begun {
				if _, err := tx.Exec(t.Context(), "SELECT 1"); err != nil {
					return err
				}
			}
			v, err := report.Load(t.Context(), tx.Cache, begun, func(context.Context) (string, error) { return "by itself", nil })
			if (v == "by itself") != begun {
				t.Errorf("a transaction that has begun in the database: %t; loads %s", begun, v)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
