package acceptance_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A load that nothing came in between of is kept, and others see it after the
// commit: also if another cache was cleared meanwhile, or a savepoint was opened
// or kept.
func TestALoadThatDoesNotComeTooLateIsKept(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, play := range map[string]func(t *testing.T, tx *txcache.Tx, d *txcache.Cache[string, string], begin func() *lateLoad){
			"another cache is cleared": func(t *testing.T, tx *txcache.Tx, d *txcache.Cache[string, string], begin func() *lateLoad) {
				l := begin()
				storetest.Clear(t, tx, d)
				l.land(t)
			},
			"a savepoint is opened": func(t *testing.T, tx *txcache.Tx, _ *txcache.Cache[string, string], begin func() *lateLoad) {
				l := begin()
				tx.Savepoint(func(tx *txcache.Tx) error {
					l.land(t)
					return nil
				})
			},
			"the savepoint in which it began is kept": func(t *testing.T, tx *txcache.Tx, _ *txcache.Cache[string, string], begin func() *lateLoad) {
				var l *lateLoad
				tx.Savepoint(func(tx *txcache.Tx) error {
					l = begin()
					return nil
				})
				l.land(t)
			},
			"it began after a savepoint was undone": func(t *testing.T, tx *txcache.Tx, _ *txcache.Cache[string, string], begin func() *lateLoad) {
				tx.Savepoint(func(tx *txcache.Tx) error { return errUndone })
				begin().land(t)
			},
		} {
			for _, way := range waysToLoad[:4] {
				t.Run(name+"/"+way.name, func(t *testing.T) {
					store := s.One(t)
					c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{Lease: way.lease})
					d := storetest.NewCache[string, string](t, store, "d", txcache.CacheOptions{})
					r := &row{value: "old"}
					tx := storetest.Begin(t, store, "db")
					play(t, tx, d, func() *lateLoad { return way.begin(t.Context(), tx, c, r) })
					storetest.Hit(t, tx, c, "k", "old", name)
					storetest.Commit(t, tx)
					storetest.Hit(t, storetest.Begin(t, store, "db"), c, "k", "old", name)
				})
			}
		}
	})
}

// P2: what a read-only transaction loads is for all at once, but not what was
// begun before a savepoint was undone, or while one is open that may be: neither
// in the process nor, where one process loads for all, in others.
func TestALoadOfAReadOnlyTransactionLeavesNoSavepoint(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, way := range waysToLoad {
			t.Run(way.name, func(t *testing.T) {
				stores := s.Open(t, 2, txcache.Options{})
				var caches []*txcache.Cache[string, string]
				for _, store := range stores {
					caches = append(caches, storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{Lease: way.lease}))
				}
				seen := func(why string) {
					t.Helper()
					for i, store := range stores {
						other := storetest.BeginReadOnly(t, store, "db")
						storetest.Miss(t, other, caches[i], "k", why)
						if caches[i].Absent(t.Context(), other, "k") {
							t.Errorf("it is absent: %s", why)
						}
					}
				}
				r := &row{value: "old"}
				tx := storetest.BeginReadOnly(t, stores[0], "db")
				began := way.begin(t.Context(), tx, caches[0], r) // outside of it
				var within *lateLoad
				tx.Savepoint(func(tx *txcache.Tx) error {
					began.land(t)
					seen("the savepoint may be undone")
					within = way.begin(t.Context(), tx.WithUser(1), caches[0], r)
					return errUndone
				})
				seen("the savepoint was undone")
				within.land(t)
				storetest.Miss(t, tx.WithUser(1), caches[0], "k", "the savepoint was undone before it was loaded")
				seen("the savepoint was undone")
				storetest.Commit(t, tx)
				seen("the savepoint was undone")
				// Nobody waits for a lease of what did not come.
				other := storetest.BeginReadOnly(t, stores[1], "db")
				start := time.Now()
				way.begin(t.Context(), other, caches[1], r).land(t)
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("another server waited %v for the lease", took)
				}
			})
		}
	})
}

