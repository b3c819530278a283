package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func TestStatusOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent, Poll: time.Second})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		down := errors.New("refused")
		clear := func() error {
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			return tx.CommitWith(t.Context(), func(context.Context) error { return nil })
		}

		r.Failing("Sync", down)
		storetest.Begin(t, store, "db")
		r.Failing("Sync", nil)
		if err := clear(); err != nil {
			t.Fatal(err)
		}
		r.Failing("Fence", down)
		if err := clear(); !errors.Is(err, txcache.ErrUnavailable) {
			t.Fatalf("CommitWith = %v", err)
		}
		r.Failing("Fence", nil)
		r.Failing("Clear", down)
		if err := clear(); err != nil {
			t.Fatal(err)
		}
		status := func() txcache.Status {
			s := store.Status()
			if s.Memory <= 0 || s.MemoryMax <= s.Memory {
				t.Errorf("%d bytes of %d", s.Memory, s.MemoryMax)
			}
			s.Memory, s.MemoryMax = 0, 0 // of this machine
			return s
		}
		want := txcache.Status{Stateless: 1, Fences: 2, Refused: 1, Delayed: 1, Waiting: 1, Databases: 1, Staleness: time.Second, CommitDurations: backend.Durations{0: 2}}
		if got := status(); got != want {
			t.Errorf("Status is %+v\nwant      %+v", got, want)
		}
		r.Failing("Clear", nil)
		time.Sleep(time.Minute)
		want.Waiting = 0
		if got := status(); got != want {
			t.Errorf("after the outage Status is %+v\nwant %+v", got, want)
		}

		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		tx.CommitWith(t.Context(), func(context.Context) error { return txcache.ErrInDoubt })
		if err := store.Drop(t.Context(), "other"); err != nil {
			t.Fatal(err)
		}
		want.Fences, want.InDoubt, want.Drops = 3, 1, 1
		if got := status(); got != want {
			t.Errorf("Status is %+v\nwant      %+v", got, want)
		}
	})
}

func TestStatusTellsOfTheBackend(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		storetest.Begin(t, store, "db")
		storetest.Begin(t, store, "db")
		status := store.Status()
		if !strings.HasPrefix(s.Name, "redis") {
			if status.Backend != nil {
				t.Errorf("the backend counts nothing, and tells of %+v", *status.Backend)
			}
			return
		}
		if b := status.Backend; b == nil || b.Syncs != 2 || b.SyncTime <= 0 || b.RoundTrips < 2 || b.Open || b.SyncDurations.Total() != 2 {
			t.Errorf("after two begins the backend tells of %+v", b)
		}
		if status.Staleness != 0 {
			t.Errorf("a begin may know as little as what was %v ago; it has asked", status.Staleness)
		}
	})
}

func TestDatabases(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		a := storetest.NewCache[string, int](t, store, "a", txcache.CacheOptions{})
		b := storetest.NewCache[string, int](t, store, "b", txcache.CacheOptions{})
		for _, x := range []string{"x", "y"} {
			storetest.Publish(t, store, "one", a, x, 1)
		}
		storetest.Publish(t, store, "two", b, "x", 1)
		values := 1
		if strings.HasSuffix(s.Name, "without near") {
			values = 0
		}
		look := func() map[string][]txcache.CacheStatus {
			all := map[string][]txcache.CacheStatus{}
			for db := range store.Databases() {
				for _, c := range db.Caches {
					if c.Generation == "" {
						t.Errorf("the generation of %s in %s is not known", c.Name, db.Name)
					}
					c.Generation = ""
					all[db.Name] = append(all[db.Name], c)
				}
			}
			return all
		}
		all := look()
		if len(all) != 2 || !slices.Equal(all["one"], []txcache.CacheStatus{{Name: "a", Values: 2 * values}}) ||
			!slices.Equal(all["two"], []txcache.CacheStatus{{Name: "b", Values: values}}) {
			t.Errorf("Databases: %+v", all)
		}

		tx := storetest.Begin(t, store, "one")
		storetest.Clear(t, tx, a)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			if all := look(); !all["one"][0].Fenced || all["two"][0].Fenced {
				t.Errorf("during the commit of a clear: %+v", all)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Hit(t, storetest.Begin(t, store, "two"), b, "x", 1, "it is another database")
		for range store.Databases() {
			break // a caller may have seen enough
		}
	})
}

