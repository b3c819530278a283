package acceptance_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func TestNewChecksItsOptions(t *testing.T) {
	for name, opts := range map[string]txcache.Options{
		"Size":       {Size: -1},
		"Poll":       {Poll: -1},
		"Fence":      {Fence: -1},
		"Lease":      {Lease: -1},
		`Sizes["c"]`: {Sizes: map[string]int{"c": 0}},
	} {
		if _, err := txcache.New(memorybackend.New(), &opts); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New with a bad %s = %v; want an error that names it", name, err)
		}
	}
	if _, err := txcache.New(nil, nil); err == nil {
		t.Error("New without a backend succeeds")
	}
}

func TestDatabaseNames(t *testing.T) {
	store := storetest.Setups[0].One(t)
	for _, name := range []string{"", "\xff", "a\xc3"} {
		_, err := store.Begin(t.Context(), name)
		_, readOnly := store.BeginReadOnly(t.Context(), name)
		for call, err := range map[string]error{
			"Begin":         err,
			"BeginReadOnly": readOnly,
			"Update":        store.Update(t.Context(), name, nil),
			"View":          store.View(t.Context(), name, nil),
			"Sync":          store.Sync(t.Context(), name),
			"Drop":          store.Drop(t.Context(), name),
		} {
			if err == nil || !strings.Contains(err.Error(), "database name") {
				t.Errorf("%s(%q) = %v; want an error about the name", call, name, err)
			}
		}
	}
	if got := storetest.Begin(t, store, "shop").Database(); got != "shop" {
		t.Errorf("Database = %q; want shop", got)
	}
}

func TestBeginWithACancelledContext(t *testing.T) {
	store := storetest.Setups[0].One(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Begin(ctx, "db"); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin = %v; want the context's error", err)
	}
}

func TestClosedStore(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		writer, clearing := storetest.Begin(t, store, "db"), storetest.Begin(t, store, "db")
		c.Set(writer, "x", 1)
		storetest.Clear(t, clearing, c)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := store.Begin(t.Context(), "db")
		_, newCacheErr := txcache.NewCache[string, int](store, "late", nil)
		for call, err := range map[string]error{
			"Begin":    err,
			"NewCache": newCacheErr,
			"Sync":     store.Sync(t.Context(), "db"),
			"Drop":     store.Drop(t.Context(), "db"),
			"Update":   store.Update(t.Context(), "db", nil),
			"Commit of a clear": clearing.CommitWith(t.Context(), func(context.Context) error {
				t.Error("the database has committed")
				return nil
			}),
		} {
			if !errors.Is(err, txcache.ErrClosed) {
				t.Errorf("%s = %v; want ErrClosed", call, err)
			}
		}
		storetest.Hit(t, writer, c, "x", 1, "open transactions can still be read")
		if err := writer.Rollback(); err != nil {
			t.Errorf("Rollback = %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("second Close = %v; want nil", err)
		}
	})
}

func TestDropErrors(t *testing.T) {
	down := errors.New("connection refused")
	store := storetest.NewStore(t, failingDrop{memorybackend.New(), down}, txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, "x", 1)
	tx := storetest.Begin(t, store, "db")
	if err := store.Drop(t.Context(), "db"); !errors.Is(err, txcache.ErrUnavailable) || !errors.Is(err, down) {
		t.Errorf("Drop = %v; want ErrUnavailable with the cause", err)
	}
	storetest.Miss(t, tx, c, "x", "the database may have been dropped all the same")
	if err := store.Drop(t.Context(), "never used"); !errors.Is(err, txcache.ErrUnavailable) {
		t.Errorf("Drop = %v; want ErrUnavailable", err)
	}
}

type failingDrop struct {
	*memorybackend.Backend
	err error
}

func (f failingDrop) Drop(context.Context, string) error { return f.err }

