package redisbackend_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A watcher watches until the test ends.
type watcher struct {
	t    *testing.T
	seen chan inspect.Change
}

// watch returns a watcher that listens.
func watch(t *testing.T, b *redisbackend.Backend, only string) *watcher {
	t.Helper()
	w := &watcher{t, make(chan inspect.Change, 100)}
	done := make(chan error, 1)
	go func() {
		done <- inspectorOf(b).Watch(t.Context(), only, func(c inspect.Change) error { w.seen <- c; return nil })
	}()
	t.Cleanup(func() { // the test's context is done by now
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	w.expect(`ready "" [] false`)
	return w
}

// expect waits for changes, each given as its kind, database, caches, All, and keys if it has any.
func (w *watcher) expect(want ...string) {
	w.t.Helper()
	for _, want := range want {
		select {
		case c := <-w.seen:
			got := fmt.Sprintf("%s %q %q %t", c.Kind, c.Database, c.Caches, c.All)
			if len(c.Keys) > 0 {
				got += fmt.Sprintf(" %v", c.Keys)
			}
			if got != want {
				w.t.Fatalf("saw %s, expected %s", got, want)
			}
		case <-time.After(20 * time.Second):
			w.t.Fatalf("nothing was seen, expected %s", want)
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	inspected(t, func(t *testing.T, cfg *config.Config) {
		b := open(t, cfg)
		shop := mustSync(t, b, "shop")
		all, one := watch(t, open(t, cfg), ""), watch(t, open(t, cfg), "shop")
		expect := func(want ...string) {
			t.Helper()
			all.expect(want...)
			one.expect(want...)
		}

		f := fencing(shop, "a b", "users")
		if err := b.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		expect(`fence "shop" ["a b" "users"] false`)
		if _, err := b.Clear(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		expect(`clear "shop" ["a b" "users"] false`)

		f = deleting("users", 7, 8)
		f.Keys = append([]backend.Keys{{Hashes: []uint64{9}}}, f.Keys...)
		keys := fmt.Sprintf("%v", f.Keys)
		if err := b.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		expect(`fence "shop" [] false ` + keys)
		if err := b.Unfence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		expect(`unfence "shop" [] false ` + keys)
		if _, err := b.Clear(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		expect(`delete "shop" [] false ` + keys)

		f = backend.Fence{ID: backend.NewToken(), All: true, Lease: time.Minute}
		if err := b.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		expect(`fence "shop" [] true`)
		if err := b.Unfence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		expect(`unfence "shop" [] true`)
		if _, err := b.Clear(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		expect(`clear "shop" [] true`)

		mustSync(t, b, "a:new one")
		all.expect(`epoch "a:new one" [] true`)
		if err := b.Drop(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		expect(`drop "shop" [] true`)
		mustSync(t, b, "shop")
		expect(`epoch "shop" [] true`)
	})
}

// A connection that is lost, however silently, is made again, and what changed
// meanwhile is told.
func TestWatchSurvivesItsConnection(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	mustSync(t, b, "shop")
	for _, traffic := range []redistest.Traffic{redistest.Cut, redistest.Held} {
		proxy := redistest.NewProxy(t, server.Addr)
		behind := *cfg
		behind.Redis.URI = proxy.URI()
		w := watch(t, open(t, &behind), "")
		proxy.Set(traffic)
		w.expect(`gap "" [] false`)
		mustClear(t, b, "shop", "users")
		proxy.Set(redistest.Flowing)
		w.expect(`clear "shop" ["users"] false`, `ready "" [] false`)
		mustClear(t, b, "shop", "roles")
		w.expect(`clear "shop" ["roles"] false`)
	}
}

func TestWatchEndsWithItsVisitor(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, settings(server.URI()))
	stop := errors.New("stop")
	if err := inspectorOf(b).Watch(t.Context(), "", func(inspect.Change) error { return stop }); err != stop {
		t.Errorf("Watch returned %v", err)
	}
	server.Kill()
	if err := inspectorOf(b).Watch(t.Context(), "", func(inspect.Change) error { return nil }); !inspect.Unavailable(err) {
		t.Errorf("without a server Watch returned %v", err)
	}
}
