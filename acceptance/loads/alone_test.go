package loads_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A stateError is an answer of an SQL database.
type stateError string

func (e stateError) Error() string { return "state " + string(e) }

func (e stateError) SQLState() string { return string(e) }

// An error of a loader that may be of its caller's circumstances is not that of
// callers who waited. The others are.
func TestWhichErrorsAreShared(t *testing.T) {
	plain := errors.New("refused")
	for _, test := range []struct {
		name   string
		err    error
		fails  time.Duration // after which it fails
		limit  time.Duration // the deadline of its caller; 0: none
		shared bool
	}{
		{"plain", plain, time.Second, 0, true},
		{"plain, long before the deadline", plain, time.Second, time.Minute, true},
		{"plain, as the deadline passes", plain, time.Second, time.Second, false},
		{"plain, two milliseconds before the deadline", plain, 998 * time.Millisecond, time.Second, false},
		{"plain, shortly before a far deadline", plain, 58 * time.Second, time.Minute, false},
		{"plain, 15 milliseconds before a close deadline", plain, 35 * time.Millisecond, 50 * time.Millisecond, false},
		{"plain, 25 milliseconds before a close deadline", plain, 25 * time.Millisecond, 50 * time.Millisecond, true},
		{"plain, a bit more than a tenth before a far deadline", plain, 53 * time.Second, time.Minute, true},
		{"time limit of a connection", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, time.Second, 0, false},
		{"time limit, wrapped", fmt.Errorf("query: %w", os.ErrDeadlineExceeded), time.Second, 0, false},
		{"connection reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, time.Second, 0, false},
		{"connection closed", fmt.Errorf("query: %w", net.ErrClosed), time.Second, 0, false},
		{"end of the connection", io.ErrUnexpectedEOF, time.Second, 0, false},
		{"bad connection", driver.ErrBadConn, time.Second, 0, false},
		{"connection done", sql.ErrConnDone, time.Second, 0, false},
		{"transaction done", sql.ErrTxDone, time.Second, 0, false},
		{"another cache transaction done", txcache.ErrTxDone, time.Second, 0, false},
		{"another context", fmt.Errorf("query: %w", context.Canceled), time.Second, 0, false},
		{"another deadline", context.DeadlineExceeded, time.Second, 0, false},
		{"aborted transaction", stateError("25P02"), time.Second, 0, false},
		{"deadlock", stateError("40P01"), time.Second, 0, false},
		{"cancelled query", stateError("57014"), time.Second, 0, false},
		{"no state", stateError(""), time.Second, 0, false},
		{"syntax", stateError("42601"), time.Second, 0, true},
		{"data", fmt.Errorf("query: %w", stateError("22012")), time.Second, 0, true},
		{"no row", sql.ErrNoRows, time.Second, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := storetest.Setups[0].One(t)
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				var wg sync.WaitGroup
				wg.Go(func() {
					ctx := t.Context()
					if test.limit > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, test.limit)
						defer cancel()
					}
					_, err := c.Load(ctx, storetest.BeginReadOnly(t, store, "db"), "x", func(context.Context) (int, error) {
						time.Sleep(test.fails)
						return 0, test.err
					})
					if err != test.err {
						t.Errorf("the leader's Load = %v; want the error as it is", err)
					}
				})
				synctest.Wait()
				v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(2, nil))
				if test.shared && err != test.err || !test.shared && (v != 2 || err != nil) {
					t.Errorf("the waiting Load = %d, %v; shared should be %v", v, err, test.shared)
				}
				wg.Wait()
			})
		})
	}
}

// The value that stands in for a failed load does not hide a failure that was the
// leader's alone.
func TestAnExpiredValueIsSharedAsItsErrorIs(t *testing.T) {
	for _, failure := range []error{errors.New("refused"), os.ErrDeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			store := storetest.Setups[0].One(t)
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Hour})
			storetest.Publish(t, store, "db", c, "x", 1)
			time.Sleep(2 * time.Minute)
			var wg sync.WaitGroup
			wg.Go(func() {
				v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", func(context.Context) (int, error) { time.Sleep(time.Second); return 0, failure })
				if v != 1 || err != nil {
					t.Errorf("Load = %d, %v; want the expired value", v, err)
				}
			})
			synctest.Wait()
			want := 1
			if failure == os.ErrDeadlineExceeded {
				want = 2
			}
			if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(2, nil)); v != want || err != nil {
				t.Errorf("%v: the waiting Load = %d, %v; want %d", failure, v, err, want)
			}
			wg.Wait()
		})
	}
}

