package sqltest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// P12: several servers read and write at once. With the generations in the database, what
// a transaction with one snapshot hits is what it reads itself.
// P3: no other transaction, and none with the generations elsewhere, reads what is older than
// what was committed when it began.
func readsNothingElse(t *testing.T, e *engine) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -seed %d", seed)
	h := &exactHistory{engine: e, shops: e.shops(t, 2)}
	var all sync.WaitGroup
	for g := range 6 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(g)))
			for i := 0; i < *runsFlag/2 && !t.Failed(); i++ {
				s := h.shops[r.IntN(len(h.shops))]
				var err error
				switch r.IntN(4) {
				case 0:
					err = h.write(t.Context(), s, r)
				case 1:
					err = h.read(t.Context(), s, r, sql.LevelDefault)
				default:
					level := sql.LevelRepeatableRead
					if e.dialect == sqlbackend.SQLite {
						level = sql.LevelDefault
					}
					err = h.read(t.Context(), s, r, level)
				}
				if err != nil {
					t.Errorf("goroutine %d, transaction %d: %v", g, i, err)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d hits compared with the snapshot", h.compared.Load())
	if e.inSQL && *runsFlag >= 100 && h.compared.Load() < 20 {
		t.Error("too few hits to tell anything")
	}
}

type exactHistory struct {
	*engine
	shops    []*shop
	shown    [products + 1]atomic.Int64 // prices whose commit has returned
	compared atomic.Int64
}

// write raises a price, after it has undone a raise in a savepoint.
func (h *exactHistory) write(ctx context.Context, s *shop, r *rand.Rand) error {
	id, undo, set, refuse := 1+r.IntN(products), r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(5) == 0
	var price int64
	raise := func(tx *sqltx.Tx) (err error) {
		if _, err = tx.ExecContext(ctx, fmt.Sprintf("UPDATE product SET price = price + 1 WHERE id = %d", id)); err != nil {
			return err
		}
		if err = s.price.Delete(tx.Cache, id); err != nil {
			return err
		}
		price, err = s.load(ctx, tx, id)
		return err
	}
	err := sqltx.Update(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		if undo {
			err := tx.Savepoint(ctx, func(*sqltx.Tx) error { return errors.Join(raise(tx), raise(tx), errLeft) })
			if !errors.Is(err, errLeft) {
				return err
			}
		}
		if err := raise(tx); err != nil {
			return err
		}
		if got, err := stock(ctx, tx, id); err != nil || got != price {
			return fmt.Errorf("product %d: own price is %d, and %d, %w in the database", id, price, got, err)
		}
		if set {
			s.price.Set(tx.Cache, id, price)
		}
		if refuse {
			return errRefused
		}
		return nil
	})
	if err == nil {
		for {
			known := h.shown[id].Load()
			if price <= known || h.shown[id].CompareAndSwap(known, price) {
				break
			}
		}
	}
	if err == errRefused {
		return nil
	}
	return err
}

// read reads some prices by the cache, and compares them with what the transaction has in the database.
func (h *exactHistory) read(ctx context.Context, s *shop, r *rand.Rand, level sql.IsolationLevel) error {
	exact := h.inSQL && (level != sql.LevelDefault || h.dialect != sqlbackend.Postgres)
	var floors [products + 1]int64
	for id := range floors {
		floors[id] = h.shown[id].Load()
	}
	opts := &sql.TxOptions{Isolation: level}
	return sqltx.View(ctx, s.store, database, s.readDB, opts, func(tx *sqltx.Tx) error {
		for range 3 {
			id := 1 + r.IntN(products)
			loads := 0
			price, err := s.price.Load(ctx, tx.Cache, id, func(ctx context.Context) (int64, error) {
				loads++
				return stock(ctx, tx, id)
			})
			if err != nil {
				return err
			}
			if price < floors[id] {
				return fmt.Errorf("product %d: read %d, when %d was committed before the begin", id, price, floors[id])
			}
			own, err := stock(ctx, tx, id)
			switch {
			case err != nil:
				return err
			case exact && own != price:
				return fmt.Errorf("product %d: the cache has %d, the snapshot %d", id, price, own)
			case exact && loads == 0:
				h.compared.Add(1)
			}
		}
		return nil
	})
}
