package backendtest

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-dad15c92/txcache/backend"
)

var closeRules = []Rule{{
	Name: "context-is-obeyed",
	Why:  "A request that was cancelled would wait for the authority all the same; one whose caller gave up must not harm those of others.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := fenceOn(s, "a")
		t.first.fence("shop", f)
		cancelled, cancel := context.WithCancel(t.ctx)
		cancel()
		late, cancel := context.WithDeadline(t.ctx, time.Unix(0, 0))
		defer cancel()
		for _, ctx := range []context.Context{cancelled, late} {
			for _, c := range t.first.calls(f) {
				if err := t.try(ctx, promptLimit, c.call); errors.Is(err, errHung) {
					t.failf("%s with a context that is over did not return within %v", c.method, promptLimit)
				} else if err == nil {
					t.failf("%s with a context that is over returned no error", c.method)
				}
			}
		}
		// Any of these may have been done, in spite of the error.
		now := t.first.clear("shop", f)
		t.moved(s, now, "after Clear, that followed calls with a context that is over", "a")
		t.fenced(now, false, "after Clear, that followed calls with a context that is over", "a")
		if t.first.sync("shop") != now {
			t.failf("Sync after calls with a context that is over returned another State, though nothing has changed")
		}
	},
}, {
	Name: "close-is-final",
	Why:  "Code that runs after the store was closed could not tell that from an outage, and would retry.",
	run: func(t *trial) {
		f := fenceOn(t.first.sync("shop"), "a")
		t.first.fence("shop", f)
		for _, when := range []string{"Close", "a second Close"} {
			if err := t.try(t.ctx, callLimit, func(context.Context) error { return t.first.Close() }); err != nil {
				t.failf("%s returned an error: %w", when, err)
			}
			for _, c := range t.first.calls(f) {
				if err := t.try(t.ctx, callLimit, c.call); !errors.Is(err, backend.ErrClosed) {
					t.failf("%s after %s returned %v, want backend.ErrClosed", c.method, when, err)
				}
			}
		}
	},
}, {
	Name: "close-leaves-the-other-servers",
	Why:  "A server that stops would take the caches of all others with it.",
	run: func(t *trial) {
		second := t.open("the second server")
		if same(t.first.Backend, second.Backend) {
			return // one Backend serves the whole authority
		}
		s := second.sync("shop")
		f := fenceOn(s, "a")
		t.first.fence("shop", f)
		if err := t.first.Close(); err != nil {
			t.failf("Close: %w", err)
		}
		t.settle()
		t.fenced(second.sync("shop"), true, "after Close of the server whose fence it is", "a")
		now := second.clear("shop", f)
		t.at(now, true, "after Clear on a server, of a fence of one that was closed", "a", f.ID)
	},
}, {
	Name: "close-while-in-use",
	Why:  "A service that stops while requests are running would crash or hang.",
	run: func(t *trial) {
		f := fenceOn(t.first.sync("shop"), "a")
		t.together(6, func(i int) {
			if i == 0 {
				runtime.Gosched()
				if err := t.try(t.ctx, callLimit, func(context.Context) error { return t.first.Close() }); err != nil {
					t.failf("Close while calls are running: %w", err)
				}
				return
			}
			calls := t.first.calls(f)
			for j := range 200 {
				c := calls[(i+j)%len(calls)]
				// What a call that Close overtakes returns is not laid down.
				err := t.try(t.ctx, callLimit, c.call)
				var panicked *panicError
				if errors.Is(err, errHung) || errors.As(err, &panicked) {
					t.failf("%s while the backend is closed: %w", c.method, err)
				}
			}
		})
		for _, c := range t.first.calls(f) {
			if err := t.try(t.ctx, callLimit, c.call); !errors.Is(err, backend.ErrClosed) {
				t.failf("%s after Close returned %v, want backend.ErrClosed", c.method, err)
			}
		}
	},
}, {
	Name: "close-ends-every-goroutine",
	Why:  "A process that opens and closes stores would leak goroutines and connections until it dies.",
	run: func(t *trial) {
		t.first.sync("shop") // what that one starts when it is used is no leak
		before := goleak.IgnoreCurrent()
		second := t.open("a server to close")
		f := fenceOn(second.sync("shop"), "a")
		second.fence("shop", f)
		second.clear("shop", f)
		if err := second.Close(); err != nil {
			t.failf("Close: %w", err)
		}
		if err := goleak.Find(before); err != nil {
			t.failf("after Close: %w", err)
		}
	},
}}

type namedCall struct {
	method string
	call   func(context.Context) error
}

// calls are one call of every method that takes a context.
func (s *server) calls(f backend.Fence) []namedCall {
	calls := []namedCall{
		{"Sync", func(ctx context.Context) error { _, err := s.Sync(ctx, "shop"); return err }},
		{"Fence", func(ctx context.Context) error { return s.Fence(ctx, "shop", f) }},
		{"Clear", func(ctx context.Context) error { _, err := s.Clear(ctx, "shop", f); return err }},
		{"Unfence", func(ctx context.Context) error { return s.Unfence(ctx, "shop", f) }},
		{"Drop", func(ctx context.Context) error { return s.Drop(ctx, "other") }},
	}
	if values, ok := s.Backend.(backend.Values); ok {
		calls = append(calls,
			namedCall{"Get", func(ctx context.Context) error { _, err := values.Get(ctx, []backend.Key{keyOf("k")}); return err }},
			namedCall{"Set", func(ctx context.Context) error {
				return values.Set(ctx, []backend.Value{{Key: keyOf("k"), Data: []byte("d")}})
			}},
		)
	}
	if swapper, ok := s.Backend.(backend.Swapper); ok {
		calls = append(calls, namedCall{"Swap", func(ctx context.Context) error {
			_, err := swapper.Swap(ctx, []backend.Swap{{Key: keyOf("k"), New: []byte("d")}})
			return err
		}})
	}
	return calls
}

func same(a, b backend.Backend) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}
