package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func TestServersShareValues(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		if !s.Remote {
			t.Skip("values stay in the process with this backend")
		}
		servers := s.Open(t, 2, txcache.Options{})
		a := storetest.NewCache[string, string](t, servers[0], "c", txcache.CacheOptions{})
		b := storetest.NewCache[string, string](t, servers[1], "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, servers[0], "db").WithUser(1)
		a.Set(tx, "x", "one")
		storetest.Commit(t, tx)
		there := storetest.Begin(t, servers[1], "db")
		storetest.Hit(t, there.WithUser(1), b, "x", "one", "it is committed")
		storetest.Miss(t, there.WithUser(2), b, "x", "it is another user's")
		storetest.Miss(t, there, b, "x", "it is another user's")
		if got := b.Stats(); got.RemoteHits != 1 || got.Hits != 1 {
			t.Errorf("Stats = %+v; want one hit, from remote", got)
		}
	})
}

func TestValuesGoOutInOneCall(t *testing.T) {
	v := storetest.NewValues()
	store := storetest.NewStore(t, v, txcache.Options{})
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	d := storetest.NewCache[int, int](t, store, "d", txcache.CacheOptions{})
	for _, begin := range []func(testing.TB, *txcache.Store, string) *txcache.Tx{storetest.Begin, storetest.BeginReadOnly} {
		v.Gets, v.Sets = 0, 0
		tx := begin(t, store, "db")
		for i := range 10 {
			c.Set(tx, i, i)
			d.Set(tx, i, i)
		}
		if v.Sets != 0 {
			t.Error("values went out before the commit")
		}
		storetest.Commit(t, tx)
		if v.Sets != 1 {
			t.Errorf("a commit takes %d calls; want 1", v.Sets)
		}
	}
	fresh := storetest.NewStore(t, storetest.Shared(v), txcache.Options{})
	c = storetest.NewCache[int, int](t, fresh, "c", txcache.CacheOptions{})
	tx := storetest.Begin(t, fresh, "db")
	v.Gets = 0
	if got := c.GetMany(t.Context(), tx, []int{1, 2, 3, 99}); len(got) != 3 || v.Gets != 1 {
		t.Errorf("GetMany found %d in %d calls; want 3 in 1", len(got), v.Gets)
	}
	v.Gets = 0
	storetest.Hit(t, tx, c, 1, 1, "it is near now")
	if v.Gets != 0 {
		t.Error("a value that is near is asked for again")
	}
}

func TestRollbackSendsNothing(t *testing.T) {
	v := storetest.NewValues()
	store := storetest.NewStore(t, v, txcache.Options{})
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.Begin(t, store, "db")
	c.Set(tx, 1, 1)
	tx.Rollback()
	if v.Sets != 0 || len(v.Kept) != 0 {
		t.Errorf("a rollback has sent values in %d calls", v.Sets)
	}
}

// P9: whatever is found under a value's key, it is a miss, and the next Set
// repairs it.
func TestP9BadPayloadIsAMiss(t *testing.T) {
	v := storetest.NewValues()
	store := storetest.NewStore(t, v, txcache.Options{NoNear: true, Logger: storetest.Silent})
	c := storetest.NewCache[string, map[string]any](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, "x", map[string]any{"a": 1, "b": []any{"c", nil}})
	good := map[backend.Key][]byte{}
	for key, kept := range v.Kept {
		good[key] = kept.Data
	}
	var bad [][]byte
	for _, data := range good {
		for n := range data {
			bad = append(bad, data[:n])
		}
		bad = append(bad, append(data[:len(data):len(data)], 0))
	}
	for _, hostile := range []string{"", "\x00", "\xff", "\x01", "null", "{}", "\x01\xdf\xff\xff\xff\xff", "\x01\x00\xdd\xff\xff\xff\xff", strings.Repeat("\x91", 1_000_000)} {
		bad = append(bad, []byte(hostile))
	}
	for i, data := range bad {
		for key := range good {
			v.Kept[key] = storetest.KeptValue{Data: data}
		}
		before := c.Stats()
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", fmt.Sprintf("payload %d is %d bytes of rubbish", i, len(data)))
		if got := c.Stats(); got.BadPayloads != before.BadPayloads+1 || got.Misses != before.Misses+1 {
			t.Errorf("payload %d: counted %+v", i, got)
		}
	}
	storetest.Publish(t, store, "db", c, "x", map[string]any{"a": 2})
	if got, ok := c.Get(t.Context(), storetest.Begin(t, store, "db"), "x"); !ok || got["a"] != 2 {
		t.Errorf("Get = %v, %v; want the value that was set anew", got, ok)
	}
}

