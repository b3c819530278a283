package redisbackend_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A connection that does not come about is an error of whatever was to be sent
// over it, of several commands as of one (P8).
func TestNothingIsDoneOverAConnectionThatFails(t *testing.T) {
	server := redistest.Start(t)
	server.Do("config", "set", "requirepass", "right")
	keys := make([]backend.Key, 3)
	values := make([]backend.Value, len(keys))
	for i := range keys {
		keys[i] = backend.Key{Database: "shop", Cache: "c", Schema: "s", Token: "t", Key: string(rune('a' + i))}
		values[i] = backend.Value{Key: keys[i], Data: []byte("data"), TTL: time.Minute}
	}
	for name, do := range map[string]func(*redisbackend.Backend) error{
		"Get":   func(b *redisbackend.Backend) error { _, err := b.Get(t.Context(), keys); return err },
		"Set":   func(b *redisbackend.Backend) error { return b.Set(t.Context(), values) },
		"Sweep": func(b *redisbackend.Backend) error { _, err := inspectorOf(b).Sweep(t.Context()); return err },
	} {
		client := redis.NewClient(&redis.Options{Addr: server.Addr, Password: "wrong", MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
		b, err := redisbackend.New(client, &redisbackend.Options{Prefix: "p"})
		if err != nil {
			t.Fatal(err)
		}
		if err := do(b); err == nil {
			t.Errorf("%s with a wrong password: no error", name)
		}
		if err := errors.Join(b.Close(), client.Close()); err != nil {
			t.Error(err)
		}
	}
}
