package commits_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
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
		"the server says so":   sqlError("40003"),
		"the server goes":      &fieldError{SQLState: [5]byte([]byte("08S01")), text: "Server shutdown in progress"},
		"nobody knows it":      errors.New("ORA-03113: end-of-file on communication channel"),
	}
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, failure := range failures {
			if name != failing && s.Name != storetest.Setups[0].Name {
				continue // once is enough
			}
			t.Run(name, func(t *testing.T) {
				servers := s.Open(t, 2, txcache.Options{Logger: storetest.Silent, Fence: 300 * time.Millisecond})
				var caches []*txcache.Cache[string, int]
				for _, store := range servers {
					caches = append(caches, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{}))
				}
				storetest.Publish(t, servers[0], "db", caches[0], "x", 1)
				writer := storetest.Begin(t, servers[0], "db")
				storetest.Clear(t, writer, caches[0])
				if err := writer.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
					t.Errorf("CommitWith = %v; want the error as it is", err)
				}
				for i, store := range servers {
					storetest.Publish(t, store, "db", caches[i], "x", 1) // the old row
					storetest.Miss(t, storetest.Begin(t, store, "db"), caches[i], "x", "the commit may still take effect")
				}
				storetest.Within(t, storetest.Recovery, "the caches are used again", func() bool {
					for i, store := range servers {
						storetest.Publish(t, store, "db", caches[i], "x", 2)
						if v, ok := caches[i].Get(t.Context(), storetest.Begin(t, store, "db"), "x"); !ok || v != 2 {
							return false
						}
					}
					return true
				})
			})
		}
	})
}

// The fence stands for the whole lease, then the caches are cleared; where the
// database is known to have refused they are cleared at once.
func TestFenceOfACommitInDoubtStandsForItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		failedCommit(t, store, c, io.EOF)
		time.Sleep(time.Minute - time.Nanosecond)
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the lease has not ended")
		if got := r.Taken(); got != "Fence Fence" {
			t.Errorf("%s; want the fence, and that it is renewed for the whole lease", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got := r.Taken(); got != "Clear" {
			t.Errorf("%s; want the clear, when the lease has ended", got)
		}
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "the cache is in use again")

		failedCommit(t, store, c, txcache.NotCommitted(errors.New("there is no connection between Berlin and Paris")))
		if got := r.Taken(); got != "Fence Clear" {
			t.Errorf("%s; want the clear at once", got)
		}
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "the cache is in use at once")
	})
}

// failedCommit commits a clear of c, which the database answers with failure.
func failedCommit(t *testing.T, store *txcache.Store, c *txcache.Cache[string, int], failure error) {
	t.Helper()
	tx := storetest.Begin(t, store, "db")
	storetest.Clear(t, tx, c)
	if err := tx.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
		t.Errorf("CommitWith = %v; want %v", err, failure)
	}
}

// A clear that is put off is none that Close waits for, as the fence lapses by
// itself; but it is told.
func TestCloseTellsOfCommitsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		for _, name := range []string{"a", "b"} {
			failedCommit(t, store, storetest.NewCache[string, int](t, store, name, txcache.CacheOptions{}), io.EOF)
		}
		start := time.Now()
		err := store.Close()
		if !errors.Is(err, txcache.ErrInDoubt) || errors.Is(err, txcache.ErrUnavailable) || !strings.Contains(err.Error(), "2 clears") || time.Since(start) != 0 {
			t.Errorf("Close = %v after %v; want ErrInDoubt with the number of clears, at once", err, time.Since(start))
		}
		time.Sleep(time.Hour)
		if got := r.Taken(); got != "Fence Fence Fence Fence" {
			t.Errorf("%s; want no clear: it would lift the fence too early", got)
		}
	})
}

// The same where the commit comes to its end, in doubt, while the store closes.
func TestCloseTellsOfACommitThatEndsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		var wg sync.WaitGroup
		wg.Go(func() {
			tx.CommitWith(t.Context(), func(context.Context) error {
				time.Sleep(500 * time.Millisecond)
				r.Failing("Fence", errors.New("connection refused"))
				return io.EOF
			})
		})
		synctest.Wait()
		if err := store.Close(); !errors.Is(err, txcache.ErrInDoubt) || !strings.Contains(err.Error(), "1 clears") {
			t.Errorf("Close = %v; want ErrInDoubt with the clear", err)
		}
		wg.Wait()
		r.Taken()
		time.Sleep(time.Hour)
		if got := r.Taken(); got != "" {
			t.Errorf("%s after the store was closed; want nothing", got)
		}
	})
}

