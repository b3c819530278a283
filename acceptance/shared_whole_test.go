package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// As many values go out in one call, at most.
const pieceOfAnOutbox = 1024

// What a transaction reads from the database is there for other servers, all of
// it, however small the near cache is, however it was read and however the
// transaction ended. One key is missing from the database, so an absence is among
// the values.
func TestWhatATransactionReadsIsSharedWhole(t *testing.T) {
	failure := errors.New("not found")
	fill := func(_ context.Context, keys []int) (map[int]int, error) {
		values := map[int]int{}
		for _, k := range keys {
			if k != 0 {
				values[k] = -k
			}
		}
		return values, nil
	}
	one := func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[int, int], k int) error {
		_, err := c.Load(ctx, tx, k, func(context.Context) (int, error) {
			if k == 0 {
				return 0, txcache.ErrAbsent
			}
			return -k, nil
		})
		if errors.Is(err, txcache.ErrAbsent) {
			return nil
		}
		return err
	}
	set := func(tx *txcache.Tx, c *txcache.Cache[int, int], k int) {
		if k == 0 {
			c.SetAbsent(tx, k)
		} else {
			c.Set(tx, k, -k)
		}
	}
	numbers := func(n int) []int {
		keys := make([]int, n)
		for i := range keys {
			keys[i] = i
		}
		return keys
	}
	reads := map[string]func(context.Context, *txcache.Tx, *txcache.Cache[int, int], int) error{
		"LoadMany": func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[int, int], n int) error {
			_, err := c.LoadMany(ctx, tx, numbers(n), fill)
			return err
		},
		"Load": func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[int, int], n int) error {
			for k := range n {
				if err := one(ctx, tx, c, k); err != nil {
					return err
				}
			}
			return nil
		},
		"Set": func(_ context.Context, tx *txcache.Tx, c *txcache.Cache[int, int], n int) error {
			for k := range n {
				set(tx, c, k)
			}
			return nil
		},
		"a savepoint": func(_ context.Context, tx *txcache.Tx, c *txcache.Cache[int, int], n int) error {
			return tx.Savepoint(func(tx *txcache.Tx) error {
				for k := range n {
					set(tx, c, k)
				}
				return nil
			})
		},
	}
	type ending struct {
		name      string
		readWrite bool
		end       func(s *txcache.Store, read func(context.Context, *txcache.Tx) error) error
		want      error
	}
	endings := []ending{
		{"View", false, func(s *txcache.Store, read func(context.Context, *txcache.Tx) error) error {
			return s.View(t.Context(), "db", func(tx *txcache.Tx) error { return read(t.Context(), tx) })
		}, nil},
		{"Update", true, func(s *txcache.Store, read func(context.Context, *txcache.Tx) error) error {
			return s.Update(t.Context(), "db", func(tx *txcache.Tx) error { return read(t.Context(), tx) })
		}, nil},
		{"View with an error", false, func(s *txcache.Store, read func(context.Context, *txcache.Tx) error) error {
			return s.View(t.Context(), "db", func(tx *txcache.Tx) error { return errors.Join(read(t.Context(), tx), failure) })
		}, failure},
		{"View with a panic", false, func(s *txcache.Store, read func(context.Context, *txcache.Tx) error) (err error) {
			defer func() { err, _ = recover().(error) }()
			return s.View(t.Context(), "db", func(tx *txcache.Tx) error { panic(errors.Join(read(t.Context(), tx), failure)) })
		}, failure},
		{"Rollback", false, func(s *txcache.Store, read func(context.Context, *txcache.Tx) error) error {
			tx := storetest.BeginReadOnly(t, s, "db")
			return errors.Join(read(t.Context(), tx), tx.Rollback())
		}, nil},
		{"a commit that fails", false, func(s *txcache.Store, read func(context.Context, *txcache.Tx) error) error {
			tx := storetest.BeginReadOnly(t, s, "db")
			return errors.Join(read(t.Context(), tx), tx.CommitWith(t.Context(), func(context.Context) error { return failure }))
		}, failure},
		{"a caller that has left", false, func(s *txcache.Store, read func(context.Context, *txcache.Tx) error) error {
			ctx, leave := context.WithCancel(t.Context())
			return s.View(ctx, "db", func(tx *txcache.Tx) error {
				defer leave()
				return read(ctx, tx)
			})
		}, nil},
	}
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		if !s.Remote {
			t.Skip("servers share no values here")
		}
		within := strings.HasPrefix(s.Name, "redis") && !strings.Contains(s.Name, "real") // a slow server
		servers := s.Open(t, 2, txcache.Options{})
		for read, f := range reads {
			for _, e := range endings {
				for _, lease := range []time.Duration{0, time.Minute} {
					for _, n := range []int{20, 2*pieceOfAnOutbox + 500} {
						many := n > pieceOfAnOutbox
						if many && (within || e.name != "View" && e.name != "Update" && e.name != "Rollback" || read == "Load" && lease > 0) {
							continue // the same code, for several seconds
						}
						name := fmt.Sprintf("%s, %s, lease %v, %d keys", read, e.name, lease, n)
						opts := txcache.CacheOptions{Size: 10, Lease: lease}
						a, b := storetest.NewCache[int, int](t, servers[0], name, opts), storetest.NewCache[int, int](t, servers[1], name, opts)
						err := e.end(servers[0], func(ctx context.Context, tx *txcache.Tx) error { return f(ctx, tx, a, n) })
						if !errors.Is(err, e.want) {
							t.Fatalf("%s: %v; want %v", name, err, e.want)
						}
						asked := 0
						err = servers[1].View(t.Context(), "db", func(tx *txcache.Tx) error {
							_, err := b.LoadMany(t.Context(), tx, numbers(n), func(ctx context.Context, keys []int) (map[int]int, error) {
								asked += len(keys)
								return fill(ctx, keys)
							})
							return err
						})
						if err != nil || asked > 0 {
							t.Errorf("%s: another server has to load %d of %d values (%v); counted: %+v", name, asked, n, err, a.Stats())
						}
						if got := a.Stats(); got.Overflows > 0 || got.RemoteErrors > 0 {
							t.Errorf("%s: %d overflows, %d remote errors; want none", name, got.Overflows, got.RemoteErrors)
						}
					}
				}
			}
		}
	})
}

