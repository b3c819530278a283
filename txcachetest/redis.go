package txcachetest

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Redis returns a new store with the default options of class redis: values are
// encoded and kept in Redis, decoded ones in the process too, and each
// transaction asks for what others have committed. So what cannot be encoded,
// or comes back as something else, shows in a test.
//
// The server is github.com/alicebob/miniredis, within the test and without a
// port. Nothing else uses it; it ends when the test and its subtests are over.
// Like Memory, the store writes its log to that of the test. A test that uses it
// in a synctest bubble must make it in that bubble.
func Redis(t testing.TB) *txcache.Store {
	t.Helper()
	return RedisServers(t, 1)[0]
}

// RedisServers returns n stores like that of Redis over one server, as so many
// processes of a service have them: each with connections and a near cache of
// its own. What one commits, the others see.
func RedisServers(t testing.TB, n int) []*txcache.Store {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true) // values expire by the clock of package time
	redistest.Identify(server)
	t.Cleanup(server.Close)
	stores := make([]*txcache.Store, n)
	for i := range stores {
		stores[i] = connect(t, server)
	}
	return stores
}

// patience is how long a call may take: for a test that is slow, or that stands
// in a debugger, the server must not seem to be down.
const patience = time.Hour

// connect returns a store over server, which is closed with the test.
func connect(t testing.TB, server *miniredis.Miniredis) *txcache.Store {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		// Looking up a name would leave the bubble, so there is none.
		Addr: "127.0.0.1:0",
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			conn, err := server.Dial()
			if err != nil {
				return nil, err
			}
			return redistest.Buffered(conn), nil
		},
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
		MaxRetries: -1, DialerRetries: 1, PipelinePoolSize: -1,
		ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := redisbackend.New(client, &redisbackend.Options{Timeout: patience, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, b, logger)
}