// With a database that answers nobody in time, callers do not fail one after
// another: who has waited for two of them waits no more.
func TestCallersDoNotFailOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		start := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", func(context.Context) (int, error) {
					time.Sleep(time.Second)
					return 0, os.ErrDeadlineExceeded
				})
				if err != os.ErrDeadlineExceeded {
					t.Errorf("Load = %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %v; want three loads one after another at most", took)
		}
	})
}

// A panic, the end of a goroutine, and the end of the transaction are nobody
// else's, within loaders too.
func TestTroubleWithinALoaderIsItsCallers(t *testing.T) {
	for name, trouble := range map[string]func(tx *txcache.Tx) error{
		"panic":       func(*txcache.Tx) error { panic("loader") },
		"transaction": func(tx *txcache.Tx) error { tx.Rollback(); return errors.New("of a transaction that has ended") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := storetest.Setups[0].One(t)
				outer := storetest.NewCache[int, int](t, store, "outer", txcache.CacheOptions{})
				inner := storetest.NewCache[int, int](t, store, "inner", txcache.CacheOptions{})
				var first atomic.Bool
				load := func(key int) (v int, err error) {
					defer func() {
						if p := recover(); p != nil {
							err = fmt.Errorf("%v", p)
						}
					}()
					tx := storetest.BeginReadOnly(t, store, "db")
					return outer.Load(t.Context(), tx, key, func(ctx context.Context) (int, error) {
						return inner.Load(ctx, tx, 0, func(context.Context) (int, error) {
							time.Sleep(time.Second)
							if first.CompareAndSwap(false, true) {
								return 0, trouble(tx)
							}
							return 7, nil
						})
					})
				}
				var failed atomic.Int32
				var wg sync.WaitGroup
				for key := range 10 {
					wg.Go(func() {
						if v, err := load(key); err != nil {
							failed.Add(1)
						} else if v != 7 {
							t.Errorf("Load = %d", v)
						}
					})
				}
				wg.Wait()
				if n := failed.Load(); n != 1 || inner.Stats().Loads != 2 {
					t.Errorf("%d of 10 failed after %d loads; want one and two", n, inner.Stats().Loads)
				}
			})
		})
	}
}

// What a savepoint may undo is nobody else's.
func TestALoadInASavepointIsNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		var wg sync.WaitGroup
		wg.Go(func() {
			storetest.BeginReadOnly(t, store, "db").Savepoint(func(tx *txcache.Tx) error {
				c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil })
				return errors.New("undone")
			})
		})
		synctest.Wait()
		if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(2, nil)); v != 2 || err != nil {
			t.Errorf("Load = %d, %v; want its own", v, err)
		}
		wg.Wait()
	})
}

// Every key of a batch that waited in vain is a miss.
func TestABatchThatWaitedCountsAllItsMisses(t *testing.T) {
	for _, cause := range []string{"error", "context", "own error"} {
		synctest.Test(t, func(t *testing.T) {
			store := storetest.Setups[0].One(t)
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
			failure := errors.New("refused")
			rows := &table{err: failure, wait: time.Second}
			var wg sync.WaitGroup
			wg.Go(func() {
				c.LoadMany(t.Context(), storetest.BeginReadOnly(t, store, "db"), []string{"a", "b", "c"}, rows.load)
			})
			synctest.Wait()
			before := c.Stats()
			ctx, keys := t.Context(), []string{"a", "b", "c"}
			switch cause {
			case "context":
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
			case "own error":
				keys = append(keys, "d")
			}
			_, err := c.LoadMany(ctx, storetest.BeginReadOnly(t, store, "db"), keys, func(context.Context, []string) (map[string]int, error) { return nil, failure })
			after := c.Stats()
			if n := after.Misses - before.Misses; err == nil || n != uint64(len(keys)) || after.Hits != before.Hits {
				t.Errorf("%s: LoadMany = %v, and counts %d misses; want %d", cause, err, n, len(keys))
			}
			wg.Wait()
		})
	}
}
