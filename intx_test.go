package txcache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A printingTx stands for the transaction of a driver, such as pgx.Tx.
type printingTx struct{}

func (printingTx) Exec(sql string)                { fmt.Println(sql) }
func (printingTx) Commit(context.Context) error   { fmt.Println("COMMIT"); return nil }
func (printingTx) Rollback(context.Context) error { fmt.Println("ROLLBACK"); return nil }

// InTx joins the cache with any driver that has transactions.
func ExampleInTx() {
	ctx := context.Background()
	store, err := txcache.OpenConfig(ctx, config.Default())
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	prices := txcache.Must(txcache.NewCache[int, int](store, "price", nil))
	begin := func(context.Context) (printingTx, error) { // with pgx, the method Begin of a pool
		fmt.Println("BEGIN")
		return printingTx{}, nil
	}

	err = txcache.InTx(ctx, store, "shop", begin, func(ctx context.Context, tx *txcache.Tx, db printingTx) error {
		db.Exec("UPDATE product SET price = 12 WHERE id = 1")
		return prices.Clear(tx)
	})
	fmt.Println("error:", err)

	err = txcache.InTx(ctx, store, "shop", begin, func(context.Context, *txcache.Tx, printingTx) error {
		return errors.New("out of stock")
	})
	fmt.Println("error:", err)
	// Output:
	// BEGIN
	// UPDATE product SET price = 12 WHERE id = 1
	// COMMIT
	// error: <nil>
	// BEGIN
	// ROLLBACK
	// error: out of stock
}

// A fakeDB notes what is asked of it, and of the backend.
type fakeDB struct {
	steps                     []string
	beginErr, commitErr       error
	rolledBackUnder, beganFor context.Context
	goneAtRollback            error // of rolledBackUnder
}

func (db *fakeDB) step(s string) { db.steps = append(db.steps, s) }

func (db *fakeDB) begin(ctx context.Context) (*fakeDB, error) {
	db.step("BEGIN")
	db.beganFor = ctx
	return db, db.beginErr
}

func (db *fakeDB) Commit(context.Context) error {
	db.step("COMMIT")
	return db.commitErr
}

func (db *fakeDB) Rollback(ctx context.Context) error {
	db.step("ROLLBACK")
	db.rolledBackUnder, db.goneAtRollback = ctx, ctx.Err()
	return errors.New("it was rolled back already")
}

func (db *fakeDB) Sync(b backend.Backend) backend.Backend { return notingSync{b, db} }

type notingSync struct {
	backend.Backend
	db *fakeDB
}

func (n notingSync) Sync(ctx context.Context, database string) (*backend.State, error) {
	n.db.step("Sync")
	return n.Backend.Sync(ctx, database)
}

func (n notingSync) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	n.db.step("Clear")
	return n.Backend.Clear(ctx, database, f)
}

func (n notingSync) Fence(ctx context.Context, database string, f backend.Fence) error {
	n.db.step("Fence")
	return n.Backend.Fence(ctx, database, f)
}

// P2: whatever goes wrong undoes both sides.
func TestInTx(t *testing.T) {
	refused := errors.New("refused")
	for _, test := range []struct {
		name  string
		db    fakeDB
		fn    func() error
		want  error // that InTx returns, or panics with
		steps string
		left  bool // the old value, as nothing was cleared
	}{
		{"commit", fakeDB{}, func() error { return nil }, nil, "Sync BEGIN Fence COMMIT Clear", false},
		{"error", fakeDB{}, func() error { return refused }, refused, "Sync BEGIN ROLLBACK", true},
		{"panic", fakeDB{}, func() error { panic(refused) }, refused, "Sync BEGIN ROLLBACK", true},
		{"goexit", fakeDB{}, func() error { runtime.Goexit(); return nil }, nil, "Sync BEGIN ROLLBACK", true},
		{"begin fails", fakeDB{beginErr: refused}, nil, refused, "Sync BEGIN", true},
		{"commit is refused", fakeDB{commitErr: txcache.NotCommitted(refused)}, func() error { return nil }, refused, "Sync BEGIN Fence COMMIT Clear ROLLBACK", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := &test.db
			store := storetest.NewStore(t, db.Sync(memorybackend.New()), txcache.Options{})
			price := storetest.NewCache[string, int](t, store, "price", txcache.CacheOptions{})
			if err := store.Update(t.Context(), "shop", func(tx *txcache.Tx) error { price.Set(tx, "book", 10); return nil }); err != nil {
				t.Fatal(err)
			}
			db.steps = nil
			var kept *txcache.Tx
			result := make(chan any)
			go func() {
				var err any
				defer func() {
					if p := recover(); p != nil {
						err = p
					}
					result <- err
				}()
				if e := txcache.InTx(t.Context(), store, "shop", db.begin, func(ctx context.Context, tx *txcache.Tx, got *fakeDB) error {
					if got != db || ctx != t.Context() {
						t.Error("fn gets another transaction, or context")
					}
					kept = tx
					if err := price.Clear(tx); err != nil {
						return err
					}
					return test.fn()
				}); e != nil {
					err = e
				}
			}()
			if got, _ := (<-result).(error); !errors.Is(got, test.want) {
				t.Errorf("InTx: %v, want %v", got, test.want)
			}
			if got := strings.Join(db.steps, " "); got != test.steps {
				t.Errorf("steps are %q, want %q", got, test.steps)
			}
			if kept != nil && !errors.Is(kept.Rollback(), txcache.ErrTxDone) {
				t.Error("the cache's side was left open")
			}
			err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
				if _, hit := price.Get(t.Context(), tx, "book"); hit != test.left {
					t.Errorf("the old value is there: %v, want %v", hit, test.left)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

type requestKey struct{}

// A caller that has gone does not keep the database from rolling back; one that does not answer
// is given up.
func TestInTxRollsBackWithoutItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &fakeDB{}
		store := storetest.NewStore(t, db.Sync(memorybackend.New()), txcache.Options{CommitTimeout: time.Second})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), requestKey{}, 7))
		err := txcache.InTx(ctx, store, "shop", db.begin, func(ctx context.Context, _ *txcache.Tx, _ *fakeDB) error {
			cancel()
			return ctx.Err()
		})
		if err != context.Canceled {
			t.Errorf("InTx: %v, want context.Canceled itself", err)
		}
		if db.beganFor != ctx || db.rolledBackUnder.Value(requestKey{}) != 7 {
			t.Error("the database does not get the caller's context, or its values")
		}
		if db.goneAtRollback != nil {
			t.Error("the rollback gets a context that has ended")
		}
		deadline, ok := db.rolledBackUnder.Deadline()
		if want := time.Now().Add(time.Second); !ok || !deadline.Equal(want) {
			t.Errorf("the rollback has the deadline %v, want %v", deadline, want)
		}
	})
}

