package redisbackend_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Whatever becomes of its process and its generation, a value goes some day (P10).
func TestEveryValueHasATimeToLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p := over(t, dialing(server), &redisbackend.Options{Duration: time.Hour})
		key := func(name string) backend.Key { return backend.Key{Database: "shop", Cache: "c", Token: "t", Key: name} }
		err := p.Set(t.Context(), []backend.Value{
			{Key: key("default"), Data: []byte("x")},
			{Key: key("minute"), Data: []byte("x"), TTL: time.Minute},
			{Key: key("moment"), Data: []byte("x"), TTL: time.Microsecond},
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]time.Duration{"default": time.Hour, "minute": time.Minute, "moment": 0} {
			if got := server.TTL("txcache:shop:c@:t:" + name); got != want {
				t.Errorf("%s lives for %v, want %v", name, got, want)
			}
		}
		if got := len(server.Keys()); got != 2 {
			t.Errorf("%d keys, want 2", got)
		}
	})
}

// A drop removes what is the database's, whatever its name looks like (P7).
func TestADropLeavesTheNeighbours(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		names := []string{"sho", "shop", "shop2", "shop:", "*", "sh?p", "[s]hop"}
		for _, name := range names {
			set(t, p, name)
		}
		for _, name := range []string{"sho", "*", "sh?p", "[s]hop"} {
			before := len(server.Keys())
			if err := p.Drop(t.Context(), name); err != nil {
				t.Error(err)
			}
			if got := before - len(server.Keys()); got != 2 { // its hash and its value
				t.Errorf("the drop of %s removed %d keys, want 2", name, got)
			}
		}
	})
}

// set sets a value of database.
func set(t *testing.T, p *process, database string) {
	t.Helper()
	key := backend.Key{Database: database, Cache: "c", Token: mustSync(t, p.Backend, database).Base, Key: "k"}
	if err := p.Set(t.Context(), []backend.Value{{Key: key, Data: []byte("x")}}); err != nil {
		t.Error(err)
	}
}

// Values that were on their way while their database was dropped are removed,
// but not what the next life has begun with (P7, P10).
func TestADropMeetsWhatWasOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p, late := over(t, dialing(server), nil), over(t, dialing(server), nil)
		for range 3 {
			set(t, late, "shop")
		}
		g := newGate(p.client)
		release := g.hold(g.after, "scan")
		dropped := make(chan error)
		go func() { dropped <- p.Drop(t.Context(), "shop") }()
		synctest.Wait() // it has seen the keys that there were
		set(t, late, "shop")
		release()
		if err := <-dropped; err != nil {
			t.Fatal(err)
		}
		if got := server.Keys(); len(got) != 1 || !strings.HasSuffix(got[0], ":shop:@") {
			t.Errorf("keys are left: %q; want the hash of the next life", got)
		}
	})
}

// Of many processes that know of much garbage one sweeps (P10).
func TestOneProcessSweepsAtATime(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	server.Do("set", cfg.Prefix+":@sweep", "another", "px", "60000")
	const n = 11_000
	fill(t, b, "shop", "c", mustSync(t, b, "shop").Base, n)
	mustClear(t, b, "shop", "c")
	server.Await("to be asked for the right to sweep", func(ctx context.Context) error {
		if asked := server.Client().Info(ctx, "commandstats").Val(); !regexp.MustCompile(fmt.Sprintf(`cmdstat_set:calls=%d,`, n+2)).MatchString(asked) {
			return context.DeadlineExceeded
		}
		return nil
	})
	time.Sleep(50 * time.Millisecond)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.Stats().Removed; got != 0 {
		t.Errorf("%d values were removed, though another process has the right", got)
	}
}
