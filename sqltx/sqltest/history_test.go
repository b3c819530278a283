package sqltest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-dad15c92/txcache/sqltx"
)

var (
	seedFlag = flag.Uint64("seed", 0, "seed of the random history; 0: another one each time")
	runsFlag = flag.Int("runs", 200, "transactions of each goroutine of the random history")
)

// A history is what goroutines of several servers do to one database at once.
// The seed fixes what each of them does; in which order they come to it is up to
// the scheduler.
//
// Every price written is a number of its own, higher than all before: it is
// drawn while the writer holds the database's write lock. So a price that is
// read tells which commit it is of.
type history struct {
	servers []*server
	drawn   atomic.Int64
	ended   atomic.Int64 // transactions

	// shown is, for each product, the newest price whose commit has returned or
	// that someone has seen in the database.
	shown [products + 1]atomic.Int64

	// sent has the prices that were about to be committed; any other that a
	// reader sees was never anyone's to see.
	sent sync.Map
}

// P1 to P4 over real snapshots: no transaction reads what is older than what the
// database showed when it began, or what nobody has committed.
func TestRandomHistory(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -seed %d", seed)
	h := &history{servers: newServers(t, 3, "immediate")}
	h.drawn.Store(1)
	h.sent.Store(int64(1), true)
	for id := range h.shown {
		h.shown[id].Store(1)
	}
	for _, s := range h.servers { // let others in where it matters
		s.hooks = hooks{h.yield, h.yield, h.yield, h.yield, h.yield}
	}
	var all sync.WaitGroup
	for g := range 6 {
		all.Go(func() {
			a := &actor{h, h.servers[g%len(h.servers)], rand.New(rand.NewPCG(seed, uint64(g)))}
			for i := 0; i < *runsFlag && !t.Failed(); i++ {
				if err := a.act(t.Context()); err != nil {
					t.Errorf("goroutine %d, transaction %d: %v", g, i, err)
				}
				h.ended.Add(1)
			}
		})
	}
	all.Wait()

	var hits, clears uint64
	cuts := 0
	for _, s := range h.servers {
		stats := s.price.Stats()
		hits, clears, cuts = hits+stats.Hits, clears+stats.Clears, cuts+s.line.broken
	}
	t.Logf("%d hits, %d clears, %d commits cut off", hits, clears, cuts)
	if *runsFlag >= 100 && (hits < 100 || clears < 50 || cuts < 5) {
		t.Error("the history tried too little to tell anything")
	}
}

// yield waits until others have ended some transactions, or all seem to wait.
func (h *history) yield() {
	until := h.ended.Load() + 3
	for i := 0; i < 100 && h.ended.Load() < until; i++ {
		runtime.Gosched()
	}
}

// An actor is one goroutine of a history.
type actor struct {
	*history
	*server
	rand *rand.Rand
}

func (a *actor) one(in int) bool { return a.rand.IntN(in) == 0 }
func (a *actor) product() int    { return 1 + a.rand.IntN(products) }

// act does one transaction, and returns an error if anything is not as it
// should be.
func (a *actor) act(ctx context.Context) error {
	if a.one(2) {
		if err := a.peek(ctx); err != nil {
			return err
		}
	}
	var floors [products + 1]int64
	for id := range floors {
		floors[id] = a.shown[id].Load()
	}
	if a.one(4) {
		return a.write(ctx, floors[:])
	}
	return sqltx.View(ctx, a.store, database, a.db, nil, func(tx *sqltx.Tx) error {
		return a.reads(ctx, tx, floors[:], nil)
	})
}

// peek looks into the database, past the cache.
func (a *actor) peek(ctx context.Context) error {
	rows, err := a.db.QueryContext(ctx, "SELECT id, price FROM product")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		var price int64
		if err := rows.Scan(&id, &price); err != nil {
			return err
		}
		a.show(id, price)
	}
	return rows.Err()
}

// show raises what is known to be committed.
func (a *actor) show(id int, price int64) {
	for {
		known := a.shown[id].Load()
		if price <= known || a.shown[id].CompareAndSwap(known, price) {
			return
		}
	}
}

// reads reads some products, in several ways, and checks what it gets. own are
// the prices that the transaction has written itself.
func (a *actor) reads(ctx context.Context, tx *sqltx.Tx, floors []int64, own map[int]int64) error {
	for range 1 + a.rand.IntN(5) {
		id := a.product()
		var price int64
		var err error
		if a.one(4) { // a fill that comes late
			if price, err = stored(ctx, tx, id); err == nil {
				a.yield()
				a.price.Set(tx.Cache, id, price)
			}
		} else {
			price, err = a.load(ctx, tx, id)
		}
		if err != nil {
			return err
		}
		want, written := own[id]
		_, sent := a.sent.Load(price)
		switch {
		case written && price != want:
			return fmt.Errorf("product %d: read %d, having written %d", id, price, want)
		case !written && !sent:
			return fmt.Errorf("product %d: read %d, which nobody has committed", id, price)
		case price < floors[id]:
			return fmt.Errorf("product %d: read %d, when %d had been committed before the transaction began", id, price, floors[id])
		}
	}
	return nil
}

var (
	errRefused = errors.New("refused")
	errLeft    = errors.New("the user left")
)

// write changes some products and ends the transaction in some way.
func (a *actor) write(ctx context.Context, floors []int64) (err error) {
	own := map[int]int64{}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end := a.rand.IntN(12)
	defer func() {
		if p := recover(); p != nil {
			err = p.(error)
		}
		for id, price := range own {
			if err == nil {
				a.show(id, price)
			}
		}
		if errors.Is(err, errRefused) || errors.Is(err, errLeft) || errors.Is(err, sqltx.ErrUnknownOutcome) && errors.Is(err, errLine) {
			err = nil
		}
	}()
	return sqltx.Update(ctx, a.store, database, a.db, nil, func(tx *sqltx.Tx) error {
		if err := a.reads(ctx, tx, floors, own); err != nil {
			return err
		}
		for range 1 + a.rand.IntN(2) {
			if err := a.draw(ctx, tx, own); err != nil {
				return err
			}
		}
		if a.one(4) {
			if err := a.savepoint(ctx, tx, floors, own); err != nil {
				return err
			}
		}
		if err := a.reads(ctx, tx, floors, own); err != nil {
			return err
		}
		switch end {
		case 0:
			return errRefused
		case 1:
			panic(errRefused)
		case 2:
			cancel(errLeft)
			return nil
		case 3:
			a.line.cut(lost) // for this commit: whoever commits holds the lock
		case 4:
			a.line.cut(done)
		}
		for _, price := range own {
			a.sent.Store(price, true)
		}
		return nil
	})
}

// draw changes one product to a new price.
func (a *actor) draw(ctx context.Context, tx *sqltx.Tx, own map[int]int64) error {
	id, price := a.product(), a.drawn.Add(1)
	if err := a.change(ctx, tx, id, price); err != nil {
		return err
	}
	own[id] = price
	if a.one(2) {
		a.price.Set(tx.Cache, id, price)
	}
	return nil
}

// savepoint changes products in a savepoint of both sides, and undoes that.
func (a *actor) savepoint(ctx context.Context, tx *sqltx.Tx, floors []int64, own map[int]int64) error {
	err := tx.Savepoint(ctx, func(*sqltx.Tx) error {
		inner := map[int]int64{}
		for id, price := range own {
			inner[id] = price
		}
		if err := a.draw(ctx, tx, inner); err != nil {
			return err
		}
		if err := a.reads(ctx, tx, floors, inner); err != nil {
			return err
		}
		return errRefused
	})
	if err != errRefused {
		return err
	}
	return nil
}
