package redisbackend_test

import (
	"context"
	"errors"
	"fmt"
	"net"
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

// fencing returns a fence of caches whose owner knows s.
func fencing(s *backend.State, caches ...string) backend.Fence {
	f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute}
	for _, c := range caches {
		f.Caches = append(f.Caches, backend.Generation{Cache: c, Token: s.Token(c)})
	}
	return f
}

// A server that was a replica for a while, and was given the data of one that had
// missed a clear, is not believed (P6).
func TestAServerThatWasAReplicaIsNotBelieved(t *testing.T) {
	server, source := redistest.Start(t), redistest.Start(t)
	cfg := settings(server.URI())
	b, other := open(t, cfg), open(t, cfg)
	before := mustSync(t, b, "shop")
	for range 3 {
		mustSync(t, b, "shop")
	}
	snapshot := server.Snapshot()
	cleared := mustClear(t, other, "shop", "a")
	source.Kill()
	source.Restore(snapshot)
	host, port, _ := net.SplitHostPort(source.Addr)
	server.Do("replicaof", host, port)
	server.Await("to have the other's data", func(ctx context.Context) error {
		if info := server.Client().Info(ctx, "replication").Val(); !strings.Contains(info, "master_link_status:up") {
			return errors.New("it is not in sync")
		}
		return nil
	})
	if err := b.Fence(t.Context(), "shop", fencing(before, "a")); err == nil || !b.Stats().Open {
		t.Fatalf("a fence on a replica: %v", err)
	}
	server.Do("replicaof", "no", "one")
	now := awaitSync(t, b, "shop")
	if now.Token("a") == before.Token("a") || now.Token("a") == cleared.Token("a") {
		t.Errorf("after the outage: %+v, before the clear: %+v", now, before)
	}
}

// Who asks again and again, after the server's clock was set forward, leaves the
// fences alone until their owners had time to renew them (P3).
func TestAClockThatWasSetIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		owner, reader := over(t, dialing(server), nil), over(t, dialing(server), nil)
		f := fencing(mustSync(t, reader.Backend, "shop"), "a")
		if err := owner.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		mustSync(t, reader.Backend, "shop")
		server.SetTime(time.Now().Add(15 * time.Minute))
		for range 5 {
			if !mustSync(t, reader.Backend, "shop").IsFenced("a") {
				t.Fatal("the fence of a living owner has lapsed")
			}
		}
	})
}

// A wrapped client does not tell of new connections, so the run of the server is
// looked at each time (P6).
func TestAWrappedClientIsNotTrusted(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	client := wrapped{clientOf(&redis.Options{Addr: server.Addr})}
	defer client.Close()
	b, err := redisbackend.New(client, &redisbackend.Options{Prefix: cfg.Prefix, Timeout: patient})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	other := open(t, cfg)
	before := mustSync(t, b, "shop")
	mustSync(t, b, "shop")
	snapshot := server.Snapshot()
	mustClear(t, other, "shop", "a")
	server.Restore(snapshot)
	if now := awaitSync(t, b, "shop"); now.Token("a") == before.Token("a") {
		t.Errorf("after the restart: %+v, before the clear: %+v", now, before)
	}
}

// A replica is refused, and no probe takes it for a master (P8).
func TestAReplicaIsRefused(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, settings(server.URI()))
	server.Do("config", "set", "replica-read-only", "no") // so that it would take all
	server.Do("replicaof", "127.0.0.1", "1")
	if s, err := b.Sync(t.Context(), "shop"); err == nil {
		t.Errorf("a replica answers with %+v", s)
	}
}

func TestAProbeTellsAReplica(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, settings(server.URI()))
	mustSync(t, b, "shop")
	server.Do("replicaof", "127.0.0.1", "1")
	if err := b.Fence(t.Context(), "shop", backend.Fence{ID: backend.NewToken(), Lease: time.Minute}); err == nil {
		t.Fatal("a fence was placed")
	}
	for range 30 {
		time.Sleep(10 * time.Millisecond)
		if !b.Stats().Open {
			t.Fatal("the breaker closes for a replica")
		}
	}
}

// A database that is dropped while its state is asked for is in its next life.
func TestADropOvertakesAnAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		before := settled(t, p)
		answer := held(t, p, "hmget")
		if err := p.Drop(t.Context(), "shop"); err != nil {
			t.Error(err)
		}
		if s := answer(); s != nil && s.Epoch == before.Epoch {
			t.Errorf("the answer is of epoch %s, which was dropped", s.Epoch)
		}
	})
}

// So it is where a script was asked, and where its next life has been seen already:
// the answer from before must not count as the newer one.
func TestADropOvertakesTheAnswerOfAScript(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		before := settled(t, p)
		if err := p.Fence(t.Context(), "shop", backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Caches: []backend.Generation{{Cache: "c"}}}); err != nil {
			t.Fatal(err)
		}
		other := over(t, dialing(server), nil)
		for range 3 { // so that a plain read is not enough, and the answer has what changed
			mustClear(t, other.Backend, "shop", "d")
		}
		answer := held(t, p, "evalsha")
		if err := p.Drop(t.Context(), "shop"); err != nil {
			t.Error(err)
		}
		if s := answer(); s == nil || s.Epoch == before.Epoch {
			t.Errorf("the answer is %+v, of before the drop", s)
		}
		if now := mustSync(t, p.Backend, "shop"); now.Epoch == before.Epoch || now.IsFenced("c") {
			t.Errorf("after the drop: %+v", now)
		}
	})
}

