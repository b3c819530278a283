package commits_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A fence that could not be lifted has lapsed after its lease, and is let be.
func TestAFenceIsLiftedForAsLongAsItStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent, Fence: 30 * time.Second})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		down := errors.New("connection refused")
		r.Failing("Fence", down)
		r.Failing("Unfence", down)
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		if err := tx.Commit(t.Context()); !errors.Is(err, txcache.ErrUnavailable) {
			t.Fatalf("Commit = %v; want ErrUnavailable", err)
		}
		time.Sleep(20 * time.Second)
		if r.Taken() == "Fence" {
			t.Error("the fence, which may stand, is not lifted")
		}
		time.Sleep(20 * time.Second)
		r.Taken()
		time.Sleep(time.Hour)
		if got := r.Taken(); got != "" {
			t.Errorf("calls: %s; want none, for the fence has lapsed", got)
		}
	})
}

// What was certainly not sent need not be lifted: after an outage the backend is
// told of what may be there, and of nothing else.
func TestAFenceThatWasNotSentIsNotLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		refuse := func(why error) {
			r.Failing("Fence", why)
			for range 100 {
				tx := storetest.Begin(t, store, "db")
				storetest.Clear(t, tx, c)
				if err := tx.Commit(t.Context()); !errors.Is(err, txcache.ErrUnavailable) {
					t.Fatalf("Commit = %v; want ErrUnavailable", err)
				}
			}
			r.Failing("Fence", nil)
			r.Taken()
			time.Sleep(time.Second)
		}
		refuse(fmt.Errorf("%w: the breaker is open", backend.ErrNotSent))
		if got := r.Taken(); got != "" {
			t.Errorf("calls: %s; want none, for nothing was sent", got)
		}
		refuse(errors.New("no answer"))
		if got := strings.Count(r.Taken(), "Unfence"); got != 100 {
			t.Errorf("%d fences are lifted; want all that may stand", got)
		}
	})
}

// P8: fences to lift, of which there may be many, keep no clear waiting; those
// that have lapsed are let be.
func TestClearsDoNotWaitForLifts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &slowLifts{Recorder: storetest.NewRecorder()}
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent, Fence: 30 * time.Second})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		down := errors.New("no answer")
		r.Failing("Fence", down)
		for range 1000 {
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			tx.Commit(t.Context())
		}
		r.Failing("Fence", nil)
		time.Sleep(time.Second) // lifts are on their way
		r.Failing("Clear", down)
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		storetest.Commit(t, tx)
		r.Failing("Clear", nil)
		time.Sleep(time.Second)
		if got := store.Waiting(); got != 0 {
			t.Errorf("Waiting = %d; want none: the clear goes first", got)
		}
		time.Sleep(time.Minute)
		if got := strings.Count(r.Taken(), "Unfence"); got > 400 {
			t.Errorf("%d fences were lifted, each in a tenth of a second, though they lapse after half a minute", got)
		}
	})
}

// A slowLifts backend takes a tenth of a second to lift a fence.
type slowLifts struct{ *storetest.Recorder }

func (s *slowLifts) Unfence(ctx context.Context, database string, f backend.Fence) error {
	select {
	case <-time.After(100 * time.Millisecond):
		return s.Recorder.Unfence(ctx, database, f)
	case <-ctx.Done():
		return ctx.Err()
	}
}
