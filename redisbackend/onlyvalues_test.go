package redisbackend_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A valued is a process whose generations are elsewhere.
type valued struct {
	backend.Backend
	*redisbackend.Values
	client *redis.Client
}

func (v valued) Drop(ctx context.Context, database string) error {
	return errors.Join(v.Backend.Drop(ctx, database), v.Values.Drop(ctx, database))
}

func (v valued) Close() error {
	v.client.Close() // again is an error
	return v.Values.Close()
}

// Every rule of package backendtest about values holds for those that are alone in Redis.
func TestRulesOfValuesAlone(t *testing.T) {
	for _, rule := range backendtest.Rules() {
		if !strings.HasPrefix(rule.Name, "value") { // one about the memory backend beside them
			continue
		}
		t.Run(rule.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, authority := bubbleServer(t), memorybackend.New()
				err := rule.Check(t.Context(), backendtest.Authority{
					Open: func(context.Context) (backend.Backend, error) {
						client := clientOf(dialing(server))
						v, err := redisbackend.NewValues(client, nil)
						return valued{authority, v, client}, err
					},
					Lease:   time.Minute,
					Advance: time.Sleep,
				})
				if errors.Is(err, backendtest.ErrSkipped) {
					t.Skip(err)
				}
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// openValues returns a Values with connections of its own, which are closed with the test.
func openValues(t *testing.T, cfg *config.Config) *redisbackend.Values {
	t.Helper()
	v, err := redisbackend.OpenValues(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// valuesOf returns n values of a generation.
func valuesOf(database string, token backend.Token, n int) []backend.Value {
	all := make([]backend.Value, n)
	for i := range all {
		all[i] = backend.Value{Key: backend.Key{Database: database, Cache: "c", Schema: "s", Token: token, Key: strconv.Itoa(i)}, Data: []byte("some data")}
	}
	return all
}

// there returns how many of values are found.
func there(t *testing.T, v *redisbackend.Values, values []backend.Value) (n int) {
	t.Helper()
	asked := make([]backend.Key, len(values))
	for i := range asked {
		asked[i] = values[i].Key
	}
	data, err := v.Get(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range data {
		if d != nil {
			n++
		}
	}
	return n
}

// Values whose generations are kept elsewhere are not taken for garbage when others of
// their cache are set: snapshots that show other clears are in use at once.
func TestValuesAloneAreNoGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		client := clientOf(dialing(server))
		defer client.Close()
		v, err := redisbackend.NewValues(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		older := valuesOf("shop", "older", 12_000) // more than what makes a process sweep
		for _, values := range [][]backend.Value{older, valuesOf("shop", "newer", 1)} {
			if err := v.Set(t.Context(), values); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if n := there(t, v, older); n != len(older) {
			t.Errorf("%d of %d values are there", n, len(older))
		}
		if s := v.Stats(); s.Garbage != 0 || s.Removed != 0 {
			t.Errorf("%d values count as garbage, and %d were removed", s.Garbage, s.Removed)
		}
		for _, key := range server.Keys() {
			if ttl := server.TTL(key); ttl <= 0 || ttl > v.TTL() {
				t.Errorf("%s lives for %v", key, ttl)
			}
		}
	})
}

// Drop removes the values of one database, and nothing that is no value.
func TestDropOfValuesAlone(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	v := openValues(t, cfg)
	own, other := valuesOf("shop", "token", 2000), valuesOf("shop2", "token", 10)
	for _, values := range [][]backend.Value{own, other} {
		if err := v.Set(t.Context(), values); err != nil {
			t.Fatal(err)
		}
	}
	server.Do("hset", cfg.Prefix+":shop:@", "e", "of class redis, with the same prefix")
	if err := v.Drop(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if n := there(t, v, own); n != 0 {
		t.Errorf("%d values are left", n)
	}
	if n := there(t, v, other); n != len(other) {
		t.Errorf("%d of %d values of another database are left", n, len(other))
	}
	if n := server.Do("exists", cfg.Prefix+":shop:@"); n != int64(1) {
		t.Error("a hash of generations was removed")
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if err := v.Drop(t.Context(), "shop"); !errors.Is(err, backend.ErrClosed) {
		t.Errorf("after Close, Drop returned %v", err)
	}
}

// A server that is away costs a call its limits once, and is found again. Nothing else is asked of it. // P8
func TestOutagesOfValuesAlone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Kill() // it is away when the service starts
	cfg := settings(server.URI())
	cfg.Sync = config.SyncChannel // which is nothing to values
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = 200*time.Millisecond, 500*time.Millisecond
	v := openValues(t, cfg)
	values := valuesOf("shop", "token", 1)
	get := func() error {
		_, err := v.Get(t.Context(), []backend.Key{values[0].Key})
		return err
	}
	for _, begin := range []func(){func() {}, server.Kill, server.Pause} {
		begin()
		if err := get(); err == nil {
			t.Fatal("a server that is away has answered")
		}
		if !v.Stats().Open {
			t.Error("the breaker is closed")
		}
		trips := v.Stats().RoundTrips
		if err := v.Set(t.Context(), values); !errors.Is(err, backend.ErrNotSent) {
			t.Errorf("Set returned %v", err)
		}
		if err := v.Drop(t.Context(), "shop"); !errors.Is(err, backend.ErrNotSent) {
			t.Errorf("Drop returned %v", err)
		}
		if n := v.Stats().RoundTrips; n != trips {
			t.Errorf("%d requests were sent to a server that is away", n-trips)
		}
		if cmd := server.Client(); cmd.Ping(t.Context()).Err() != nil {
			server.Kill()
			server.Restart()
		}
		server.Await("to be found again", func(context.Context) error { return get() })
		if v.Stats().Open {
			t.Error("the breaker is open")
		}
	}
	if s := v.Stats(); s.Listening || s.Staleness != 0 || s.Syncs != 0 {
		t.Errorf("Stats are %+v", s)
	}
	if stats := server.Client().Info(t.Context(), "commandstats").Val(); strings.Contains(stats, "subscribe") {
		t.Errorf("changes are listened to:\n%s", stats)
	}
}

// The rights that docs/redis.md names for values alone are enough.
func TestTheSmallestACLOfValuesAlone(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings("redis://app:secret@" + server.Addr)
	server.Do("acl", "setuser", "app", "on", ">secret", "resetchannels", "~"+cfg.Prefix+":*", "nocommands",
		"+get", "+mget", "+set", "+pttl", "+scan", "+unlink", "+time", "+ping", "+hello", "+select")
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = 500*time.Millisecond, time.Second
	v := openValues(t, cfg)
	values := valuesOf("shop", "token", 2)
	values[0].Data = filled(2*partSize, 1)
	asked := []backend.Key{values[0].Key, values[1].Key}
	set := v.Set(t.Context(), values)
	_, got := v.Get(t.Context(), asked)
	_, left, timed := v.GetTimed(t.Context(), asked)
	if err := errors.Join(set, got, timed, v.Drop(t.Context(), "shop")); err != nil {
		t.Error(err)
	}
	if left[0] <= 0 || left[1] <= 0 {
		t.Errorf("the values have %v left", left)
	}
	server.Pause()
	if err := v.Set(t.Context(), values[1:]); err == nil {
		t.Error("a server that is away has answered")
	}
	server.Resume()
	server.Await("to be found again", func(context.Context) error { return v.Set(t.Context(), values[1:]) })
}