// Two versions of a program never read each other's values, and clear each other's.
func TestP9AnotherShapeIsAMiss(t *testing.T) {
	type one struct{ Name string }
	type two struct{ Name, City string }
	v := storetest.NewValues()
	old, young := storetest.NewStore(t, storetest.Shared(v), txcache.Options{}), storetest.NewStore(t, storetest.Shared(v), txcache.Options{})
	a := storetest.NewCache[string, one](t, old, "c", txcache.CacheOptions{})
	b := storetest.NewCache[string, two](t, young, "c", txcache.CacheOptions{})
	storetest.Publish(t, old, "db", a, "x", one{"Ada"})
	storetest.Miss(t, storetest.Begin(t, young, "db"), b, "x", "its shape is another")
	storetest.Publish(t, young, "db", b, "x", two{"Ada", "London"})
	storetest.Hit(t, storetest.Begin(t, old, "db"), a, "x", one{"Ada"}, "each version has its own")
	storetest.Hit(t, storetest.Begin(t, young, "db"), b, "x", two{"Ada", "London"}, "each version has its own")
	tx := storetest.Begin(t, young, "db")
	storetest.Clear(t, tx, b)
	storetest.Commit(t, tx)
	storetest.Miss(t, storetest.Begin(t, old, "db"), a, "x", "the other version has cleared it")
}

func TestContextFreeAndDependentNeverMeet(t *testing.T) {
	v := storetest.NewValues()
	one, two := storetest.NewStore(t, storetest.Shared(v), txcache.Options{}), storetest.NewStore(t, storetest.Shared(v), txcache.Options{})
	free := storetest.NewCache[string, int](t, one, "c", txcache.CacheOptions{ContextFree: true})
	dependent := storetest.NewCache[string, int](t, two, "c", txcache.CacheOptions{})
	for _, key := range []string{"x", "x~", "~x~", "~x"} {
		storetest.Publish(t, one, "db", free, key, 1)
	}
	for _, key := range []string{"x", "x~", "~x~", "~x"} {
		storetest.Miss(t, storetest.Begin(t, two, "db"), dependent, key, "a program that says it depends on the context must not read one that says it does not")
	}
}

