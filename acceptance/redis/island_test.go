package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// hostileNames are names of databases and caches that mean something to Redis,
// to the layout of the keys, or to another of them.
func hostileNames() []string {
	return []string{
		"a", "A", "a:b", "a:", ":", ":@", "@", "a@", "a@b", "a*", "*", "?", "[a]", "[^a]", "{a}", "a{a}", "\\*", "a b", "\x00", "\r\n", "a\n",
		"ä", "a\u0308", "..", "%", "%3A", "%25", "!", "~", "-", "日本", "@sweep", "@changes", "a:@", strings.Repeat("x", 255), string(make([]byte, 255)),
	}
}

// dumps returns what a server keeps under keys, in its own form; "" for a key
// that is not there.
func dumps(t testing.TB, server *redistest.Server, keys []string) map[string]string {
	t.Helper()
	found := map[string]*redis.StringCmd{}
	_, err := server.Client().Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for _, key := range keys {
			found[key] = p.Dump(t.Context(), key)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	all := map[string]string{}
	for key, cmd := range found {
		all[key] = cmd.Val()
	}
	return all
}

// unchanged fails the test for each key that no longer has what it had.
func unchanged(t testing.TB, server *redistest.Server, before map[string]string, what string) {
	t.Helper()
	for key, text := range dumps(t, server, slices.Collect(maps.Keys(before))) {
		if text != before[key] || text == "" {
			t.Errorf("%s: %q has changed", what, key)
		}
	}
}

// P7, scenario 15: what happens to one database changes no byte of another, of
// another deployment or of another program on the server.
func TestRedisP7DropAndClearLeaveTheNeighboursUntouched(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	cfg.Prefix = "app"
	s := join(t, cfg)
	cfg.Prefix = "app2"
	deployment := join(t, cfg)
	deployment.publish(t, "a", 7)
	for _, key := range []string{"app", "app:", "app:a", "other:a:@", "appa:c@:x", "*", "app[:a:*"} {
		server.Do("set", key, "somebody else's", "ex", 1000)
	}
	strangers := dumps(t, server, keysOf(t, server, ""))

	names := hostileNames()
	var caches []*txcache.Cache[string, string]
	for _, name := range names {
		caches = append(caches, storetest.NewCache[string, string](t, s.Store, name, txcache.CacheOptions{}))
	}
	own := map[string][]string{} // the keys of each database
	for _, database := range names {
		before := keysOf(t, server, "")
		tx := storetest.Begin(t, s.Store, database)
		for i, c := range caches {
			c.Set(tx, "x", database+" / "+names[i])
			c.Set(tx.WithUser("*"), names[i], "of a user")
		}
		storetest.Commit(t, tx)
		own[database] = slices.DeleteFunc(keysOf(t, server, ""), func(key string) bool { return slices.Contains(before, key) })
		if n := len(own[database]); n != 1+2*len(caches) {
			t.Errorf("database %q: %d new keys; want the hash and %d values", database, n, 2*len(caches))
		}
	}
	for _, database := range names {
		tx := storetest.Begin(t, s.Store, database)
		for i, c := range caches {
			storetest.Hit(t, tx, c, "x", database+" / "+names[i], "each has its own")
		}
	}
	gone := map[string]bool{}
	for i, database := range names {
		var others []string
		for _, name := range names {
			if name != database {
				others = append(others, own[name]...)
			}
		}
		neighbours := dumps(t, server, slices.DeleteFunc(others, func(key string) bool { return gone[key] }))
		what := "cleared"
		tx := storetest.Begin(t, s.Store, database)
		storetest.Clear(t, tx, caches[i])
		storetest.Commit(t, tx)
		for j, c := range caches {
			if j == i {
				storetest.Miss(t, storetest.Begin(t, s.Store, database), c, "x", "it was cleared")
			} else {
				storetest.Hit(t, storetest.Begin(t, s.Store, database), c, "x", database+" / "+names[j], "another cache was cleared")
			}
		}
		if i%2 == 0 {
			what = "dropped"
			if err := s.Drop(t.Context(), database); err != nil {
				t.Fatal(err)
			}
			for key, text := range dumps(t, server, own[database]) {
				gone[key] = true
				if text != "" {
					t.Errorf("database %q was dropped; %q is left", database, key)
				}
			}
		} else {
			tx := storetest.Begin(t, s.Store, database)
			if err := tx.ClearAll(); err != nil {
				t.Fatal(err)
			}
			storetest.Commit(t, tx)
			for _, c := range caches {
				storetest.Miss(t, storetest.Begin(t, s.Store, database), c, "x", "all was cleared")
			}
		}
		unchanged(t, server, neighbours, fmt.Sprintf("database %q was %s", database, what))
	}
	unchanged(t, server, strangers, "keys of somebody else")
}

// Whatever is done with it, the server never gets a command that blocks it or
// reaches beyond the prefix, and each value expires some time.
func TestRedisValuesExpireAndNoCommandReachesFar(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	server.Do("config", "resetstat")
	all := joinMany(t, cfg, 2)
	short := storetest.NewCache[int, string](t, all[0].Store, "short", txcache.CacheOptions{Duration: time.Minute})
	long := storetest.NewCache[int, string](t, all[0].Store, "long", txcache.CacheOptions{Duration: 365 * 24 * time.Hour})
	for _, database := range []string{"a", "b", "c"} {
		for _, readOnly := range []bool{true, false} {
			for round := range 3 {
				tx := storetest.Begin(t, all[0].Store, database)
				if readOnly {
					tx = storetest.BeginReadOnly(t, all[0].Store, database)
				}
				for i := range 50 {
					short.Set(tx, i, "value")
					long.Set(tx.WithUser(round), i, "value")
					all[0].c.Set(tx, fmt.Sprint(i), i)
				}
				storetest.Commit(t, tx)
			}
		}
		if _, err := all[1].c.Load(t.Context(), storetest.BeginReadOnly(t, all[1].Store, database), "y", storetest.Constant(1, nil)); err != nil {
			t.Error(err)
		}
		all[1].clear(t, database)
		all[0].publish(t, database, 1)
	}
	if err := all[0].Drop(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	keys := valueKeys(t, server, cfg.Prefix)
	if len(keys) < 400 {
		t.Fatalf("%d values are there; want more to look at", len(keys))
	}
	for _, key := range keys {
		ttl, limit := server.Client().PTTL(t.Context(), key).Val(), cfg.Redis.Duration
		switch {
		case strings.Contains(key, ":short@"):
			limit = time.Minute
		case strings.Contains(key, ":long@"):
			limit = 365 * 24 * time.Hour
		}
		if ttl <= 0 || ttl > limit || ttl < limit-time.Minute {
			t.Errorf("%s lives for %v; want %v", key, ttl, limit)
		}
	}
	for _, database := range []string{"a", "b"} {
		if ttl := server.Client().PTTL(t.Context(), cfg.Prefix+":"+database+":@").Val(); ttl != -1 {
			t.Errorf("the hash of %s lives for %v; want it to be there without an end", database, ttl)
		}
	}
	text := server.Do("info", "commandstats").(string)
	for _, command := range []string{"keys", "flushall", "flushdb", "smembers", "sort", "debug", "config|set", "script", "eval_ro", "monitor"} {
		if strings.Contains(text, "cmdstat_"+command+":") {
			t.Errorf("the server was told to %s", command)
		}
	}
	for _, command := range []string{"set", "unlink", "scan"} {
		if !strings.Contains(text, "cmdstat_"+command+":") {
			t.Errorf("the server was not told to %s; is this the right one?\n%s", command, text)
		}
	}
}

// wire counts what a client sends.
type wire struct{ singles, pipelines, piped atomic.Int64 }

func (w *wire) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (w *wire) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		w.singles.Add(1)
		return next(ctx, cmd)
	}
}

