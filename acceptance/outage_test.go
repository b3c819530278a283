package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// A clear that waits for the backend stays in force when the database is
// dropped meanwhile, also if that fails. // P3
func TestDropKeepsWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOutage()
		store := newStore(t, b, txcache.Options{Logger: silent, CommitOnOutage: true})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		publish(t, store, "db", c, "x", 1)
		b.set(true)
		tx := begin(t, store, "db")
		clearCache(t, tx, c)
		commit(t, tx)
		if err := store.Drop(t.Context(), "db"); !errors.Is(err, txcache.ErrUnavailable) {
			t.Errorf("Drop = %v; want ErrUnavailable", err)
		}
		b.set(false)
		if store.Waiting() != 1 {
			t.Fatalf("Waiting = %d; want the clear", store.Waiting())
		}
		miss(t, begin(t, store, "db"), c, "x", "the clear is committed here")
		time.Sleep(time.Minute)
		miss(t, begin(t, store, "db"), c, "x", "the clear has arrived")
		publish(t, store, "db", c, "x", 2)
		hit(t, begin(t, store, "db"), c, "x", 2, "the cache is in use again")
	})
}

// A commit that began before a drop counts in the database's new life.
func TestCommitAcrossADropCountsAtOnce(t *testing.T) {
	store := setups[0].open(t, 1, txcache.Options{Poll: time.Hour})[0]
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	writer := begin(t, store, "db")
	clearCache(t, writer, c)
	if err := store.Drop(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	publish(t, store, "db", c, "x", 1)
	err := writer.CommitWith(t.Context(), func(context.Context) error {
		miss(t, begin(t, store, "db"), c, "x", "a commit of a clear is under way")
		if err := store.Drop(t.Context(), "db"); err != nil {
			return err
		}
		miss(t, begin(t, store, "db"), c, "x", "it still is")
		publish(t, store, "db", c, "x", 1)
		miss(t, begin(t, store, "db"), c, "x", "nobody fills meanwhile")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	miss(t, begin(t, store, "db"), c, "x", "own commits count at once")
	publish(t, store, "db", c, "x", 2)
	hit(t, begin(t, store, "db"), c, "x", 2, "the cache is in use again")
}

// P7: a database about which the backend cannot be told keeps no other waiting.
func TestOneDatabasesTroubleDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOutage()
		store := newStore(t, b, txcache.Options{Logger: silent})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		b.be(func() { b.clears = true })
		for _, database := range []string{"bad", "good"} {
			tx := begin(t, store, database)
			clearCache(t, tx, c)
			commit(t, tx)
		}
		b.be(func() { b.only = "bad" })
		time.Sleep(time.Minute)
		publish(t, store, "good", c, "x", 1)
		hit(t, begin(t, store, "good"), c, "x", 1, "its clear has arrived")
		if got := store.Waiting(); got != 1 {
			t.Errorf("Waiting = %d; want the clear of the other", got)
		}
		b.be(func() { b.clears = false })
	})
}

// Clears of the same caches, one after another in an outage, wait as one.
func TestClearsThatWaitAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOutage()
		store := newStore(t, b, txcache.Options{Logger: silent, CommitOnOutage: true})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		d := newCache[string, int](t, store, "d", txcache.CacheOptions{})
		publish(t, store, "db", c, "x", 1)
		b.set(true)
		for range 100 {
			tx := begin(t, store, "db")
			clearCache(t, tx, c)
			commit(t, tx)
		}
		if got := store.Waiting(); got != 1 {
			t.Errorf("Waiting = %d; want 1", got)
		}
		tx := begin(t, store, "db")
		clearCache(t, tx, d)
		commit(t, tx)
		tx = begin(t, store, "db")
		if err := tx.ClearAll(); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		if got := store.Waiting(); got != 3 {
			t.Errorf("Waiting = %d; want one each: they clear more", got)
		}
		b.set(false)
		miss(t, begin(t, store, "db"), c, "x", "the clears are committed")
		time.Sleep(time.Minute)
		if got := store.Waiting(); got != 0 {
			t.Errorf("Waiting = %d; want none", got)
		}
		publish(t, store, "db", c, "x", 2)
		hit(t, begin(t, store, "db"), c, "x", 2, "nothing holds the cache any more")
	})
}

// A clear that is on its way already may be done before another's commit, so it
// does not stand for that one's clear. // P5
func TestClearOnItsWayCoversNoLaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOutage()
		store := newStore(t, b, txcache.Options{Logger: silent})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		clearNow := func() {
			tx := begin(t, store, "db")
			clearCache(t, tx, c)
			commit(t, tx)
		}
		b.be(func() { b.clears = true })
		clearNow()
		b.be(func() { b.hang = true })
		time.Sleep(100 * time.Millisecond) // the first is on its way
		b.be(func() { b.hang = false })
		clearNow()
		if got := store.Waiting(); got != 2 {
			t.Errorf("Waiting = %d; want both clears", got)
		}
		b.be(func() { b.clears = false })
		time.Sleep(time.Minute)
		if got := store.Waiting(); got != 0 {
			t.Errorf("Waiting = %d; want none", got)
		}
	})
}