func TestUnencodableValueStaysInTheProcess(t *testing.T) {
	var log strings.Builder
	v := storetest.NewValues()
	store := storetest.NewStore(t, v, txcache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := storetest.NewCache[string, any](t, store, "c", txcache.CacheOptions{})
	for i := range 3 {
		storetest.Publish(t, store, "db", c, fmt.Sprint(i), any(make(chan int)))
	}
	if _, ok := c.Get(t.Context(), storetest.Begin(t, store, "db"), "0"); !ok {
		t.Error("a miss; want the value that is near")
	}
	if got := c.Stats().Unencodable; got != 3 || len(v.Kept) != 0 {
		t.Errorf("Unencodable = %d, %d values kept; want 3 and none", got, len(v.Kept))
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "cache=c") || !strings.Contains(log.String(), "chan int") {
		t.Errorf("the log has %d records; want one that says which cache and why:\n%s", n, log.String())
	}
}

// A type none of whose values can be shared is told of when the program starts, and only then.
func TestNewCacheTellsWhatCannotBeEncoded(t *testing.T) {
	type session struct {
		User string
		Conn *struct{ Done chan int }
	}
	check := func(b backend.Backend, opts txcache.Options, want string) {
		t.Helper()
		var log strings.Builder
		opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		store := storetest.NewStore(t, b, opts)
		storetest.NewCache[string, map[string]any](t, store, "any", txcache.CacheOptions{})
		c := storetest.NewCache[string, session](t, store, "sessions", txcache.CacheOptions{})
		told := log.String()
		for i := range 3 {
			storetest.Publish(t, store, "db", c, fmt.Sprint(i), session{})
		}
		if log.String() != told {
			t.Errorf("what was told is told again:\n%s", log.String())
		}
		switch {
		case want == "" && told != "":
			t.Errorf("the log of a backend that keeps no values has\n%s", told)
		case want != "" && (strings.Count(told, "\n") != 1 || !strings.Contains(told, "level=WARN") ||
			!strings.Contains(told, "cache=sessions") || !strings.Contains(told, want)):
			t.Errorf("the log is %q; want one record with %q", told, want)
		case want != "" && c.Stats().Unencodable != 3:
			t.Errorf("Unencodable = %d; want 3", c.Stats().Unencodable)
		}
	}
	check(storetest.NewValues(), txcache.Options{}, "session.Conn.Done: chan int")
	check(memorybackend.New(), txcache.Options{}, "")
}

// Programs whose values mean something else have each its own, and clear each other's.
func TestVersionsOfValuesAreKeptApart(t *testing.T) {
	v := storetest.NewValues()
	versions := []int{0, 1, 2, -1, math.MaxInt, math.MaxInt - 1, math.MinInt}
	var stores []*txcache.Store
	var caches []*txcache.Cache[string, int]
	for _, version := range versions {
		s := storetest.NewStore(t, storetest.Shared(v), txcache.Options{NoNear: true})
		stores, caches = append(stores, s), append(caches, storetest.NewCache[string, int](t, s, "c", txcache.CacheOptions{Version: version}))
	}
	for i := range versions {
		storetest.Publish(t, stores[i], "db", caches[i], "x", i)
		for j := i + 1; j < len(versions); j++ {
			storetest.Miss(t, storetest.Begin(t, stores[j], "db"), caches[j], "x", "its version is another")
		}
	}
	for i := range versions {
		storetest.Hit(t, storetest.Begin(t, stores[i], "db"), caches[i], "x", i, "each version has its own")
	}
	again := storetest.NewStore(t, storetest.Shared(v), txcache.Options{NoNear: true})
	storetest.Hit(t, storetest.Begin(t, again, "db"), storetest.NewCache[string, int](t, again, "c", txcache.CacheOptions{Version: 2}), "x", 2, "its version is the same")
	tx := storetest.Begin(t, stores[3], "db")
	storetest.Clear(t, tx, caches[3])
	storetest.Commit(t, tx)
	for i := range versions {
		storetest.Miss(t, storetest.Begin(t, stores[i], "db"), caches[i], "x", "one of them was cleared")
	}
}

// boundedValues keep no value of more than so many bytes.
type boundedValues struct {
	*storetest.Values
	largest int
}

func (b boundedValues) Largest() int { return b.largest }

// P8: what the backend does not keep stays in the process, is counted, and is
// logged once.
func TestOversizedValueStaysInTheProcess(t *testing.T) {
	var log strings.Builder
	v := boundedValues{storetest.NewValues(), 100}
	store := storetest.NewStore(t, v, txcache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{})
	for _, key := range []string{"a", "b", "c"} {
		tx := storetest.BeginReadOnly(t, store, "db")
		c.Set(tx, "small "+key, "x")
		c.Set(tx, key, strings.Repeat("x", 100))
		storetest.Commit(t, tx)
	}
	if _, ok := c.Get(t.Context(), storetest.Begin(t, store, "db"), "a"); !ok {
		t.Error("a miss; want the value that is near")
	}
	if s := c.Stats(); s.Oversized != 3 || s.RemoteErrors != 0 || len(v.Kept) != 3 {
		t.Errorf("Oversized = %d, RemoteErrors = %d, %d values kept; want 3, none and 3", s.Oversized, s.RemoteErrors, len(v.Kept))
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "cache=c") || !strings.Contains(log.String(), "largest=100") {
		t.Errorf("the log has %d records; want one that says which cache and why:\n%s", n, log.String())
	}
}

// halfValues answer for the first key of a call, and fail.
type halfValues struct{ *storetest.Values }

func (h halfValues) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	data, _ := h.Values.Get(ctx, keys[:1])
	return append(data, make([][]byte, len(keys)-1)...), errors.New("no more")
}

// P8: what a read that has failed has found all the same is a hit.
func TestPartOfARead(t *testing.T) {
	v := storetest.NewValues()
	full := storetest.NewStore(t, storetest.Shared(v), txcache.Options{})
	c := storetest.NewCache[string, int](t, full, "c", txcache.CacheOptions{})
	storetest.Publish(t, full, "db", c, "a", 1)
	storetest.Publish(t, full, "db", c, "b", 2)
	store := storetest.NewStore(t, halfValues{v}, txcache.Options{Logger: storetest.Silent})
	c = storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.BeginReadOnly(t, store, "db")
	if got := c.GetMany(t.Context(), tx, []string{"a", "b"}); len(got) != 1 || got["a"] != 1 {
		t.Errorf("GetMany = %v; want what was answered", got)
	}
	if s := c.Stats(); s.RemoteErrors != 1 || s.Misses != 1 {
		t.Errorf("RemoteErrors = %d, Misses = %d; want 1 and 1", s.RemoteErrors, s.Misses)
	}
}

