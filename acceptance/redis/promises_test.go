package redis_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P3 by the rule of each mode: a commit, and its fence before, are known to the
// process at once and to others as soon as the mode says; and from then on for good.
func TestRedisP3FreshAfterCommit(t *testing.T) {
	server := redistest.Start(t)
	eachMode(t, func(t *testing.T, m mode) {
		all := joinMany(t, m.of(settings(server.URI())), 3)
		for round := range 6 {
			writer := all[round%len(all)]
			if err := writer.Sync(t.Context(), "db"); err != nil {
				t.Fatal(err)
			}
			writer.publish(t, "db", round)
			for i, o := range all {
				storetest.Within(t, m.late, fmt.Sprintf("server %d reads the value of round %d", i, round), func() bool {
					v, ok := o.get(t, "db")
					if ok && v != round {
						t.Fatalf("server %d reads %d, of a round that was cleared; the round is %d", i, v, round)
					}
					return ok
				})
			}
			missed := func(o member) func() bool {
				return func() bool { _, ok := o.get(t, "db"); return !ok }
			}
			tx := storetest.Begin(t, writer.Store, "db")
			storetest.Clear(t, tx, writer.c)
			err := tx.CommitWith(t.Context(), func(context.Context) error {
				// From here on the database may show the commit.
				storetest.Miss(t, storetest.Begin(t, writer.Store, "db"), writer.c, "x", "the process knows of its own fence")
				for i, o := range all {
					storetest.Within(t, m.late, fmt.Sprintf("server %d sees the fence", i), missed(o))
					o.publish(t, "db", round) // the old row, which goes nowhere
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			storetest.Miss(t, storetest.Begin(t, writer.Store, "db"), writer.c, "x", "the process knows of its own commit")
			for i, o := range all {
				storetest.Within(t, m.late, fmt.Sprintf("server %d sees the clear", i), missed(o))
				for range 20 {
					storetest.Miss(t, storetest.BeginReadOnly(t, o.Store, "db"), o.c, "x", "it has seen the clear")
				}
			}
		}
	})
}

// P4, over two servers with connections of their own: what a transaction loaded
// before the clear of another server is never seen after it.
func TestRedisP4AnOldTransactionCannotRefill(t *testing.T) {
	server := redistest.Start(t)
	eachMode(t, func(t *testing.T, m mode) {
		for _, readOnly := range []bool{true, false} {
			t.Run(fmt.Sprintf("readOnly=%v", readOnly), func(t *testing.T) {
				all := joinMany(t, m.of(settings(server.URI())), 2)
				writer, reader := all[0], all[1]
				old := storetest.Begin(t, reader.Store, "db")
				if readOnly {
					old = storetest.BeginReadOnly(t, reader.Store, "db")
				}
				storetest.Miss(t, old, reader.c, "x", "it is empty")
				writer.clear(t, "db")
				reader.c.Set(old, "x", 1)
				storetest.Commit(t, old)
				storetest.Miss(t, storetest.Begin(t, writer.Store, "db"), writer.c, "x", "it cleared after that was read")
				storetest.Within(t, m.late, "the reader's server sees the clear", func() bool { _, ok := reader.get(t, "db"); return !ok })
				if err := reader.Sync(t.Context(), "db"); err != nil {
					t.Fatal(err)
				}
				writer.publish(t, "db", 2)
				for range 20 {
					storetest.Hit(t, storetest.BeginReadOnly(t, writer.Store, "db"), writer.c, "x", 2, "the newest")
					storetest.Hit(t, storetest.BeginReadOnly(t, reader.Store, "db"), reader.c, "x", 2, "the newest")
				}
			})
		}
	})
}

// A process's own commits count at once in every mode, whatever others do.
func TestRedisOwnCommitsCountAtOnce(t *testing.T) {
	server := redistest.Start(t)
	eachMode(t, func(t *testing.T, m mode) {
		m.sync = map[bool]config.Sync{true: "1h", false: m.sync}[m.name == "poll"]
		all := joinMany(t, m.of(settings(server.URI())), 2)
		own := all[0]
		for i := range 20 {
			own.publish(t, "db", i)
			storetest.Hit(t, storetest.Begin(t, own.Store, "db"), own.c, "x", i, "its own value")
			tx := storetest.Begin(t, own.Store, "db")
			own.c.Set(tx, "y", i)
			storetest.Commit(t, tx)
			storetest.Hit(t, storetest.Begin(t, own.Store, "db"), own.c, "y", i, "its own value")
			own.clear(t, "db")
			storetest.Miss(t, storetest.Begin(t, own.Store, "db"), own.c, "x", "its own clear")
			all[1].publish(t, "db", -1) // under whatever generation that one knows
			if v, ok := own.get(t, "db"); ok && v != -1 {
				t.Errorf("Get = %d, which it has cleared", v)
			}
			own.clear(t, "db")
		}
		if err := own.Drop(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		storetest.Miss(t, storetest.Begin(t, own.Store, "db"), own.c, "x", "its own drop")
	})
}

// asked returns how often the server was asked for a state.
func asked(server *redistest.Server) (n int) {
	for line := range strings.Lines(server.Do("info", "commandstats").(string)) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		switch name {
		case "hmget", "evalsha", "eval":
			calls, _, _ := strings.Cut(rest, ",")
			i, _ := strconv.Atoi(calls)
			n += i
		}
	}
	return n
}

// quiet waits until transactions of m begin without asking the server.
func quiet(t *testing.T, server *redistest.Server, m member) {
	t.Helper()
	storetest.Within(t, storetest.Recovery, "transactions that begin without a round trip", func() bool {
		before := asked(server)
		for range 50 {
			m.get(t, "db")
		}
		return asked(server) == before
	})
}

// While announcements arrive a begin costs nothing, and yet the clear of another
// server is known as soon as its announcement is there.
func TestRedisChannelNeedsNoRoundTrip(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	cfg.Sync = config.SyncChannel
	all := joinMany(t, cfg, 2)
	for i := range 5 {
		all[0].publish(t, "db", i)
		quiet(t, server, all[1])
		storetest.Hit(t, storetest.BeginReadOnly(t, all[1].Store, "db"), all[1].c, "x", i, "it is the newest")
		all[0].clear(t, "db")
		storetest.Within(t, promptly, "the other server sees the clear", func() bool { _, ok := all[1].get(t, "db"); return !ok })
		if err := all[0].Sync(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
	}
}

// The subscription is cut, again and again, or the announcements silently
// cease: then transactions ask the server as if there were none.
func TestRedisChannelFallsBack(t *testing.T) {
	server := redistest.Start(t)
	for _, c := range []struct {
		name  string
		limit time.Duration
		cut   func(*redistest.Server, *redistest.Proxy)
	}{
		{"cut off", promptly, func(s *redistest.Server, _ *redistest.Proxy) { s.Do("client", "kill", "type", "pubsub") }},
		{"silent", 2*time.Second + promptly, func(_ *redistest.Server, p *redistest.Proxy) { p.Set(redistest.Deaf) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy := redistest.NewProxy(t, server.Addr)
			cfg := settings(server.URI())
			writer := join(t, cfg)
			cfg.Sync, cfg.Redis.URI = config.SyncChannel, proxy.URI()
			reader := join(t, cfg)
			writer.publish(t, "db", 1)
			quiet(t, server, reader)
			storetest.Hit(t, storetest.BeginReadOnly(t, reader.Store, "db"), reader.c, "x", 1, "it is the newest")
			c.cut(server, proxy)
			writer.clear(t, "db")
			storetest.Within(t, c.limit, "the clear is seen without its announcement", func() bool { _, ok := reader.get(t, "db"); return !ok })

			if c.name == "silent" { // by now each begin asks
				for i := range 5 {
					writer.publish(t, "db", i)
					storetest.Hit(t, storetest.BeginReadOnly(t, reader.Store, "db"), reader.c, "x", i, "it asks the server")
					writer.clear(t, "db")
					storetest.Miss(t, storetest.BeginReadOnly(t, reader.Store, "db"), reader.c, "x", "it asks the server")
				}
				proxy.Set(redistest.Flowing)
			}
			writer.publish(t, "db", 2)
			quiet(t, server, reader) // the subscription is back
			storetest.Hit(t, storetest.BeginReadOnly(t, reader.Store, "db"), reader.c, "x", 2, "it is the newest")
		})
	}
}

// A polling duration is what it says: nothing is asked in between, a Sync is
// not bound by it.
func TestRedisPollAsksNoMoreOften(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	writer := join(t, cfg)
	cfg.Sync = "1h"
	reader := join(t, cfg)
	writer.publish(t, "db", 1)
	storetest.Hit(t, storetest.BeginReadOnly(t, reader.Store, "db"), reader.c, "x", 1, "it is the newest")
	writer.clear(t, "db")
	before := asked(server)
	for range 100 {
		storetest.Hit(t, storetest.BeginReadOnly(t, reader.Store, "db"), reader.c, "x", 1, "the hour is not over")
	}
	if n := asked(server) - before; n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
	if err := reader.Sync(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	storetest.Miss(t, storetest.BeginReadOnly(t, reader.Store, "db"), reader.c, "x", "it was synchronised")
}

// Load runs one loader in each process, however many ask.
func TestRedisLoadsOnceInEachProcess(t *testing.T) {
	const callers = 64
	server := redistest.Start(t)
	all := joinMany(t, settings(server.URI()), 2)
	var loading sync.WaitGroup // so that neither process finds what the other has loaded
	loading.Add(len(all))
	results := make(chan error, 2*callers)
	for _, m := range all {
		var first sync.Once
		for range callers {
			go func() {
				results <- m.View(t.Context(), "db", func(tx *txcache.Tx) error {
					v, err := m.c.Load(t.Context(), tx, "x", func(context.Context) (int, error) {
						first.Do(loading.Done)
						loading.Wait()
						return 1, nil
					})
					if v != 1 && err == nil {
						err = fmt.Errorf("Load = %d", v)
					}
					return err
				})
			}()
		}
	}
	for range 2 * callers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	for i, m := range all {
		if s := m.c.Stats(); s.Loads != 1 || s.RemoteErrors != 0 {
			t.Errorf("server %d: %+v; want 1 loader for %d callers", i, s, callers)
		}
	}
}