// Doubts of the same caches, one after another, cost the backend and the process
// one fence; the clear comes when the last lease has ended.
func TestDoubtsOfTheSameCachesAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &standing{Backend: memorybackend.New()}
		store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		other := storetest.NewCache[string, int](t, store, "other", txcache.CacheOptions{})
		failedCommit(t, store, other, io.EOF)
		for range 100 {
			failedCommit(t, store, c, io.EOF)
			time.Sleep(100 * time.Millisecond)
		}
		if got := b.fences(); got != 2 {
			t.Errorf("%d fences stand; want one for each cache", got)
		}
		all := storetest.Begin(t, store, "db")
		if err := all.ClearAll(); err != nil {
			t.Fatal(err)
		}
		all.CommitWith(t.Context(), func(context.Context) error { return io.EOF })
		failedCommit(t, store, c, io.EOF)
		time.Sleep(100 * time.Millisecond)
		if got := b.fences(); got != 2 {
			t.Errorf("%d fences stand; want that of all, and the later one of a cache", got)
		}
		time.Sleep(time.Minute - 101*time.Millisecond)
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the last lease has not ended")
		time.Sleep(time.Second)
		if got, clears := b.fences(), b.cleared(); got != 0 || clears != 2 {
			t.Errorf("%d fences stand after %d clears; want none after two", got, clears)
		}
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Publish(t, store, "db", other, "x", 1)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "nothing holds the cache any more")
		storetest.Hit(t, storetest.Begin(t, store, "db"), other, "x", 1, "nothing holds the cache any more")
	})
}

// P7: a doubt takes the place of none in another database, and of none that has
// more caches.
func TestADoubtCoversNoMoreThanItsCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &standing{Backend: memorybackend.New()}
		store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		other := storetest.NewCache[string, int](t, store, "other", txcache.CacheOptions{})
		for _, database := range []string{"a", "b"} {
			both := storetest.Begin(t, store, database)
			storetest.Clear(t, both, c)
			storetest.Clear(t, both, other)
			both.CommitWith(t.Context(), func(context.Context) error { return io.EOF })
			one := storetest.Begin(t, store, database)
			storetest.Clear(t, one, c)
			one.CommitWith(t.Context(), func(context.Context) error { return io.EOF })
		}
		time.Sleep(time.Second)
		if got := b.fences(); got != 4 {
			t.Errorf("%d fences stand; want all four", got)
		}
		time.Sleep(time.Minute)
		if got, clears := b.fences(), b.cleared(); got != 0 || clears != 4 {
			t.Errorf("%d fences stand after %d clears; want none after four", got, clears)
		}
	})
}

// P3: the backend is away when a commit becomes in doubt: its fence is renewed as
// soon as that is possible, and no earlier doubt gives way to it until then.
func TestFenceOfACommitInDoubtIsRenewedWhenItCanBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent, Fence: time.Minute})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		failedCommit(t, store, c, io.EOF)
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		r.Taken()
		tx.CommitWith(t.Context(), func(context.Context) error {
			r.Failing("Fence", errors.New("connection refused"))
			return io.EOF
		})
		time.Sleep(11 * time.Second)
		if got := r.Taken(); got != "Fence Fence Fence Fence" && got != "Fence Fence Fence" {
			t.Errorf("calls: %s; want the fence, and its renewal tried again each twelfth of the lease", got)
		}
		r.Failing("Fence", nil)
		time.Sleep(5 * time.Second)
		if got := r.Taken(); got != "Fence" {
			t.Errorf("calls: %s; want the renewal", got)
		}
		time.Sleep(2 * time.Minute)
		if got := strings.Count(r.Taken(), "Clear"); got != 2 {
			t.Errorf("%d clears; want one for each doubt", got)
		}
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "nothing holds the cache any more")
	})
}

// A standing backend knows which fences stand.
type standing struct {
	backend.Backend

	mu     sync.Mutex
	stand  []backend.Token
	clears int
}

func (s *standing) Fence(ctx context.Context, database string, f backend.Fence) error {
	s.change(f, true)
	return s.Backend.Fence(ctx, database, f)
}

func (s *standing) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	s.change(f, false)
	s.mu.Lock()
	s.clears++
	s.mu.Unlock()
	return s.Backend.Clear(ctx, database, f)
}

func (s *standing) Unfence(ctx context.Context, database string, f backend.Fence) error {
	s.change(f, false)
	return s.Backend.Unfence(ctx, database, f)
}

func (s *standing) change(f backend.Fence, stands bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stand = slices.DeleteFunc(s.stand, func(id backend.Token) bool { return id == f.ID })
	if stands {
		s.stand = append(s.stand, f.ID)
	}
}

func (s *standing) fences() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stand)
}

func (s *standing) cleared() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clears
}
