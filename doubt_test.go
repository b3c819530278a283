package txcache_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// P3: a commit takes effect after its error was returned. Nobody fills the
// cache with the old row meanwhile, in this process or in another.
func TestP3CommitInDoubt(t *testing.T) {
	const failing = "the connection is lost"
	failures := map[string]error{
		failing:                &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"the connection ends":  fmt.Errorf("driver: %w", io.ErrUnexpectedEOF),
		"it takes too long":    fmt.Errorf("driver: %w", context.DeadlineExceeded),
		"it is given up":       fmt.Errorf("driver: %w", context.Canceled),
		"the driver is unsure": errors.New("conn closed"),
		"the pool is unsure":   driver.ErrBadConn,
		"the user says so":     fmt.Errorf("%w: driver", txcache.ErrInDoubt),
	}
	everywhere(t, func(t *testing.T, s setup) {
		for name, failure := range failures {
			if name != failing && s.name != setups[0].name {
				continue // once is enough
			}
			t.Run(name, func(t *testing.T) {
				servers := s.open(t, 2, txcache.Options{Logger: silent, Fence: 300 * time.Millisecond})
				var caches []*txcache.Cache[string, int]
				for _, store := range servers {
					caches = append(caches, newCache[string, int](t, store, "c", txcache.CacheOptions{}))
				}
				publish(t, servers[0], "db", caches[0], "x", 1)
				writer := begin(t, servers[0], "db")
				clearCache(t, writer, caches[0])
				if err := writer.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
					t.Errorf("CommitWith = %v; want the error as it is", err)
				}
				for i, store := range servers {
					publish(t, store, "db", caches[i], "x", 1) // the old row
					miss(t, begin(t, store, "db"), caches[i], "x", "the commit may still take effect")
				}
				within(t, recovery, "the caches are used again", func() bool {
					for i, store := range servers {
						publish(t, store, "db", caches[i], "x", 2)
						if v, ok := caches[i].Get(t.Context(), begin(t, store, "db"), "x"); !ok || v != 2 {
							return false
						}
					}
					return true
				})
			})
		}
	})
}

// The fence stands for the whole lease, then the caches are cleared; any other
// error is the database's answer.
func TestFenceOfACommitInDoubtStandsForItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		store := newStore(t, r, txcache.Options{Logger: silent})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		commitWith := func(err error) {
			tx := begin(t, store, "db")
			clearCache(t, tx, c)
			if got := tx.CommitWith(t.Context(), func(context.Context) error { return err }); got != err {
				t.Errorf("CommitWith = %v; want %v", got, err)
			}
		}
		commitWith(io.EOF)
		time.Sleep(time.Minute - time.Nanosecond)
		publish(t, store, "db", c, "x", 1)
		miss(t, begin(t, store, "db"), c, "x", "the lease has not ended")
		if got := r.taken(); got != "Fence Fence" {
			t.Errorf("%s; want the fence, and that it is renewed for the whole lease", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got := r.taken(); got != "Clear" {
			t.Errorf("%s; want the clear, when the lease has ended", got)
		}
		publish(t, store, "db", c, "x", 1)
		hit(t, begin(t, store, "db"), c, "x", 1, "the cache is in use again")

		commitWith(errors.New("serialization failure"))
		if got := r.taken(); got != "Fence Clear" {
			t.Errorf("%s; want the clear at once", got)
		}
		publish(t, store, "db", c, "x", 1)
		hit(t, begin(t, store, "db"), c, "x", 1, "the cache is in use at once")
	})
}

// A clear that waits for its lease is none that Close has to see to: the fence
// lapses by itself.
func TestCloseDoesNotWaitForACommitInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		store := newStore(t, r, txcache.Options{Logger: silent})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := begin(t, store, "db")
		clearCache(t, tx, c)
		tx.CommitWith(t.Context(), func(context.Context) error { return io.EOF })
		start := time.Now()
		if err := store.Close(); err != nil || time.Since(start) != 0 {
			t.Errorf("Close = %v after %v; want nil at once", err, time.Since(start))
		}
		if got := r.taken(); got != "Fence Fence" {
			t.Errorf("%s; want no clear: it would lift the fence too early", got)
		}
	})
}

// What the database answers is no doubt, whatever it speaks of.
func TestAnAnswerIsNoDoubt(t *testing.T) {
	for state, doubt := range map[string]bool{"23503": false, "40001": false, "08006": true, "57P01": true} {
		store := newStore(t, memorybackend.New(), txcache.Options{Logger: silent})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := begin(t, store, "db")
		clearCache(t, tx, c)
		answer := fmt.Errorf("driver: %w", sqlError(state))
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return answer }); err != answer {
			t.Errorf("CommitWith = %v, want %v", err, answer)
		}
		if got := store.Status().InDoubt == 1; got != doubt {
			t.Errorf("%s: in doubt is %v, want %v", state, got, doubt)
		}
	}
}

// An sqlError is a server's answer, as drivers for PostgreSQL return it.
type sqlError string

func (e sqlError) SQLState() string { return string(e) }
func (e sqlError) Error() string {
	return `insert or update on table "connections" violates something (SQLSTATE ` + string(e) + `)`
}