// A database that is dropped while a transaction begins: it begins in the new life.
func TestDropWhileATransactionBegins(t *testing.T) {
	b := newOutage()
	store := newStore(t, b, txcache.Options{})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	publish(t, store, "db", c, "x", 1)
	b.be(func() {
		b.afterSync = func() {
			if err := store.Drop(t.Context(), "db"); err != nil {
				t.Error(err)
			}
		}
	})
	tx := beginReadOnly(t, store, "db")
	miss(t, tx, c, "x", "it was set in the life before")
	c.Set(tx, "x", 2)
	commit(t, tx)
	before := c.Stats().RemoteHits
	hit(t, begin(t, store, "db"), c, "x", 2, "the transaction belongs to the new life")
	if c.Stats().RemoteHits != before {
		t.Error("the value was not near: the transaction filled a database that is gone")
	}
}

// A backend that hangs holds up a commit and a close for a bounded time.
func TestHangingBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOutage()
		store := newStore(t, b, txcache.Options{Logger: silent, Fence: time.Hour})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := begin(t, store, "db")
		clearCache(t, tx, c)
		start := time.Now()
		err := tx.CommitWith(t.Context(), func(context.Context) error { b.be(func() { b.hang = true }); return nil })
		if took := time.Since(start); err != nil || took > 10*time.Second {
			t.Errorf("CommitWith = %v after %v; want nil within seconds: the clear can wait", err, took)
		}
		time.Sleep(100 * time.Millisecond) // a try is under way
		start = time.Now()
		err = store.Close()
		if took := time.Since(start); !errors.Is(err, txcache.ErrUnavailable) || took > 2*time.Second {
			t.Errorf("Close = %v after %v; want ErrUnavailable within two seconds", err, took)
		}
	})
}

func TestCloseWaitsForCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, long := range []time.Duration{500 * time.Millisecond, 10 * time.Second} {
			r := newRecorder()
			store := newStore(t, r, txcache.Options{Logger: silent})
			c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
			tx := begin(t, store, "db")
			clearCache(t, tx, c)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := tx.CommitWith(t.Context(), func(context.Context) error { time.Sleep(long); return nil }); err != nil {
					t.Errorf("CommitWith = %v", err)
				}
			})
			synctest.Wait()
			start := time.Now()
			err := store.Close()
			if took := time.Since(start); took > time.Second {
				t.Errorf("Close took %v; want a second at most, as the backend answers", took)
			}
			if long < time.Second && (err != nil || r.taken() != "Fence Clear") {
				t.Errorf("Close = %v before the clear; want it to wait for the commit", err)
			}
			if long > time.Second && !errors.Is(err, txcache.ErrUnavailable) {
				t.Errorf("Close = %v; want an error, for the commit takes too long", err)
			}
			wg.Wait()
		}
	})
}

// An outageBackend keeps values, and fails or hangs when told to.
type outageBackend struct {
	*values

	mu     sync.Mutex
	down   bool   // everything fails
	clears bool   // clears fail
	only   string // those of this database, if it is set
	hang   bool   // clears wait for their context

	afterSync func() // called once, when the next Sync has its answer
}

func newOutage() *outageBackend { return &outageBackend{values: newValues()} }

// be changes what fails.
func (o *outageBackend) be(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *outageBackend) set(down bool) { o.be(func() { o.down = down }) }

func (o *outageBackend) refuse() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return errors.New("connection refused")
	}
	return nil
}

func (o *outageBackend) Sync(ctx context.Context, database string) (*backend.State, error) {
	if err := o.refuse(); err != nil {
		return nil, err
	}
	state, err := o.values.Sync(ctx, database)
	o.mu.Lock()
	after := o.afterSync
	o.afterSync = nil
	o.mu.Unlock()
	if after != nil {
		after()
	}
	return state, err
}

func (o *outageBackend) Fence(ctx context.Context, database string, f backend.Fence) error {
	if err := o.refuse(); err != nil {
		return err
	}
	return o.values.Fence(ctx, database, f)
}

func (o *outageBackend) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if err := o.refuse(); err != nil {
		return nil, err
	}
	o.mu.Lock()
	hang, refused := o.hang, o.clears && (o.only == "" || o.only == database)
	o.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if refused {
		return nil, fmt.Errorf("no clear of %s", database)
	}
	return o.values.Clear(ctx, database, f)
}

func (o *outageBackend) Drop(ctx context.Context, database string) error {
	if err := o.refuse(); err != nil {
		return err
	}
	return o.values.Drop(ctx, database)
}