func (w *wire) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		w.pipelines.Add(1)
		w.piped.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

// taken returns what was sent since it was asked last.
func (w *wire) taken() [3]int64 {
	return [3]int64{w.singles.Swap(0), w.pipelines.Swap(0), w.piped.Swap(0)}
}

// What a transaction costs in round trips.
func TestRedisRoundTrips(t *testing.T) {
	server := redistest.Start(t)
	var w wire
	open := func(noNear bool) (*txcache.Store, *txcache.Cache[int, int]) {
		client := storetest.NewClient(t, &redis.Options{Addr: server.Addr})
		client.AddHook(&w)
		s := storetest.NewStore(t, storetest.OverClient(t, client, "p"), txcache.Options{NoNear: noNear})
		return s, storetest.NewCache[int, int](t, s, "c", txcache.CacheOptions{})
	}
	s, c := open(false)
	d := storetest.NewCache[string, string](t, s, "d", txcache.CacheOptions{Warm: true})
	for range 3 { // until the connection and the scripts are known
		tx := storetest.Begin(t, s, "db")
		storetest.Clear(t, tx, c)
		storetest.Commit(t, tx)
	}
	storetest.Begin(t, s, "db")
	check := func(what string, singles, pipelines, piped int64) {
		t.Helper()
		if got, want := w.taken(), [3]int64{singles, pipelines, piped}; got != want {
			t.Errorf("%s sends %d single commands and %d pipelines of %d in all; want %d, %d, %d", what, got[0], got[1], got[2], want[0], want[1], want[2])
		}
	}
	w.taken()
	for name, begin := range map[string]func(testing.TB, *txcache.Store, string) *txcache.Tx{"read-write": storetest.Begin, "read-only": storetest.BeginReadOnly} {
		tx := begin(t, s, "db")
		check("begin, "+name, 1, 0, 0)
		for i := range 10 {
			c.Set(tx, i, i)
			d.Set(tx, fmt.Sprint(i), "value")
		}
		check("setting, "+name, 0, 0, 0)
		storetest.Commit(t, tx)
		check("a commit of 20 values, "+name, 0, 1, 20)
	}
	tx := storetest.Begin(t, s, "db")
	w.taken()
	storetest.Clear(t, tx, d)
	d.Set(tx, "x", "1")
	d.Set(tx, "y", "2")
	storetest.Commit(t, tx)
	check("a commit of a clear and two values", 2, 1, 2)

	s, c = open(true)
	tx = storetest.BeginReadOnly(t, s, "db")
	w.taken()
	if got := c.GetMany(t.Context(), tx, []int{0, 1, 2, 3, 99}); len(got) != 4 {
		t.Errorf("GetMany = %v; want four", got)
	}
	check("GetMany", 1, 0, 0)
	storetest.Hit(t, tx, c, 1, 1, "it is there")
	check("Get", 1, 0, 0)
	tx.Rollback()
	check("a rollback", 0, 0, 0)
}
