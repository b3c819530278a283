package redisbackend_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// However long a database's name is, and however long it gets when it is escaped:
// what happens to it is announced to those who use it, and costs the others
// nothing (P7).
func TestALongNameIsAnnouncedLikeAnother(t *testing.T) {
	for _, c := range []struct{ what, name string }{
		{"short", "tenant"},
		{"200 characters", strings.Repeat("a", 200)},
		{"201 characters", strings.Repeat("a", 201)},
		{"escaped to 201", strings.Repeat("é", 33) + "abc"},
		{"6 kB, not ASCII", strings.Repeat("é", 3000)},
		{"a megabyte", strings.Repeat("x", 1<<20)},
		{"like a digest", "#" + strings.Repeat("A", 43)},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bubbleServer(t)
				p, _ := listening(t, server, plainly)
				user, _ := listening(t, server, plainly)
				other := over(t, dialing(server), nil)
				trusting(t, p, "shop")
				trusting(t, user, c.name)
				var longest atomic.Int64
				heard := server.NewSubscriber()
				defer heard.Close()
				heard.Subscribe("txcache:@changes")
				go func() {
					for m := range heard.Messages() {
						longest.Store(max(longest.Load(), int64(len(m.Message))))
					}
				}()
				for _, change := range []func(){
					func() { mustClear(t, other.Backend, c.name, "a") },
					func() { mustClear(t, other.Backend, c.name, "a") },
					func() {
						if err := other.Drop(t.Context(), c.name); err != nil {
							t.Fatal(err)
						}
					},
				} {
					before := trusting(t, user, c.name)
					change()
					synctest.Wait()
					if now := mustSync(t, user.Backend, c.name); now == before {
						t.Error("a change of the database is not seen by a process that uses it")
					}
					trips := p.Stats().RoundTrips
					mustSync(t, p.Backend, "shop")
					if p.Stats().RoundTrips > trips {
						t.Error("a change of one database makes another be asked for")
					}
				}
				if n := longest.Load(); n > 400 {
					t.Errorf("a message has %d bytes", n)
				}
			})
		})
	}
}

// A watch sees what happens to databases with long names, also to new ones.
func TestALongNameIsWatched(t *testing.T) {
	name := strings.Repeat("é", 3000)
	for _, only := range []string{"", name} {
		inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
			other := over(t, dialing(server), nil)
			mustSync(t, other.Backend, "shop")
			ctx, cancel := context.WithCancel(t.Context())
			seen := make(chan inspect.Change, 100)
			ended := make(chan error)
			go func() {
				ended <- inspectorOf(p.Backend).Watch(ctx, only, func(c inspect.Change) error { seen <- c; return nil })
			}()
			next := func(want inspect.ChangeKind) {
				t.Helper()
				select {
				case c := <-seen:
					if c.Kind != want || want != inspect.Listening && c.Database != name {
						t.Errorf("a change %s of a database with %d letters, want %s of the long one", c.Kind, len(c.Database), want)
					}
				case <-time.After(time.Minute):
					t.Errorf("no %s", want)
				}
			}
			next(inspect.Listening)
			mustSync(t, other.Backend, name)
			next(inspect.Renewed)
			mustClear(t, other.Backend, name, "a")
			next(inspect.Cleared)
			if err := other.Drop(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			next(inspect.Dropped)
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
