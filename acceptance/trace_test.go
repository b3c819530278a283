package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A tracer notes operations, each with the one within which it began.
type tracer struct {
	mu   sync.Mutex
	done []string
}

type span struct{}

func (r *tracer) trace(ctx context.Context, op txcache.Operation) (context.Context, func(error)) {
	path, _ := ctx.Value(span{}).(string)
	path += "/" + op.Name
	return context.WithValue(ctx, span{}, path), func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.done = append(r.done, fmt.Sprintf("%s %s %s %d %v", path, op.Database, op.Cache, op.Keys, err))
	}
}

func (r *tracer) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.done, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, r.done, want)
	}
	r.done = nil
}

func TestTrace(t *testing.T) {
	var r tracer
	v := storetest.NewValues()
	store := storetest.NewStore(t, v, txcache.Options{Trace: r.trace})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.BeginReadOnly(t, store, "db")
	r.expect(t, "a begin", "/begin db  0 <nil>")

	load := func(ctx context.Context) (int, error) {
		if got := ctx.Value(span{}); got != "/load" {
			t.Errorf("the loader's context is of %v", got)
		}
		return 1, nil
	}
	for range 2 { // the second is a near hit
		if _, err := c.Load(t.Context(), tx, "x", load); err != nil {
			t.Fatal(err)
		}
	}
	failure := errors.New("no such row")
	c.Load(t.Context(), tx, "y", func(context.Context) (int, error) { return 0, failure })
	r.expect(t, "loads", "/get db c 1 <nil>", "/load db c 1 <nil>", "/get db c 1 <nil>", "/load db c 1 no such row")
	func() {
		defer func() { _ = recover() }()
		c.Load(t.Context(), tx, "z", func(context.Context) (int, error) { panic(failure) })
	}()
	r.expect(t, "a load that panics", "/get db c 1 <nil>", "/load db c 1 txcache: the function did not return")
	storetest.Commit(t, tx)
	r.expect(t, "a commit that sends", "/set db  1 <nil>")

	for _, err := range []error{nil, txcache.NotCommitted(failure)} {
		tx = storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		got := tx.CommitWith(t.Context(), func(ctx context.Context) error {
			if got := ctx.Value(span{}); got != "/commit" {
				t.Errorf("the database's commit is within %v", got)
			}
			return err
		})
		if got != err {
			t.Errorf("CommitWith = %v, want %v", got, err)
		}
		r.expect(t, "a commit that clears", "/begin db  0 <nil>", "/commit/fence db  0 <nil>", "/commit/clear db  0 <nil>", fmt.Sprintf("/commit db  0 %v", err))
	}
	if err := store.Drop(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "a drop", "/drop db  0 <nil>")
}

// What needs nobody outside of the transaction is not traced.
func TestTraceSaysNothingOfHits(t *testing.T) {
	var r tracer
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.Open(t, 1, txcache.Options{Trace: r.trace})[0]
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		c.Set(tx, "x", 1)
		r.mu.Lock()
		r.done = nil
		r.mu.Unlock()
		for range 3 {
			storetest.Hit(t, tx, c, "x", 1, "the transaction has set it")
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		r.expect(t, "hits and a rollback")
	})
}
