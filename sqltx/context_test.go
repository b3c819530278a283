package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

func TestContextDoneBeforeCommit(t *testing.T) {
	cause := errors.New("the user left")
	for _, test := range []struct {
		name   string
		clears bool
		pause  time.Duration // in which database/sql rolls back by itself
	}{
		{"with a clear", true, 0},
		{"without a clear", false, 0},
		{"with a clear, after a while", true, time.Second},
		{"without a clear, after a while", false, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				price := newCache(t, s.store)
				fill(t, s.store, price, 10)
				ctx, cancel := context.WithCancelCause(t.Context())
				tx := begin(t, ctx, s, nil)
				if test.clears {
					if err := price.Clear(tx.Cache); err != nil {
						t.Fatal(err)
					}
				}
				cancel(cause)
				time.Sleep(test.pause)
				if err := tx.Commit(); !errors.Is(err, cause) || errors.Is(err, sqltx.ErrUnknownOutcome) {
					t.Errorf("Commit: %v, want the cause", err)
				}
				synctest.Wait()
				if steps := s.taken(); slices.Contains(steps, "COMMIT") || !slices.Contains(steps, "ROLLBACK") {
					t.Errorf("steps are %q, want a rollback and no commit", steps)
				}
				if got := seen(t, s.store, price); got != 10 {
					t.Errorf("others see %d, want 10", got)
				}
			})
		})
	}
}

// The context ends right after Commit has looked at it, and the rollback that
// this starts in database/sql goes first: nothing was sent.
func TestContextDoneWhileCommitBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		ctx := &fading{Context: context.Background(), done: make(chan struct{})}
		tx := begin(t, ctx, s, nil)
		s.taken()
		ctx.arm()
		if err := tx.Commit(); err != context.Canceled {
			t.Errorf("Commit: %v, want context.Canceled", err)
		}
		s.expect(t, "ROLLBACK")
	})
}

// A fading context, once armed, is done right after the next call of Err.
type fading struct {
	context.Context
	done chan struct{}

	mu    sync.Mutex
	armed bool
}

func (c *fading) arm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = true
}

func (c *fading) Done() <-chan struct{} { return c.done }

func (c *fading) Err() error {
	c.mu.Lock()
	armed := c.armed
	c.armed = false
	c.mu.Unlock()
	if armed {
		close(c.done)
		synctest.Wait()
		return nil
	}
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// The context ends in the middle of the commit: its answer is waited for.
func TestContextDoneDuringCommit(t *testing.T) {
	for _, test := range []struct {
		name    string
		outcome error
		step    string
	}{
		{"it succeeds", nil, "Clear"},
		{"it is refused", sqlError("40001"), "Clear"},
		{"the connection breaks", errDriver, "Fence"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				price := newCache(t, s.store)
				fill(t, s.store, price, 10)
				ctx, cancel := context.WithCancel(t.Context())
				tx := begin(t, ctx, s, nil)
				if err := price.Clear(tx.Cache); err != nil {
					t.Fatal(err)
				}
				s.onCommit = func() error {
					cancel()
					synctest.Wait()
					if s.begun.Err() != nil {
						return s.begun.Err() // as a driver does whose context has ended
					}
					return test.outcome
				}
				s.taken()
				if err := tx.Commit(); !errors.Is(err, test.outcome) || errors.Is(err, context.Canceled) {
					t.Errorf("Commit: %v, want what the database answered: %v", err, test.outcome)
				}
				s.expect(t, "Fence", "COMMIT", test.step)
				if got := seen(t, s.store, price); got != 0 {
					t.Errorf("others see %d, want a miss", got)
				}
			})
		})
	}
}

// A commit that the database does not answer is given up in the end, and is in
// doubt.
func TestCommitThatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		price := newCache(t, s.store)
		tx := begin(t, t.Context(), s, nil)
		if err := price.Clear(tx.Cache); err != nil {
			t.Fatal(err)
		}
		s.onCommit = func() error {
			<-s.begun.Done()
			return s.begun.Err()
		}
		s.taken()
		start := time.Now()
		err := tx.Commit()
		if !errors.Is(err, sqltx.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("Commit: %v after %v, want ErrUnknownOutcome and a deadline after a minute", err, time.Since(start))
		}
		if got := s.taken(); !slices.Equal(got, []string{"Fence", "COMMIT", "Fence", "Fence", "Fence", "Fence"}) {
			t.Errorf("steps are %q, want three renewals meanwhile, and one for the doubt", got)
		}
	})
}

// The context ends while the fence is placed, before the database was asked:
// nothing has changed, and the cache is in use again at once.
func TestContextDoneDuringTheFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		price := newCache(t, s.store)
		fill(t, s.store, price, 10)
		cause := errors.New("the user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		tx := begin(t, ctx, s, nil)
		if err := price.Clear(tx.Cache); err != nil {
			t.Fatal(err)
		}
		s.fenced = func() { cancel(cause) }
		s.taken()
		if err := tx.Commit(); !errors.Is(err, cause) || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Commit: %v, want the cause", err)
		}
		if got := seen(t, s.store, price); got != 10 {
			t.Errorf("others see %d, want the 10 that is still right", got)
		}
		synctest.Wait()
		if got := s.taken(); slices.Contains(got, "COMMIT") || !slices.Contains(got, "ROLLBACK") {
			t.Errorf("steps are %q, want a rollback and no commit", got)
		}
		if s := s.store.Status(); s.InDoubt != 0 || s.Refused != 0 {
			t.Errorf("Status is %+v, want no doubt and nothing refused", s)
		}
	})
}

// A transaction that waits for a connection does so no longer than its context.
func TestContextDoneWhileTheTransactionBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.db.SetMaxOpenConns(1)
		first := begin(t, t.Context(), s, nil)
		defer first.Rollback()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if tx, err := sqltx.Begin(ctx, s.store, "shop", s.db, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Begin returned %v, %v; want the context's error", tx, err)
		}
	})
}

// A context outlives many transactions; none of them stays behind in it.
func TestContextForgetsFinishedTransactions(t *testing.T) {
	for name, end := range map[string]func(*sqltx.Tx) error{"commit": (*sqltx.Tx).Commit, "rollback": (*sqltx.Tx).Rollback} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				ctx, cancel := context.WithCancel(t.Context())
				tx := begin(t, ctx, s, nil)
				if err := end(tx); err != nil {
					t.Fatal(err)
				}
				cancel()
				synctest.Wait()
				if s.begun.Err() != nil {
					t.Error("the end of the context has reached a transaction that was finished")
				}
			})
		})
	}
}

func TestDatabaseRollsBackWhenTheContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		price := newCache(t, s.store)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		tx := begin(t, ctx, s, nil)
		price.Set(tx.Cache, "book", 12)
		time.Sleep(time.Second)
		synctest.Wait()
		s.expect(t, "Sync", "BEGIN", "ROLLBACK")
		if _, ok := price.Get(t.Context(), tx.Cache, "book"); ok {
			t.Error("the cache's side is not rolled back with the database's")
		}
		if err := tx.Rollback(); err != sql.ErrTxDone {
			t.Errorf("Rollback: %v, want sql.ErrTxDone itself", err)
		}
		if err := tx.Cache.Rollback(); !errors.Is(err, txcache.ErrTxDone) {
			t.Errorf("the cache's side was left open: %v", err)
		}
	})
}