// A drop whose answer is lost may have been done: its epoch is looked at anew.
func TestADropWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p, _ := listening(t, server, plainly)
		before := trusting(t, p, "shop")
		late := newGate(p.client)
		release := late.hold(late.before, "eval")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := p.Drop(ctx, "shop"); err == nil {
			t.Fatal("Drop succeeded")
		}
		release()
		trips := p.Stats().RoundTrips
		now := mustSync(t, p.Backend, "shop")
		if p.Stats().RoundTrips == trips && now == before {
			t.Error("nobody asked whether the drop was done")
		}
	})
}

// Clients that read what may be behind are refused (P3).
func TestClientsThatCannotBeUsed(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	clients := map[string]redis.UniversalClient{"nil": nil, "ring": ring}
	for name, change := range map[string]func(*redis.ClusterOptions){
		"read only":     func(o *redis.ClusterOptions) { o.ReadOnly = true },
		"by latency":    func(o *redis.ClusterOptions) { o.RouteByLatency = true },
		"read randomly": func(o *redis.ClusterOptions) { o.RouteRandomly = true },
	} {
		o := &redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}}
		change(o)
		client := redis.NewClusterClient(o)
		defer client.Close()
		clients[name] = client
	}
	for name, client := range clients {
		if b, err := redisbackend.New(client, nil); err == nil {
			_ = b.Close()
			t.Errorf("%s: it was taken", name)
		}
	}
}

// An echo sends again what was sent, as a client does that has lost the answer.
type echo struct {
	gate
	last redis.Cmder
}

func (e *echo) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") {
			e.last = cmd
		}
		return next(ctx, cmd)
	}
}

// A clear that arrives for the second time, after another's clear, does not
// bring back the generation that it has started itself (P4).
func TestAClearThatArrivesTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		other := over(t, dialing(server), nil)
		settled(t, p)
		e := &echo{}
		p.client.AddHook(e)
		mine := mustClear(t, p.Backend, "shop", "a")
		again := e.last
		theirs := mustClear(t, other.Backend, "shop", "a")
		if err := other.client.Do(t.Context(), again.Args()...).Err(); err != nil {
			t.Fatal(err)
		}
		now := mustSync(t, other.Backend, "shop").Token("a")
		if now == mine.Token("a") || now == theirs.Token("a") {
			t.Errorf("token %s is back; tokens were %s, %s", now, mine.Token("a"), theirs.Token("a"))
		}
	})
}

// Fences stand for commits that are under way, whatever is lost around them (P3).
func TestFencesOutliveTheLossOfTokens(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		other := over(t, dialing(server), nil)
		before := mustSync(t, p.Backend, "shop")
		if err := p.Fence(t.Context(), "shop", fencing(before, "a")); err != nil {
			t.Fatal(err)
		}
		server.HDel("txcache:shop:@", "e")
		if s := mustSync(t, other.Backend, "shop"); !s.IsFenced("a") || s.IsFenced("b") || s.Epoch == before.Epoch {
			t.Errorf("%+v, want another epoch in which a is fenced", s)
		}
	})
}

// A fence of which nobody can say what it was for counts as one of all that has
// lapsed (P5).
func TestASpoiltFenceIsAClearOfAll(t *testing.T) {
	for _, line := range []string{"id", "id 1 x 0 a", "id 99999999999999999 1 0 a", "id 1 99999999999999 0 a"} {
		inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
			before := mustClear(t, p.Backend, "shop", "a")
			server.HSet("txcache:shop:@", "f", line)
			other := over(t, dialing(server), nil)
			s := mustSync(t, other.Backend, "shop")
			if s.Token("a") == before.Token("a") || s.Base == before.Base || s.AllFenced {
				t.Errorf("after %q: %+v, want all cleared", line, s)
			}
		})
	}
}

// An epoch begins at a version that none before it had, so that the two cannot
// be taken for the same.
func TestANewEpochHasALaterVersion(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		version := func() (n int64) {
			mustSync(t, p.Backend, "shop")
			var epoch string
			if _, err := fmt.Sscan(server.HGet("txcache:shop:@", "e"), &epoch, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		last := version()
		for range 3 {
			server.Del("txcache:shop:@")
			time.Sleep(time.Millisecond)
			now := version()
			if now <= last {
				t.Errorf("version %d follows %d", now, last)
			}
			last = now
		}
	})
}

// A user that may not ask a server who it is would not notice another (P6).
func TestAServerThatTellsNothingOfItselfIsRefused(t *testing.T) {
	server := redistest.Start(t)
	server.Do("acl", "setuser", "blind", "on", "nopass", "~*", "&*", "+@all", "-info")
	cfg := settings(server.URI())
	cfg.Redis.Username, cfg.Redis.Password = "blind", "any"
	if s, err := open(t, cfg).Sync(t.Context(), "shop"); err == nil {
		t.Errorf("%+v, want an error", s)
	}
}