// An enlistedTx is a transaction of a database that keeps the generations; as pgx.Tx, it
// has methods of its own that are called as those of a Querier.
type enlistedTx struct {
	tx    *enlistertest.Tx
	steps *[]string
}

func (e enlistedTx) Query(string) int { return 0 }

func (e enlistedTx) Querier() backend.Querier { return e.tx }

func (e enlistedTx) Commit(context.Context) error {
	*e.steps = append(*e.steps, "COMMIT")
	return e.tx.Commit()
}

func (e enlistedTx) Rollback(context.Context) error {
	*e.steps = append(*e.steps, "ROLLBACK")
	return e.tx.Rollback()
}

// A plainEnlistedTx is a Querier itself.
type plainEnlistedTx struct{ *enlistertest.Tx }

func (e plainEnlistedTx) Commit(context.Context) error   { return e.Tx.Commit() }
func (e plainEnlistedTx) Rollback(context.Context) error { return e.Tx.Rollback() }

func TestInTxEnlists(t *testing.T) {
	db := enlistertest.New()
	store := storetest.NewStore(t, db.Backend(), txcache.Options{})
	price := storetest.NewCache[string, int64](t, store, "price", txcache.CacheOptions{})
	load := func(tx *txcache.Tx, in *enlistertest.Tx) int64 {
		v, err := price.Load(t.Context(), tx, "book", func(context.Context) (int64, error) { return in.Get("book") })
		if err != nil {
			t.Error(err)
		}
		return v
	}
	var steps []string
	for i := range int64(3) {
		err := txcache.InTx(t.Context(), store, "shop", func(context.Context) (enlistedTx, error) { return enlistedTx{db.Begin(true), &steps}, nil },
			func(_ context.Context, tx *txcache.Tx, in enlistedTx) error {
				if got := load(tx, in.tx); got != i {
					t.Errorf("read %d, want %d", got, i)
				}
				if err := in.tx.Put("book", i+1); err != nil {
					return err
				}
				return price.Clear(tx)
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := txcache.InTx(t.Context(), store, "shop", func(context.Context) (plainEnlistedTx, error) { return plainEnlistedTx{db.Begin(true)}, nil },
		func(_ context.Context, tx *txcache.Tx, in plainEnlistedTx) error {
			if got := load(tx, in.Tx); got != 3 {
				t.Errorf("read %d, want 3", got)
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"COMMIT", "COMMIT", "COMMIT"}; !slices.Equal(steps, want) {
		t.Errorf("steps are %q, want %q", steps, want)
	}
}

// A transaction that cannot be enlisted is rolled back, and the error says why.
func TestInTxCannotEnlist(t *testing.T) {
	store := storetest.NewStore(t, enlistertest.New().Backend(), txcache.Options{})
	db := &fakeDB{}
	err := txcache.InTx(t.Context(), store, "shop", db.begin, func(context.Context, *txcache.Tx, *fakeDB) error {
		t.Error("fn runs in a transaction that is not enlisted")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "*txcache_test.fakeDB") || !strings.Contains(err.Error(), "Querier") {
		t.Errorf("InTx: %v, want an error that names the type and what it lacks", err)
	}
	if want := []string{"BEGIN", "ROLLBACK"}; !slices.Equal(db.steps, want) {
		t.Errorf("steps are %q, want %q", db.steps, want)
	}
}

func TestInTxNeedsFunctions(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
	if err := txcache.InTx[printingTx](t.Context(), store, "shop", nil, nil); err == nil {
		t.Error("InTx took no functions")
	}
}
