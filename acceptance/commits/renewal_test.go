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

// P3: the database may be committing still when the caller has gone.
func TestTheFenceIsRenewedAfterTheContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		tx := clearing(t, r, txcache.Options{Fence: 30 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		err := tx.CommitWith(ctx, func(context.Context) error {
			cancel()
			time.Sleep(35 * time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Taken(); got != "Fence Fence Fence Fence Clear" {
			t.Errorf("calls: %s; want a renewal each third of the lease", got)
		}
	})
}

// A renewals is a recorder whose renewals take their time, whatever their context.
type renewals struct {
	*storetest.Recorder
	placed bool
}

func (r *renewals) Fence(ctx context.Context, database string, f backend.Fence) error {
	if r.placed {
		time.Sleep(5 * time.Second)
	}
	r.placed = true
	return r.Recorder.Fence(context.WithoutCancel(ctx), database, f)
}

// A givenUp backend returns from a call when its context ends, as clients of
// servers do, and carries it out all the same a while later.
type givenUp struct {
	*storetest.Recorder
	placed bool
}

func (g *givenUp) Fence(ctx context.Context, database string, f backend.Fence) error {
	if !g.placed {
		g.placed = true
		return g.Recorder.Fence(ctx, database, f)
	}
	done := make(chan error, 1)
	go func() {
		time.Sleep(2 * time.Second)
		done <- g.Recorder.Fence(context.WithoutCancel(ctx), database, f)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A renewal that is cancelled may arrive after the clear.
func TestNoRenewalIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &givenUp{Recorder: storetest.NewRecorder()}
		store := storetest.NewStore(t, g, txcache.Options{Fence: 30 * time.Second})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			time.Sleep(11 * time.Second) // a renewal is on its way
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if got := g.Taken(); got != "Fence Fence Clear" {
			t.Errorf("calls: %s; want Fence Fence Clear", got)
		}
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "no fence stands")
	})
}

// A renewal that arrived after the clear would put the fence up again.
func TestNoRenewalFollowsTheClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &renewals{Recorder: storetest.NewRecorder()}
		tx := clearing(t, r, txcache.Options{Fence: 30 * time.Second})
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			time.Sleep(12 * time.Second) // a renewal is on its way
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := r.Taken(); got != "Fence Fence Clear" {
			t.Errorf("calls: %s; want Fence Fence Clear", got)
		}
	})
}

// P3: a renewal that failed is tried again before the lease has ended.
func TestARenewalThatFailedIsTriedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		tx := clearing(t, r, txcache.Options{Logger: storetest.Silent, Fence: 30 * time.Second})
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			r.Failing("Fence", errors.New("connection refused"))
			time.Sleep(19 * time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Taken(); got != "Fence Fence Fence Fence Fence Clear" {
			t.Errorf("calls: %s; want four renewals within nine seconds, for they fail", got)
		}
	})
}

func TestFenceIsRenewedWhileTheCommitRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		tx := clearing(t, r, txcache.Options{Fence: 30 * time.Second})
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			time.Sleep(35 * time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := r.Taken(); got != "Fence Fence Fence Fence Clear" {
			t.Errorf("calls: %s; want a renewal each third of the lease, and none after the clear", got)
		}
	})
}