// Scenario 15: drop and use again, again and again, with others at work.
func TestDropUnderLoad(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				err := store.Update(context.Background(), "db", func(tx *txcache.Tx) error {
					c.Set(tx, i%10, i)
					if i%7 == 0 {
						return c.Clear(tx)
					}
					return nil
				})
				if err != nil {
					t.Errorf("Update: %v", err)
					return
				}
			}
		})
	}
	for range 200 {
		if err := store.Drop(t.Context(), "db"); err != nil {
			t.Errorf("Drop: %v", err)
		}
	}
	close(stop)
	wg.Wait()
	if err := store.Drop(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, i, "the database was dropped")
	}
}

// Scenario 19: transactions that nobody ends, and databases that are dropped,
// leave nothing behind but their memory, which is collected.
func TestManyUnfinishedTransactions(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	for i := range 10_000 {
		tx, err := store.Begin(t.Context(), "db")
		if err != nil {
			t.Fatal(err)
		}
		c.Set(tx, i, i)
	}
	if got := c.Stats().Values; got != 0 {
		t.Errorf("%d values are shared; want none, for none is committed", got)
	}
	storetest.Publish(t, store, "db", c, 1, 1)
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, 1, 1, "others are not disturbed")
}

// The outage of a backend is worth a record, not one for each request.
func TestRecordsOfAnOutageAreFew(t *testing.T) {
	var log strings.Builder
	r := storetest.NewRecorder()
	r.Failing("Sync", errors.New("connection refused"))
	store := storetest.NewStore(t, r, txcache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 1000 {
		storetest.Begin(t, store, "db").Rollback()
	}
	if got := strings.Count(log.String(), "\n"); got != 1 {
		t.Errorf("%d records of one outage; want 1:\n%s", got, log.String())
	}
	if !strings.Contains(log.String(), "database=db") || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("the record says neither where nor why:\n%s", log.String())
	}
}

// The state of a server that is late does not replace a newer one.
func TestLateStateIsNotInstalled(t *testing.T) {
	b := &lateBackend{Values: storetest.NewValues()}
	store := storetest.NewStore(t, b, txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, "x", 1)

	held, err := b.Values.Sync(t.Context(), "db")
	if err != nil {
		t.Fatal(err)
	}
	tx := storetest.Begin(t, store, "db")
	storetest.Clear(t, tx, c)
	storetest.Commit(t, tx)
	b.late = held
	storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the process knows of the clear already") // P3
}

type lateBackend struct {
	*storetest.Values
	late *backend.State
}

func (b *lateBackend) Sync(ctx context.Context, database string) (*backend.State, error) {
	if b.late != nil {
		return b.late, nil
	}
	return b.Values.Sync(ctx, database)
}

// A database that was never used costs nothing, one that is idle less than a
// kilobyte besides its values.
func TestManyDatabases(t *testing.T) {
	if testing.Short() {
		t.Skip("100000 databases take a while; without -short they are made")
	}
	const databases = 100_000
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	before := storetest.Heap()
	for i := range databases {
		tx, err := store.BeginReadOnly(t.Context(), "database-"+strings.Repeat("0", 3)+time.Duration(i).String())
		if err != nil {
			t.Fatal(err)
		}
		c.Set(tx, 1, 1)
		tx.Commit(t.Context())
	}
	perDatabase := float64(storetest.Heap()-before) / databases
	t.Logf("%.0f bytes a database with one value", perDatabase)
	if perDatabase > 1024+128 {
		t.Errorf("%.0f bytes a database; want less than 1 kB and a value", perDatabase)
	}
	if got := c.Stats().Values; got != databases {
		t.Errorf("%d values; want one in each database", got)
	}
}

// Scenario 19: stores opened and closed leave no goroutine, which is checked
// when all tests are done, and no memory.
func TestStoresOpenedAndClosed(t *testing.T) {
	open := func(n int) {
		for range n {
			s, err := txcache.New(memorybackend.New(), nil)
			if err != nil {
				t.Fatal(err)
			}
			c := storetest.NewCache[int, []byte](t, s, "c", txcache.CacheOptions{})
			err = s.View(t.Context(), "db", func(tx *txcache.Tx) error {
				c.Set(tx, 1, make([]byte, 1<<16))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	open(10)
	before := storetest.Heap()
	open(200)
	if after := storetest.Heap(); after > before+4<<20 {
		t.Errorf("200 closed stores hold %d kB", (after-before)>>10)
	}
}