// P2: nor is what was loaded to verify a hit.
func TestALoadThatVerifiesLeavesNoSavepoint(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{Verify: 1})
	storetest.Publish(t, store, "db", c, "k", "forgotten to clear")
	r := &row{value: "new"}
	tx := storetest.BeginReadOnly(t, store, "db")
	var l *lateLoad
	tx.Savepoint(func(tx *txcache.Tx) error {
		l = waysToLoad[0].begin(t.Context(), tx, c, r)
		return errUndone
	})
	l.land(t)
	storetest.Hit(t, tx, c, "k", "forgotten to clear", "what was loaded within the savepoint was undone")
	waysToLoad[0].begin(t.Context(), tx, c, r).land(t)
	storetest.Hit(t, tx, c, "k", "new", "this was loaded after it")
}

// P1, P2: what comes from the backend after the transaction has cleared the
// cache, or undone a savepoint, is what others have committed. It is for its
// caller, who asked before, and not the transaction's own.
func TestARemoteHitThatComesLateIsNotTheTransactionsOwn(t *testing.T) {
	for name, ask := range map[string]func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string]) string{
		"Get": func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string]) string {
			return c.GetOr(ctx, tx, "k", "")
		},
		"GetMany": func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string]) string {
			return c.GetMany(ctx, tx, []string{"j", "k"})["k"]
		},
		"Load": func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string]) string {
			v, _ := c.Load(ctx, tx, "k", func(context.Context) (string, error) { return "", errUndone })
			return v
		},
		"LoadMany": func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string]) string {
			values, _ := c.LoadMany(ctx, tx, []string{"k"}, func(context.Context, []string) (map[string]string, error) { return nil, errUndone })
			return values["k"]
		},
	} {
		for _, warm := range []bool{false, true} {
			for _, noNear := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/warm %v/no near %v", name, warm, noNear), func(t *testing.T) {
					remote := &heldValues{OpenValues: storetest.OpenValues{Values: storetest.NewValues()}}
					setter := storetest.NewStore(t, remote, txcache.Options{})
					storetest.Publish(t, setter, "db", storetest.NewCache[string, string](t, setter, "c", txcache.CacheOptions{}), "k", "old")

					store := storetest.NewStore(t, remote, txcache.Options{NoNear: noNear})
					c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{Warm: warm})
					tx := storetest.Begin(t, store, "db")
					asked, answered, got := make(chan struct{}), make(chan struct{}), make(chan string)
					remote.hold = sync.OnceFunc(func() {
						close(asked)
						<-answered
					})
					go func() { got <- ask(t.Context(), tx, c) }()
					<-asked
					storetest.Clear(t, tx, c)
					close(answered)
					if v := <-got; v != "old" {
						t.Errorf("it found %q; want what was there when it was asked for", v)
					}
					storetest.Miss(t, tx, c, "k", "the transaction has cleared the cache")
					storetest.Commit(t, tx)
					storetest.Miss(t, storetest.Begin(t, store, "db"), c, "k", "the cache was cleared")
				})
			}
		}
	}
}

// heldValues are values whose answers can be held back.
type heldValues struct {
	storetest.OpenValues
	hold func()
}

func (h *heldValues) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	if h.hold != nil {
		h.hold()
	}
	return h.OpenValues.Get(ctx, keys)
}

// A goroutine that has read a value itself, and sets it after another goroutine has
// cleared the cache, says that it is good still. The cache cannot know.
func TestASetIsTheCallersOwn(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
	c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{Warm: true})
	tx := storetest.Begin(t, store, "db")
	storetest.Clear(t, tx, c)
	c.Set(tx, "k", "of the caller")
	storetest.Hit(t, tx, c, "k", "of the caller", "it was set after the clear")
	storetest.Commit(t, tx)
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, "k", "of the caller", "the cache is warm")
}
