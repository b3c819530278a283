package redis_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A bubble is a miniredis within a bubble of testing/synctest that can lose what is
// published.
type bubble struct {
	*miniredis.Miniredis
	lose atomic.Value // func(message string) bool
}

func newBubble(t *testing.T) *bubble {
	b := &bubble{Miniredis: miniredis.NewMiniRedis()}
	b.ClockTTL(true)
	t.Cleanup(b.Close)
	identity := redistest.Identify(b.Miniredis)
	b.Server().SetPreHook(func(c *server.Peer, command string, args ...string) bool {
		if lose, ok := b.lose.Load().(func(string) bool); ok && command == "PUBLISH" && lose(args[1]) {
			c.WriteInt(0)
			return true
		}
		return identity.Answer(c, command, args...)
	})
	return b
}

// store returns a store of a process of its own.
func (b *bubble) store(t *testing.T, o redisbackend.Options, opts txcache.Options) *txcache.Store {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:0",
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			conn, err := b.Dial()
			if err != nil {
				return nil, err
			}
			return redistest.Buffered(conn), nil
		},
		MaxRetries: -1, DialerRetries: 1, PipelinePoolSize: -1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = client.Close() })
	return storetest.NewStore(t, txcache.Must(redisbackend.New(client, &o)), opts)
}

// What a transaction says of how old its state may be is true: it misses no commit
// of before SyncedAt, and none for longer than Status says, whatever becomes of
// announcements, and whatever is polled.
func TestSyncedAtIsTrue(t *testing.T) {
	all := func(string) bool { return true }
	none := func(string) bool { return false }
	but := func(probes bool) func(string) bool {
		return func(message string) bool { return strings.HasPrefix(message, "! ") == probes }
	}
	for _, c := range []struct {
		name    string
		channel bool
		poll    time.Duration
		lose    func(string) bool
		late    bool // something is missed for a while
	}{
		{"begin", false, 0, none, false},
		{"begin, polled", false, 5 * time.Second, none, true},
		{"channel", true, 0, none, false},
		{"channel, all messages are lost", true, 0, all, true},
		{"channel, announcements are lost", true, 0, but(false), true},
		{"channel, probes are lost", true, 0, but(true), false},
		{"channel, polled, announcements are lost", true, 5 * time.Second, but(false), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				writer := b.store(t, redisbackend.Options{}, txcache.Options{})
				reader := b.store(t, redisbackend.Options{Channel: c.channel}, txcache.Options{Poll: c.poll})
				w := storetest.NewCache[string, int](t, writer, "c", txcache.CacheOptions{})
				r := storetest.NewCache[string, int](t, reader, "c", txcache.CacheOptions{})
				time.Sleep(time.Second)
				staleness := reader.Status().Staleness
				row, longest := 0, time.Duration(0)
				ages := map[bool]int{}
				for range 6 {
					storetest.Publish(t, writer, "db", w, "x", row)
					b.lose.Store(none)
					for range 5 { // the reader knows the row, and that nothing was missed
						time.Sleep(time.Second)
						_, _ = r.Get(t.Context(), storetest.BeginReadOnly(t, reader, "db"), "x")
					}
					time.Sleep(15 * time.Second)
					for range 3 {
						_, _ = r.Get(t.Context(), storetest.BeginReadOnly(t, reader, "db"), "x")
						time.Sleep(37 * time.Millisecond)
					}
					b.lose.Store(c.lose)
					tx := storetest.Begin(t, writer, "db")
					storetest.Clear(t, tx, w)
					storetest.Commit(t, tx)
					row++
					committed := time.Now()
					for time.Since(committed) < 20*time.Second {
						time.Sleep(97 * time.Millisecond)
						tx := storetest.BeginReadOnly(t, reader, "db")
						v, ok := r.Get(t.Context(), tx, "x")
						at := tx.SyncedAt()
						missed := ok && v < row
						if missed {
							longest = max(longest, time.Since(committed))
							if at.After(committed) || !r.SyncSince(tx, committed.Add(time.Nanosecond)) {
								t.Fatalf("a transaction misses a commit of %v ago, and says that it knows of all until %v ago", time.Since(committed), time.Since(at))
							}
						}
						if age := time.Since(at); age < 0 || age > staleness {
							t.Fatalf("SyncedAt is %v ago; a state is at most %v old", age, staleness)
						}
						ages[at.Equal(time.Now())]++
						storetest.Commit(t, tx)
					}
				}
				if longest > staleness {
					t.Errorf("a commit was missed for %v; Status says %v", longest, staleness)
				}
				if late := longest > 0; late != c.late {
					t.Errorf("a commit was missed for %v; want something to be missed: %t", longest, c.late)
				}
				if !c.channel && c.poll == 0 && ages[false] > 0 {
					t.Errorf("%d of %d transactions say that they know less than what was when they began", ages[false], ages[false]+ages[true])
				}
			})
		})
	}
}

// Within a process, what it has committed itself is known whatever SyncedAt says.
func TestOwnCommitsUnderChannelAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		store := b.store(t, redisbackend.Options{Channel: true}, txcache.Options{})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		time.Sleep(time.Second)
		for i := range 20 {
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			storetest.Commit(t, tx)
			storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it was cleared")
			storetest.Publish(t, store, "db", c, "x", i)
			storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", i, "it is the newest")
			time.Sleep(700 * time.Millisecond)
		}
	})
}
