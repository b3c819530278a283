package redisbackend_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

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

// What one request asks for is cut by what the values of the cache have been like.
func TestReadsAreCutByBytes(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		keys := map[string][]backend.Key{}
		for cache, n := range map[string]int{"small": 10, "large": 60_000} {
			for i := range 40 {
				key := keyIn(cache, fmt.Sprint(i))
				keys[cache] = append(keys[cache], key)
				mustSet(t, p.Backend, key, filled(n, byte(i)))
			}
		}
		for range 3 {
			for cache, want := range map[string]int{"small": 1, "large": 10} {
				mustGet(t, p.Backend, keys[cache]...)
				g := newGate(p.client)
				for i, data := range mustGet(t, p.Backend, keys[cache]...) {
					if len(data) == 0 || data[0] != byte(i) {
						t.Fatalf("%s: in place %d is another value, of %d bytes", cache, i, len(data))
					}
				}
				if n := g.count("mget"); n != want {
					t.Errorf("%s: 40 values come in %d requests, want %d", cache, n, want)
				}
			}
		}
	})
}

// What one request sets is cut by bytes and by count.
func TestWritesAreCut(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		for n, most := range map[int]int{10: 256, 60_000: 4} {
			w := &pipelines{}
			p.client.AddHook(w)
			var values []backend.Value
			for i := range 1000 {
				values = append(values, backend.Value{Key: keyIn("c", fmt.Sprint(i)), Data: filled(n, 1)})
			}
			if err := p.Set(t.Context(), values); err != nil {
				t.Fatal(err)
			}
			if w.most != most {
				t.Errorf("of %d bytes each %d values go together, want %d", n, w.most, most)
			}
		}
	})
}

// pipelines is a hook that knows the longest pipeline.
type pipelines struct {
	passing
	most int
}

func (w *pipelines) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		w.most = max(w.most, len(cmds))
		return next(ctx, cmds)
	}
}

// The text of the script of Swap is sent when the server does not know it,
// and once.
func TestSwapsGoByDigest(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		g := newGate(p.client)
		var swaps []backend.Swap
		for i := range 1000 {
			swaps = append(swaps, backend.Swap{Key: keyIn("c", fmt.Sprint(i)), New: []byte("mark")})
		}
		for _, old := range [][]byte{nil, []byte("mark")} {
			for i := range swaps {
				swaps[i].Old = old
			}
			found, err := p.Swap(t.Context(), swaps)
			if err != nil {
				t.Fatal(err)
			}
			for i := range found {
				if !bytes.Equal(found[i], old) || (found[i] == nil) != (old == nil) {
					t.Fatalf("swap %d finds %q, want %q", i, found[i], old)
				}
			}
		}
		if n := g.count("eval"); n != 1 {
			t.Errorf("the script was sent %d times, want once", n)
		}
	})
}
