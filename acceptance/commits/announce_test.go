package commits_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P5, P7: a clear is not forgotten because another announcement waits that does
// something else.
func TestClearsThatWaitStandForTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		down := errors.New("connection refused")
		for _, name := range []string{"Fence", "Unfence", "Clear"} {
			r.Failing(name, down)
		}
		refused := storetest.Begin(t, store, "db")
		storetest.Clear(t, refused, c)
		if err := refused.Commit(t.Context()); !errors.Is(err, txcache.ErrUnavailable) {
			t.Fatalf("Commit = %v; want ErrUnavailable", err)
		}
		r.Failing("Fence", nil)
		for _, database := range []string{"db", "other"} {
			tx := storetest.Begin(t, store, database)
			storetest.Clear(t, tx, c)
			storetest.Commit(t, tx)
		}
		if got := store.Waiting(); got != 2 {
			t.Errorf("Waiting = %d; want the clears of two databases, for which no fence to lift stands", got)
		}
		r.Failing("Clear", nil)
		r.Failing("Unfence", nil)
		time.Sleep(time.Minute)
		if got := store.Waiting(); got != 0 {
			t.Errorf("Waiting = %d; want none", got)
		}
	})
}

// P8: where one clear stands for others, their fences do not stay until they lapse,
// and where none can stand, none is lifted.
func TestClearsThatAnotherStandsForLeaveNoFence(t *testing.T) {
	for _, test := range []struct {
		name   string
		before error // of the fence
		lifted int
	}{
		{"the outage begins after the fences", nil, 2},
		{"the outage begins before the fences", backend.ErrNotSent, 0},
		{"fences are given up, and may stand", errors.New("i/o timeout"), 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := storetest.NewRecorder()
				store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent, CommitOnOutage: true})
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				r.Failing("Fence", test.before)
				r.Failing("Clear", errors.New("connection refused"))
				for range 3 {
					tx := storetest.Begin(t, store, "db")
					storetest.Clear(t, tx, c)
					storetest.Commit(t, tx)
				}
				if got := store.Waiting(); got != 1 {
					t.Errorf("Waiting = %d; want one clear that stands for all", got)
				}
				r.Failing("Fence", nil)
				r.Failing("Clear", nil)
				r.Taken()
				time.Sleep(time.Second) // much less than a lease
				if got := strings.Count(r.Taken(), "Unfence"); got != test.lifted {
					t.Errorf("%d fences were lifted; want %d", got, test.lifted)
				}
				storetest.Publish(t, store, "db", c, "x", 1)
				storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "no fence stands any more")
			})
		})
	}
}

// P8: the backend is there again for one database, and soon for the other.
func TestRetriesAreFrequentAgainAfterASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := storetest.NewOutage()
		store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		b.Be(func() { b.NoClears = true })
		for _, database := range []string{"first", "second"} {
			tx := storetest.Begin(t, store, database)
			storetest.Clear(t, tx, c)
			storetest.Commit(t, tx)
		}
		time.Sleep(time.Minute) // by now it tries every few seconds
		b.Be(func() { b.Only = "second" })
		for range 10_000 {
			if store.Waiting() == 1 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if got := store.Waiting(); got != 1 {
			t.Fatalf("Waiting = %d ten seconds after the first database is there; want 1", got)
		}
		b.Be(func() { b.NoClears = false })
		time.Sleep(200 * time.Millisecond)
		if got := store.Waiting(); got != 0 {
			t.Errorf("Waiting = %d; want none a moment after the second database is there", got)
		}
	})
}

// P5: a clear that waits is tried for the last time before the backend is closed.
func TestCloseTriesForTheLastTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		r.Failing("Clear", errors.New("connection refused"))
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		storetest.Commit(t, tx)
		r.Failing("Clear", nil)
		if err := store.Close(); err != nil {
			t.Errorf("Close = %v; want nil, for the backend takes the clear", err)
		}
	})
}

// P3: a commit of a clear counts in its own process before anybody was asked.
func TestWhatIsBeingClearedIsHeld(t *testing.T) {
	for _, all := range []bool{false, true} {
		store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{Poll: time.Hour})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		before := storetest.Begin(t, store, "db")
		storetest.Hit(t, before, c, "x", 1, "nobody has cleared it")
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		if all {
			if err := tx.ClearAll(); err != nil {
				t.Fatal(err)
			}
		}
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the database may show the commit already")
			storetest.Miss(t, before, c, "x", "the process knows that it is being cleared")
			storetest.Miss(t, tx, c, "x", "the transaction is finished")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it was cleared")
		storetest.Miss(t, before, c, "x", "the process knows that it was cleared")
	}
}

// A transaction is finished from when its commit has begun.
func TestNothingIsReadWhileTheCommitRuns(t *testing.T) {
	store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.Begin(t, store, "db")
	c.Set(tx, "x", 1)
	err := tx.CommitWith(t.Context(), func(context.Context) error {
		storetest.Miss(t, tx, c, "x", "the transaction is finished")
		c.Set(tx, "y", 2)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "it was set before")
	storetest.Miss(t, storetest.Begin(t, store, "db"), c, "y", "it was set by a finished transaction")
}

// P10: a transaction that began before a clear does not keep what was cleared.
func TestP10ClearedValuesGoWhileOldTransactionsAreOpen(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[int, []byte](t, store, "c", txcache.CacheOptions{})
	before := storetest.Heap()
	for i := range 40 {
		storetest.Publish(t, store, "db", c, i, make([]byte, 1<<20))
	}
	old := storetest.Begin(t, store, "db")
	if _, ok := c.Get(t.Context(), old, 1); !ok {
		t.Fatal("nothing is kept")
	}
	tx := storetest.Begin(t, store, "db")
	storetest.Clear(t, tx, c)
	storetest.Commit(t, tx)
	if grown := int64(storetest.Heap()) - int64(before); grown > 20<<20 {
		t.Errorf("%d MB are in use that were cleared", grown>>20)
	}
	storetest.Miss(t, old, c, 1, "it was cleared")
}

// A sluggish backend takes a second for a state.
type sluggish struct{ *storetest.Recorder }

func (s sluggish) Sync(ctx context.Context, database string) (*backend.State, error) {
	state, err := s.Recorder.Sync(ctx, database)
	time.Sleep(time.Second)
	return state, err
}

// P3: what is committed while the state is on its way may be missing from it.
func TestAStateIsAsNewAsItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewStore(t, sluggish{storetest.NewRecorder()}, txcache.Options{})
		asked := time.Now()
		if got := storetest.Begin(t, store, "db").SyncedAt(); got.After(asked) {
			t.Errorf("SyncedAt is %v after the state was asked for", got.Sub(asked))
		}
	})
}