// refusingValues refuse the first call of Set.
type refusingValues struct {
	*storetest.Values
	calls atomic.Int32
}

func (r *refusingValues) Set(ctx context.Context, values []backend.Value) error {
	if r.calls.Add(1) == 1 {
		return errors.New("one of them is too large")
	}
	return r.Values.Set(ctx, values)
}

// A piece that the backend refuses takes no other along, and is counted.
func TestAPieceThatIsRefusedStopsNoOther(t *testing.T) {
	const n = 3 * pieceOfAnOutbox
	v := &refusingValues{Values: storetest.NewValues()}
	store := storetest.NewStore(t, v, txcache.Options{Logger: storetest.Silent})
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.Begin(t, store, "db")
	for k := range n {
		c.Set(tx, k, k)
	}
	storetest.Commit(t, tx)
	if kept := len(v.Kept); kept != n-pieceOfAnOutbox {
		t.Errorf("the backend has %d of %d values; want all but those of the piece that it refused", kept, n)
	}
	if got := c.Stats().RemoteErrors; got != 1 {
		t.Errorf("%d errors are counted; want 1", got)
	}
}

// What goes out in pieces goes where the end of the transaction would send it:
// nothing leaves a savepoint that may be undone, nor is a cache filled that was
// cleared since the transaction began.
func TestPiecesKeepThePromises(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		const n = 2*pieceOfAnOutbox + 500
		servers := s.Open(t, 2, txcache.Options{})
		c, other := storetest.NewCache[int, int](t, servers[0], "c", txcache.CacheOptions{}), storetest.NewCache[int, int](t, servers[1], "c", txcache.CacheOptions{})
		seen := func() (found int) {
			tx := storetest.BeginReadOnly(t, servers[1], "db")
			for k := range n {
				if _, ok := other.Get(t.Context(), tx, k); ok {
					found++
				}
			}
			return found
		}
		numbered := map[int]int{}
		for k := range n {
			numbered[k] = k
		}
		undone := errors.New("undone")
		tx := storetest.BeginReadOnly(t, servers[0], "db")
		err := tx.Savepoint(func(tx *txcache.Tx) error {
			c.SetMany(tx, numbered)
			return undone
		})
		if tx.Rollback(); err != undone || seen() > 0 {
			t.Errorf("P2: %d values of a savepoint that was undone are there for others", seen())
		}

		tx = storetest.Begin(t, servers[0], "db")
		if _, err := c.LoadMany(t.Context(), tx, slices.Collect(maps.Keys(numbered)), func(context.Context, []int) (map[int]int, error) {
			return numbered, nil
		}); err != nil {
			t.Fatal(err)
		}
		if found := seen(); found > 0 {
			t.Errorf("P1: %d values of a read-write transaction are there for others", found)
		}
		tx.Rollback()

		tx = storetest.BeginReadOnly(t, servers[0], "db")
		clearing := storetest.Begin(t, servers[0], "db")
		storetest.Clear(t, clearing, c)
		storetest.Commit(t, clearing)
		c.SetMany(tx, numbered)
		if tx.Rollback(); seen() > 0 {
			t.Errorf("P4: %d values that were loaded before a clear are there for others after it", seen())
		}
	})
}

// A savepoint that is open when a read-only transaction is rolled back may have
// been about to be undone.
func TestRollbackWithinASavepointSendsNothing(t *testing.T) {
	v := storetest.NewValues()
	store := storetest.NewStore(t, v, txcache.Options{})
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.BeginReadOnly(t, store, "db")
	tx.Savepoint(func(tx *txcache.Tx) error {
		c.Set(tx, 1, 1)
		return tx.Rollback()
	})
	if v.Sets != 0 {
		t.Errorf("the rollback has sent values in %d calls", v.Sets)
	}
}

// What a read-only transaction holds does not grow with what it reads.
func TestReadingMuchHoldsLittle(t *testing.T) {
	store := storetest.NewStore(t, storetest.NewValues(), txcache.Options{})
	c := storetest.NewCache[int, []byte](t, store, "c", txcache.CacheOptions{Size: 10, ContextFree: true})
	tx := storetest.BeginReadOnly(t, store, "db")
	c.Set(tx, -1, nil)
	before := storetest.Heap()
	var most uint64
	for k := range 20 * pieceOfAnOutbox {
		c.Set(tx, k%2048, make([]byte, 4096)) // the backend keeps 2048 of them
		if k%1000 == 0 {
			most = max(most, storetest.Heap())
		}
	}
	if grown := int64(most) - int64(before); grown > 32<<20 {
		t.Errorf("a transaction that has set 80 MB holds %d MB", grown>>20)
	}
}