// P8: errors of the backend on the read path are misses, counted and logged.
func TestP8FailingValuesAreMisses(t *testing.T) {
	v := &failingValues{Values: storetest.NewValues()}
	store := storetest.NewStore(t, v, txcache.Options{NoNear: true, Logger: storetest.Silent})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, "x", 1)
	v.err = errors.New("connection refused")
	tx := storetest.Begin(t, store, "db")
	storetest.Miss(t, tx, c, "x", "the backend does not answer")
	if got := c.GetMany(t.Context(), tx, []string{"x"}); len(got) != 0 {
		t.Errorf("GetMany = %v; want nothing", got)
	}
	if v, err := c.Load(t.Context(), tx, "x", storetest.Constant(2, nil)); v != 2 || err != nil {
		t.Errorf("Load = %d, %v; want the loader's value", v, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Errorf("Commit = %v; want nil: values that cannot be sent are only missed", err)
	}
	if got := c.Stats().RemoteErrors; got != 4 {
		t.Errorf("RemoteErrors = %d; want 4: three reads and a write", got)
	}
	v.err = nil
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "the outage is over")
}

type failingValues struct {
	*storetest.Values
	err error
}

func (f *failingValues) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.Values.Get(ctx, keys)
}

func (f *failingValues) Set(ctx context.Context, values []backend.Value) error {
	if f.err != nil {
		return f.err
	}
	return f.Values.Set(ctx, values)
}

// A backend that keeps nothing for ever limits the life of what is near too.
func TestNearExpiresNoLaterThanRemote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		here, there := storetest.NewStore(t, limited{v, time.Hour}, txcache.Options{}), storetest.NewStore(t, limited{v, time.Hour}, txcache.Options{})
		a := storetest.NewCache[string, int](t, here, "c", txcache.CacheOptions{})
		b := storetest.NewCache[string, int](t, there, "c", txcache.CacheOptions{})
		storetest.Publish(t, here, "db", a, "x", 1)
		for key, kept := range v.Kept {
			if left := time.Until(kept.Expires); left != time.Hour {
				t.Errorf("%v lives for %v; want an hour", key, left)
			}
		}
		time.Sleep(30 * time.Minute)
		storetest.Hit(t, storetest.Begin(t, there, "db"), b, "x", 1, "it is half an hour old")
		old := storetest.Begin(t, here, "db")
		time.Sleep(30 * time.Minute)
		storetest.Hit(t, old, a, "x", 1, "it was good when the transaction began, and has no duration of its own")
		storetest.Miss(t, storetest.Begin(t, here, "db"), a, "x", "it is an hour old")
		storetest.Miss(t, storetest.Begin(t, there, "db"), b, "x", "it is an hour old, though it has been here for half of that")
	})
}

// So it does where transactions begin with what was learnt long ago.
func TestNearExpiresThoughNobodySynchronises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewStore(t, limited{storetest.NewValues(), time.Hour}, txcache.Options{Poll: 24 * time.Hour})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		time.Sleep(time.Hour - time.Nanosecond)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "it is not an hour old")
		time.Sleep(time.Nanosecond)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it is an hour old")
	})
}

type limited struct {
	*storetest.Values
	ttl time.Duration
}

func (l limited) TTL() time.Duration { return l.ttl }

func (limited) Close() error { return nil }

// Scenario 16: values of ten megabytes.
func TestLargeValue(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		servers := s.Open(t, 2, txcache.Options{})
		a := storetest.NewCache[string, string](t, servers[0], "c", txcache.CacheOptions{})
		b := storetest.NewCache[string, string](t, servers[1], "c", txcache.CacheOptions{})
		large := strings.Repeat("0123456789", 1<<20)
		storetest.Publish(t, servers[0], "db", a, "x", large)
		storetest.Hit(t, storetest.Begin(t, servers[0], "db"), a, "x", large, "it was set here")
		if s.Remote {
			storetest.Hit(t, storetest.Begin(t, servers[1], "db"), b, "x", large, "it was set there")
		}
	})
}
