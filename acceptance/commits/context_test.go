package commits_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P8: with CommitOnOutage, too, nothing is committed for a caller that has given up.
func TestNoCommitOnceTheContextIsDone(t *testing.T) {
	r := storetest.NewRecorder()
	tx := clearing(t, r, txcache.Options{Logger: storetest.Silent, CommitOnOutage: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := tx.CommitWith(ctx, func(context.Context) error {
		t.Error("the database was asked to commit")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("CommitWith = %v; want the context's error", err)
	}
	if got := r.Taken(); got != "" {
		t.Errorf("calls: %s; want none, as nothing was sent", got)
	}
}

// P3: the caller goes while the database commits; the clear goes out all the same.
func TestTheClearGoesOutAfterTheContextIsDone(t *testing.T) {
	r := storetest.NewRecorder()
	store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	for _, answer := range []error{nil, txcache.NotCommitted(errors.New("serialization failure"))} {
		storetest.Publish(t, store, "db", c, "x", 1)
		ctx, cancel := context.WithCancel(t.Context())
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		err := tx.CommitWith(ctx, func(context.Context) error {
			cancel()
			return answer
		})
		if err != answer {
			t.Errorf("CommitWith = %v; want the database's answer, %v", err, answer)
		}
		if got := r.Taken(); got != "Fence Clear" || store.Waiting() != 0 {
			t.Errorf("calls: %s, %d clears wait; want Fence Clear and none", got, store.Waiting())
		}
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it was cleared")
	}
}

// A keyed value comes with the caller's context.
type keyed struct{}

// The database's commit has a context of its own: with the caller's values,
// without its end, and with a limit.
func TestCommitHasAContextOfItsOwn(t *testing.T) {
	for _, clears := range []bool{false, true} {
		for limit, want := range map[time.Duration]time.Duration{0: time.Minute, time.Hour: time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{Logger: storetest.Silent, CommitTimeout: limit})
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), keyed{}, "mine"), time.Second)
				defer cancel()
				tx := storetest.Begin(t, store, "db")
				if clears {
					storetest.Clear(t, tx, c)
				}
				start := time.Now()
				err := tx.CommitWith(ctx, func(inner context.Context) error {
					if inner.Value(keyed{}) != "mine" {
						t.Error("the values of the caller's context are gone")
					}
					<-inner.Done()
					return context.Cause(inner)
				})
				if took := time.Since(start); took != want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("CommitWith = %v after %v; want the end of a limit after %v", err, took, want)
				}
			})
		}
	}
}

func TestCommitTimeoutIsChecked(t *testing.T) {
	if _, err := txcache.New(storetest.NewRecorder(), &txcache.Options{CommitTimeout: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
}

// An ending backend ends a context before or after a fence is placed.
type ending struct {
	*storetest.Recorder
	before, after func()
}

func (e *ending) Fence(ctx context.Context, database string, f backend.Fence) error {
	e.before()
	err := e.Recorder.Fence(ctx, database, f)
	e.after()
	return err
}

// The context of a commit ends at any moment: only while the database commits is
// there any doubt, and then its answer decides.
func TestContextEndsAtAnyMomentOfACommit(t *testing.T) {
	cause := errors.New("the user left")
	for _, test := range []struct {
		moment string
		calls  string
		asked  bool
	}{
		{"before", "", false},
		{"before the fence", "Fence Unfence", false},
		{"after the fence", "Fence Unfence", false},
		{"during the commit", "Fence Clear", true},
		{"never", "Fence Clear", true},
	} {
		t.Run(test.moment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				at := func(moment string) func() {
					return func() {
						if moment == test.moment {
							cancel(cause)
						}
					}
				}
				e := &ending{storetest.NewRecorder(), func() {}, func() {}}
				store := storetest.NewStore(t, e, txcache.Options{Logger: storetest.Silent})
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				storetest.Publish(t, store, "db", c, "x", 1)
				tx := storetest.Begin(t, store, "db")
				storetest.Clear(t, tx, c)
				e.before, e.after = at("before the fence"), at("after the fence")
				at("before")()
				asked := false
				err := tx.CommitWith(ctx, func(inner context.Context) error {
					asked = true
					at("during the commit")()
					return inner.Err()
				})
				if asked != test.asked || (err == nil) != test.asked || err != nil && !errors.Is(err, cause) {
					t.Errorf("CommitWith = %v, the database was asked: %v; want that: %v, and else the cause", err, asked, test.asked)
				}
				time.Sleep(time.Second)
				if got := e.Taken(); got != test.calls {
					t.Errorf("calls: %q; want %q", got, test.calls)
				}
				if s := store.Status(); s.InDoubt != 0 || s.Refused != 0 {
					t.Errorf("Status is %+v; want no doubt and nothing refused", s)
				}
				if test.asked {
					storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it was cleared")
				} else {
					storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "nothing was committed")
				}
			})
		})
	}
}

// Without a clear, too, the database is not asked to commit for a caller that has
// gone, and nothing is published.
func TestNoCommitForACallerThatHasGone(t *testing.T) {
	store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tx := storetest.Begin(t, store, "db")
	c.Set(tx, "x", 1)
	err := tx.CommitWith(ctx, func(context.Context) error {
		t.Error("the database was asked to commit")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("CommitWith = %v; want the context's error", err)
	}
	storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "nothing was committed")
}
