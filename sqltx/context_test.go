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

// The context ends in the middle of the commit: what the driver makes of that
// tells nothing of the outcome, and the clear is announced all the same.
func TestContextDoneDuringCommit(t *testing.T) {
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
		return ctx.Err()
	}
	if err := tx.Commit(); !errors.Is(err, sqltx.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v, want ErrUnknownOutcome", err)
	}
	if got := seen(t, s.store, price); got != 0 {
		t.Errorf("others see %d, want a miss", got)
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
		if err := tx.Rollback(); err != sql.ErrTxDone {
			t.Errorf("Rollback: %v, want sql.ErrTxDone itself", err)
		}
		if _, ok := price.Get(t.Context(), tx.Cache, "book"); ok {
			t.Error("the cache's side was not rolled back")
		}
	})
}
