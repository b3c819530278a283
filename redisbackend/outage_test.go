package redisbackend_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A server that cannot be used costs the limits once; then calls return at
// once, and the Backend recovers by itself (P8).
func TestOutages(t *testing.T) {
	for _, c := range []struct {
		name       string
		begin, end func(*redistest.Server)
	}{
		{"killed", (*redistest.Server).Kill, func(s *redistest.Server) { s.Restart() }},
		{"paused", (*redistest.Server).Pause, (*redistest.Server).Resume},
		{"a replica", func(s *redistest.Server) { s.Do("replicaof", "127.0.0.1", "1") }, func(s *redistest.Server) { s.Do("replicaof", "no", "one") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.Start(t)
			cfg := settings(server.URI())
			cfg.Redis.DialTimeout, cfg.Redis.Timeout = 200*time.Millisecond, 500*time.Millisecond
			b := open(t, cfg)
			awaitSync(t, b, "shop")
			c.begin(server)
			f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute}
			start := time.Now()
			if err := b.Fence(t.Context(), "shop", f); err == nil {
				t.Fatal("a fence was placed")
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("the first call took %v", d)
			}
			if !b.Stats().Open {
				t.Fatal("the breaker is closed")
			}
			start = time.Now()
			const calls = 1000
			for range calls {
				if _, err := b.Sync(t.Context(), "shop"); err == nil {
					t.Fatal("Sync succeeded")
				}
			}
			if d := time.Since(start) / calls; d > time.Millisecond {
				t.Errorf("a call took %v while the breaker was open", d)
			}
			c.end(server)
			start = time.Now()
			awaitSync(t, b, "shop")
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("it took %v to recover", d)
			}
			if err := b.Fence(t.Context(), "shop", f); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that has no memory left for values still takes clears.
func TestOutOfMemory(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
	b := open(t, settings(server.URI()))
	old := mustSync(t, b, "shop")
	var full error
	for i := 0; full == nil && i < 100; i++ {
		full = b.Set(t.Context(), []backend.Value{{Key: backend.Key{Database: "shop", Cache: "c", Token: old.Base, Key: string(backend.NewToken())}, Data: make([]byte, 100_000)}})
	}
	if full == nil || !strings.Contains(full.Error(), "OOM") {
		t.Fatalf("filling the server: %v", full)
	}
	server.Do("config", "set", "maxmemory", "1mb") // which is less than is used
	f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Caches: []backend.Generation{{Cache: "c", Token: old.Base}}}
	if err := b.Fence(t.Context(), "shop", f); err != nil {
		t.Error(err)
	}
	s, err := b.Clear(t.Context(), "shop", f)
	if err != nil || s.Token("c") != f.ID {
		t.Errorf("Clear: %+v, %v", s, err)
	}
	if s := mustSync(t, b, "another"); s.Base == "" {
		t.Error("a new database has no base token")
	}
}

func TestTooManyClients(t *testing.T) {
	server := redistest.Start(t, "--maxclients", "1") // which the test's own client has
	b := open(t, settings(server.URI()))
	if _, err := b.Sync(t.Context(), "shop"); err == nil {
		t.Fatal("Sync succeeded")
	}
	if !b.Stats().Open {
		t.Error("the breaker is closed")
	}
	server.Do("config", "set", "maxclients", "100")
	awaitSync(t, b, "shop")
}

// A service starts while Redis is down, and finds it when it comes.
func TestOpenBeforeTheServer(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	cfg := settings(server.URI())
	b := open(t, cfg)
	if _, err := b.Sync(t.Context(), "shop"); err == nil {
		t.Fatal("Sync succeeded without a server")
	}
	server.Restart()
	awaitSync(t, b, "shop")
}

func TestErrorsShowNoSecret(t *testing.T) {
	server := redistest.Start(t)
	for _, uri := range []string{
		"redis://user:hunter2@" + server.Addr, "redis://hunter2@[::1", "hunter2", "redis://h:hunter2", "redis://h/hunter2",
		"redis+sentinel://hunter2@h", "redis://h?hunter2=1", "redis://%hunter2@h", "unix://hunter2",
	} {
		b, err := redisbackend.Open(t.Context(), settings(uri))
		if err == nil {
			_, err = b.Sync(t.Context(), "shop")
			_ = b.Close()
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// The rights that docs/redis.md names are enough.
func TestTheSmallestACL(t *testing.T) {
	t.Parallel()
	t.Run("server", func(t *testing.T) {
		server := redistest.Start(t)
		cfg := settings("redis://app:secret@" + server.Addr)
		restrict(server, cfg.Prefix)
		useWithin(t, cfg)
		user := server.NewClient(&redis.Options{Addr: server.Addr, Username: "app", Password: "secret"})
		if err := user.Get(t.Context(), "other").Err(); err == nil || err == redis.Nil {
			t.Error("the user reads what is not its own")
		}
	})
	t.Run("cluster", func(t *testing.T) {
		c := redistest.StartCluster(t)
		cfg := settings(strings.Replace(c.URI(), "://", "://app:secret@", 1))
		for i := range c.Masters {
			restrict(c.Masters[i], cfg.Prefix, "+cluster|slots")
			restrict(c.Replicas[i], cfg.Prefix, "+cluster|slots")
		}
		useWithin(t, cfg)
	})
}

// A user that may not ask how old a value is finds none that has time left; what has
// no Duration is not concerned.
func TestWithoutTheRightToAskForTheTime(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings("redis://app:secret@" + server.Addr)
	restrict(server, cfg.Prefix, "-pttl")
	var log bytes.Buffer
	client := server.NewClient(&redis.Options{Addr: server.Addr, Username: "app", Password: "secret", DisableIdentity: true})
	b, err := redisbackend.New(client, &redisbackend.Options{Prefix: cfg.Prefix, Timeout: patient, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	key := backend.Key{Database: "shop", Cache: "c", Token: mustSync(t, b, "shop").Base, Key: "k"}
	if err := b.Set(t.Context(), []backend.Value{{Key: key, Data: []byte("v"), TTL: time.Minute}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		data, left, err := b.GetTimed(t.Context(), []backend.Key{key})
		if err != nil || string(data[0]) != "v" || left[0] != 0 {
			t.Errorf("GetTimed: %q, %v, %v; want the value with no time left", data, left, err)
		}
	}
	if n := strings.Count(log.String(), "may not run PTTL"); n != 1 {
		t.Errorf("the log says it %d times, want once:\n%s", n, log.String())
	}
	if data, err := b.Get(t.Context(), []backend.Key{key}); err != nil || string(data[0]) != "v" {
		t.Errorf("Get: %q, %v", data, err)
	}
}

// restrict makes a user of no more rights than docs/redis.md names.
func restrict(server *redistest.Server, prefix string, more ...any) {
	server.Do(append([]any{
		"acl", "setuser", "app", "on", ">secret", "resetchannels", "&" + prefix + ":@changes*", "~" + prefix + ":*", "nocommands",
		"+get", "+mget", "+set", "+pttl", "+hmget", "+eval", "+evalsha", "+hget", "+hset", "+hdel", "+hlen", "+hkeys", "+hgetall",
		"+del", "+exists", "+unlink", "+scan", "+dbsize", "+info", "+time", "+publish", "+subscribe", "+unsubscribe", "+ping", "+hello", "+select",
	}, more...)...)
}

// useWithin makes every kind of call there is.
func useWithin(t *testing.T, cfg *config.Config) {
	t.Helper()
	cfg.Sync = config.SyncChannel
	b := open(t, cfg)
	mustSync(t, b, "shop")
	s := mustClear(t, b, "shop", "c")
	f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, All: true}
	key := backend.Key{Database: "shop", Cache: "c", Token: s.Token("c"), Key: "k"}
	_, cleared := b.Clear(t.Context(), "shop", f)
	_, got := b.Get(t.Context(), []backend.Key{key, key})
	_, _, timed := b.GetTimed(t.Context(), []backend.Key{key, key})
	_, swept := inspectorOf(b).Sweep(t.Context())
	for what, err := range map[string]error{
		"Clear": cleared, "Get": got, "GetTimed": timed, "Sweep": swept,
		"Set":     b.Set(t.Context(), []backend.Value{{Key: key, Data: []byte("v")}}),
		"Fence":   b.Fence(t.Context(), "shop", f),
		"Unfence": b.Unfence(t.Context(), "shop", f),
		"Drop":    b.Drop(t.Context(), "shop"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	awaitListening(t, b)
	cfg.Sync = config.SyncLease
	member := open(t, cfg)
	awaitListening(t, member)
	for range 5 {
		mustSync(t, member, "shop")
	}
	if err := b.Fence(t.Context(), "shop", deleting("c", 1)); err != nil {
		t.Errorf("a fence of a key: %v", err)
	}
}

func awaitListening(t *testing.T, b *redisbackend.Backend) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !b.Stats().Listening {
		if ctx.Err() != nil {
			t.Fatal("no announcement arrives")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A server that is still loading its data is left alone until it has.
func TestLoading(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := open(t, settings(server.URI()))
	fill(t, b, "shop", "c", mustSync(t, b, "shop").Base, 2000)
	server.Snapshot()
	server.Kill()
	server.RestartUnready("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
	server.Await("to be loading", func(ctx context.Context) error {
		if err := server.Client().Ping(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "LOADING") {
			return errors.Join(errors.New("it is not"), err)
		}
		return nil
	})
	start := time.Now()
	if _, err := b.Sync(t.Context(), "shop"); err == nil || !b.Stats().Open {
		t.Errorf("Sync: %v, breaker open: %t", err, b.Stats().Open)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("Sync took %v", d)
	}
	awaitSync(t, b, "shop")
}
