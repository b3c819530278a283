package txcachetest_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// A guarded value has a lock and a result that is kept.
type guarded struct {
	mu     sync.RWMutex
	once   sync.Once
	pool   sync.Pool
	hits   atomic.Int64
	result atomic.Pointer[string]
	client *client
	Name   string
}

// A client looks after its own state.
type client struct {
	mu    *sync.Mutex
	calls int
}

type everything struct {
	Bool    bool
	Complex complex128
	Chan    chan int
	Unsafe  unsafe.Pointer
	Func    func()
	Uint    uintptr
	Any     any
	Ints    map[any]int
	Deep    *everything
	Where   *time.Location
	list    []any
	loop    map[string]any
	self    **everything
}

func newEverything() *everything {
	e := &everything{
		Chan: make(chan int, 1), Unsafe: unsafe.Pointer(new(int)), Func: func() {}, Where: time.Local,
		Ints: map[any]int{nil: 0, 1: 1, int8(1): 2, "1": 3, [1]string{"x"}: 4, struct{ a any }{2}: 5, math.NaN(): 6, math.NaN(): 7, 1i: 8, new(int): 9},
		list: make([]any, 1),
		loop: map[string]any{},
	}
	e.self, e.Deep = &e.Deep, e
	e.list[0] = e.list
	e.loop["loop"] = e.loop
	for range 5000 {
		e.Any = struct{ any }{e.Any} // deep without a pointer
	}
	return e
}

func TestUnchangedValuesAreNoMutation(t *testing.T) {
	store := txcachetest.Memory(t)
	r, c := watch[any](t, store)
	g := &guarded{client: &client{mu: new(sync.Mutex)}}
	e := newEverything()
	spare := make([]int, 1, 2)
	chain := &order{}
	for range 10_000 {
		chain = &order{Next: chain}
	}
	set := func(tx *txcache.Tx) {
		for i, v := range []any{nil, 1, "a", math.NaN(), (*int)(nil), []int(nil), spare, chain, newOrder(), g, e, *e, time.Now(), new(sync.Mutex), func() {}} {
			c.Set(tx, fmt.Sprint(i), v)
		}
	}
	view(t, store, set)

	_ = append(spare, 7)
	_ = time.Now().Local().String()
	g.mu.Lock() // and is never unlocked
	g.once.Do(func() { g.result.Store(&g.Name) })
	g.pool.Put(g)
	g.hits.Add(1)
	g.client.calls++
	e.Chan <- 1
	view(t, store, set)
	if failures := r.end(); len(failures) != 0 {
		t.Errorf("failures %q of values that are as they were", failures)
	}
}

// What stands beside a lock is looked at where the value itself has the lock.
func TestMutationBesideALockIsDetected(t *testing.T) {
	store := txcachetest.Memory(t)
	r, c := watch[*guarded](t, store)
	g := &guarded{Name: "pen"}
	view(t, store, func(tx *txcache.Tx) { c.Set(tx, "1", g) })
	g.mu.Lock()
	g.Name = "ink"
	g.mu.Unlock()
	single(t, r.end(), `"1"`, `.Name was "pen" and is "ink"`)
}

func TestDetectMutationUnderConcurrency(t *testing.T) {
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			store := m.open(t)
			r, c := watch[[]int](t, store)
			var wait sync.WaitGroup
			for range 8 {
				wait.Go(func() {
					for i := range 50 {
						err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
							_, err := c.Load(t.Context(), tx, fmt.Sprint(i%5), func(context.Context) ([]int, error) {
								return []int{i}, nil
							})
							return err
						})
						if err != nil {
							t.Error(err)
						}
						if i%10 == 0 {
							if err := store.Update(t.Context(), "shop", c.Clear); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			wait.Wait()
			if failures := r.end(); len(failures) != 0 {
				t.Errorf("failures %q of values that nobody has changed", failures)
			}
		})
	}
}

// Whether the store is closed before or after the values are compared makes no
// difference, nor does what happens later.
func TestDetectMutationEndsWithItsTest(t *testing.T) {
	for _, first := range []bool{true, false} {
		store := txcachetest.Memory(t)
		r, c := watch[[]int](t, store)
		txcachetest.DetectMutation(r, store) // once more does nothing
		v, later := []int{1}, []int{1}
		view(t, store, func(tx *txcache.Tx) { c.Set(tx, "1", v) })
		v[0] = 2
		if first {
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
		}
		single(t, r.end(), `"1"`, "[0] was 1 and is 2")
		if !first {
			view(t, store, func(tx *txcache.Tx) { c.Set(tx, "2", later) })
			later[0] = 2
			view(t, store, func(tx *txcache.Tx) { c.Set(tx, "2", later) })
			single(t, r.failures, `"1"`, "[0] was 1 and is 2")
		}
	}
}

// It works within a bubble, whose test ends there.
func TestDetectMutationInABubble(t *testing.T) {
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := m.open(t)
				r, c := watch[[]time.Time](t, store)
				v := []time.Time{time.Now()}
				view(t, store, func(tx *txcache.Tx) { c.Set(tx, "1", v) })
				time.Sleep(time.Hour)
				v[0] = time.Now()
				if failures := r.end(); len(failures) != 1 || !strings.Contains(failures[0], ": [0].") {
					t.Errorf("failures %q; want one of [0]", failures)
				}
			})
		})
	}
}

// A later test may watch a store that an earlier one has watched.
func TestDetectMutationAgain(t *testing.T) {
	store := txcachetest.Memory(t)
	r, c := watch[[]int](t, store)
	r.end()
	again := &recorder{TB: t}
	txcachetest.DetectMutation(again, store)
	v := []int{1}
	view(t, store, func(tx *txcache.Tx) { c.Set(tx, "1", v) })
	v[0] = 2
	single(t, again.end(), `"1"`, "[0] was 1 and is 2")
}

func TestDetectMutationNeedsAStore(t *testing.T) {
	defer func() {
		if got, want := recover(), "txcache: DetectMutation needs a store"; got != want {
			t.Errorf("it failed with %v, want %q", got, want)
		}
	}()
	txcachetest.DetectMutation(&recorder{TB: t}, nil)
}