// Operators clear by name: for all servers, whoever has the cache.
func TestClearByName(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		servers := s.Open(t, 2, txcache.Options{})
		type cache = *txcache.Cache[string, int]
		var first, second []cache
		for _, name := range []string{"a", "b", "c"} {
			first = append(first, storetest.NewCache[string, int](t, servers[0], name, txcache.CacheOptions{}))
			second = append(second, storetest.NewCache[string, int](t, servers[1], name, txcache.CacheOptions{}))
		}
		fill := func() {
			for i := range first {
				storetest.Publish(t, servers[0], "db", first[i], "x", i)
				storetest.Publish(t, servers[1], "db", second[i], "x", i)
			}
			storetest.Publish(t, servers[0], "other", first[0], "x", 9)
		}
		fill()
		if err := servers[0].Clear(t.Context(), "db", "b", "a", "a", "no such cache"); err != nil {
			t.Fatal(err)
		}
		for i, caches := range [][]cache{first, second} {
			tx := storetest.Begin(t, servers[i], "db")
			storetest.Miss(t, tx, caches[0], "x", "it was cleared")
			storetest.Miss(t, tx, caches[1], "x", "it was cleared")
			storetest.Hit(t, tx, caches[2], "x", 2, "it was not cleared")
		}
		storetest.Hit(t, storetest.Begin(t, servers[0], "other"), first[0], "x", 9, "another database was cleared")
		if got := []uint64{first[0].Stats().Clears, first[2].Stats().Clears}; !slices.Equal(got, []uint64{1, 0}) {
			t.Errorf("clears counted: %d", got)
		}
		fill()
		if err := servers[0].Clear(t.Context(), "db"); err == nil {
			t.Error("no names: no error")
		}
		if err := servers[0].ClearAll(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		for i, caches := range [][]cache{first, second} {
			for _, c := range caches {
				storetest.Miss(t, storetest.Begin(t, servers[i], "db"), c, "x", "all were cleared")
			}
		}
		for _, name := range []string{"", "\xff"} {
			if err := servers[0].Clear(t.Context(), "db", name); err == nil {
				t.Errorf("no cache can have the name %q", name)
			}
			if err := servers[0].Clear(t.Context(), name); err == nil {
				t.Errorf("no database can have the name %q", name)
			}
		}
		servers[0].Close()
		if err := servers[0].Clear(t.Context(), "db", "a"); !errors.Is(err, txcache.ErrClosed) {
			t.Errorf("Clear of a closed store: %v", err)
		}
	})
}

func TestClearByNameIsRefusedInAnOutage(t *testing.T) {
	o := storetest.NewOutage()
	store := storetest.NewStore(t, o, txcache.Options{Logger: storetest.Silent})
	o.SetDown(true)
	if err := store.Clear(t.Context(), "db", "a"); !errors.Is(err, txcache.ErrUnavailable) {
		t.Errorf("Clear = %v, want ErrUnavailable", err)
	}
}

func TestFromConfig(t *testing.T) {
	cfg := config.Default()
	cfg.Size, cfg.Sync, cfg.Redis.Fence = 7, "3s", 9*time.Second
	b, opts, err := txcache.FromConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if opts.Size != 7 || opts.Poll != 3*time.Second || opts.Fence != 9*time.Second {
		t.Errorf("options are %+v", opts)
	}
	store, err := txcache.New(b, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, "x", 1)
	for name, cfg := range map[string]*config.Config{"none": nil, "not valid": {}} {
		if _, _, err := txcache.FromConfig(t.Context(), cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Who gives up is not refused, and has fenced nothing.
func TestStatusOfACallerThatGivesUp(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Logger: storetest.Silent})
	tx := storetest.Begin(t, store, "db")
	storetest.Clear(t, tx, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tx.CommitWith(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("CommitWith = %v", err)
	}
	if s := store.Status(); s.Refused != 0 || s.Fences != 0 {
		t.Errorf("Status is %+v", s)
	}
}

// Evictions are counted once, whatever becomes of the generation meanwhile.
func TestEvictionsAreCountedOnce(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Size: 1})
	const databases, each = 50, 21
	for i := range databases {
		tx := storetest.BeginReadOnly(t, store, fmt.Sprint(i))
		for k := range each {
			c.Set(tx, k, k)
		}
	}
	want := uint64(databases * (each - 1))
	cleared := make(chan struct{})
	go func() {
		defer close(cleared)
		for i := range databases {
			if err := store.ClearAll(t.Context(), fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		}
	}()
	for done := false; !done; {
		select {
		case <-cleared:
			done = true
		default:
		}
		if got := c.Stats().Evictions; got != want {
			t.Fatalf("%d evictions, want %d", got, want)
		}
	}
}
