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
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func TestServersShareValues(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		if !s.remote {
			t.Skip("values stay in the process with this backend")
		}
		servers := s.open(t, 2, txcache.Options{})
		a := newCache[string, string](t, servers[0], "c", txcache.CacheOptions{})
		b := newCache[string, string](t, servers[1], "c", txcache.CacheOptions{})
		tx := begin(t, servers[0], "db").WithUser(1)
		a.Set(tx, "x", "one")
		commit(t, tx)
		there := begin(t, servers[1], "db")
		hit(t, there.WithUser(1), b, "x", "one", "it is committed")
		miss(t, there.WithUser(2), b, "x", "it is another user's")
		miss(t, there, b, "x", "it is another user's")
		if got := b.Stats(); got.RemoteHits != 1 || got.Hits != 1 {
			t.Errorf("Stats = %+v; want one hit, from remote", got)
		}
	})
}

func TestValuesGoOutInOneCall(t *testing.T) {
	v := newValues()
	store := newStore(t, v, txcache.Options{})
	c := newCache[int, int](t, store, "c", txcache.CacheOptions{})
	d := newCache[int, int](t, store, "d", txcache.CacheOptions{})
	for _, begin := range []func(testing.TB, *txcache.Store, string) *txcache.Tx{begin, beginReadOnly} {
		v.gets, v.sets = 0, 0
		tx := begin(t, store, "db")
		for i := range 10 {
			c.Set(tx, i, i)
			d.Set(tx, i, i)
		}
		if v.sets != 0 {
			t.Error("values went out before the commit")
		}
		commit(t, tx)
		if v.sets != 1 {
			t.Errorf("a commit takes %d calls; want 1", v.sets)
		}
	}
	fresh := newStore(t, shared(v), txcache.Options{})
	c = newCache[int, int](t, fresh, "c", txcache.CacheOptions{})
	tx := begin(t, fresh, "db")
	v.gets = 0
	if got := c.GetMany(t.Context(), tx, []int{1, 2, 3, 99}); len(got) != 3 || v.gets != 1 {
		t.Errorf("GetMany found %d in %d calls; want 3 in 1", len(got), v.gets)
	}
	v.gets = 0
	hit(t, tx, c, 1, 1, "it is near now")
	if v.gets != 0 {
		t.Error("a value that is near is asked for again")
	}
}

func TestRollbackSendsNothing(t *testing.T) {
	v := newValues()
	store := newStore(t, v, txcache.Options{})
	c := newCache[int, int](t, store, "c", txcache.CacheOptions{})
	tx := begin(t, store, "db")
	c.Set(tx, 1, 1)
	tx.Rollback()
	if v.sets != 0 || len(v.kept) != 0 {
		t.Errorf("a rollback has sent values in %d calls", v.sets)
	}
}

// P9: whatever is found under a value's key, it is a miss, and the next Set
// repairs it.
func TestP9BadPayloadIsAMiss(t *testing.T) {
	v := newValues()
	store := newStore(t, v, txcache.Options{NoNear: true, Logger: silent})
	c := newCache[string, map[string]any](t, store, "c", txcache.CacheOptions{})
	publish(t, store, "db", c, "x", map[string]any{"a": 1, "b": []any{"c", nil}})
	good := map[backend.Key][]byte{}
	for key, kept := range v.kept {
		good[key] = kept.data
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
			v.kept[key] = keptValue{data: data}
		}
		before := c.Stats()
		miss(t, begin(t, store, "db"), c, "x", fmt.Sprintf("payload %d is %d bytes of rubbish", i, len(data)))
		if got := c.Stats(); got.BadPayloads != before.BadPayloads+1 || got.Misses != before.Misses+1 {
			t.Errorf("payload %d: counted %+v", i, got)
		}
	}
	publish(t, store, "db", c, "x", map[string]any{"a": 2})
	if got, ok := c.Get(t.Context(), begin(t, store, "db"), "x"); !ok || got["a"] != 2 {
		t.Errorf("Get = %v, %v; want the value that was set anew", got, ok)
	}
}

// Two versions of a program never read each other's values.
func TestP9AnotherShapeIsAMiss(t *testing.T) {
	type one struct{ Name string }
	type two struct{ Name, City string }
	v := newValues()
	old, young := newStore(t, shared(v), txcache.Options{}), newStore(t, shared(v), txcache.Options{})
	a := newCache[string, one](t, old, "c", txcache.CacheOptions{})
	b := newCache[string, two](t, young, "c", txcache.CacheOptions{})
	publish(t, old, "db", a, "x", one{"Ada"})
	miss(t, begin(t, young, "db"), b, "x", "its shape is another")
	publish(t, young, "db", b, "x", two{"Ada", "London"})
	hit(t, begin(t, old, "db"), a, "x", one{"Ada"}, "each version has its own")
	hit(t, begin(t, young, "db"), b, "x", two{"Ada", "London"}, "each version has its own")
}

func TestContextFreeAndDependentNeverMeet(t *testing.T) {
	v := newValues()
	one, two := newStore(t, shared(v), txcache.Options{}), newStore(t, shared(v), txcache.Options{})
	free := newCache[string, int](t, one, "c", txcache.CacheOptions{ContextFree: true})
	dependent := newCache[string, int](t, two, "c", txcache.CacheOptions{})
	for _, key := range []string{"x", "x~", "~x~", "~x"} {
		publish(t, one, "db", free, key, 1)
	}
	for _, key := range []string{"x", "x~", "~x~", "~x"} {
		miss(t, begin(t, two, "db"), dependent, key, "a program that says it depends on the context must not read one that says it does not")
	}
}

func TestUnencodableValueStaysInTheProcess(t *testing.T) {
	var log strings.Builder
	v := newValues()
	store := newStore(t, v, txcache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := newCache[string, any](t, store, "c", txcache.CacheOptions{})
	for i := range 3 {
		publish(t, store, "db", c, fmt.Sprint(i), any(make(chan int)))
	}
	if _, ok := c.Get(t.Context(), begin(t, store, "db"), "0"); !ok {
		t.Error("a miss; want the value that is near")
	}
	if got := c.Stats().Unencodable; got != 3 || len(v.kept) != 0 {
		t.Errorf("Unencodable = %d, %d values kept; want 3 and none", got, len(v.kept))
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
		store := newStore(t, b, opts)
		newCache[string, map[string]any](t, store, "any", txcache.CacheOptions{})
		c := newCache[string, session](t, store, "sessions", txcache.CacheOptions{})
		told := log.String()
		for i := range 3 {
			publish(t, store, "db", c, fmt.Sprint(i), session{})
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
	check(newValues(), txcache.Options{}, "session.Conn.Done: chan int")
	check(memorybackend.New(), txcache.Options{}, "")
}

// Programs whose values mean something else have each its own, and clear each other's.
func TestVersionsOfValuesAreKeptApart(t *testing.T) {
	v := newValues()
	versions := []int{0, 1, 2, -1, math.MaxInt, math.MaxInt - 1, math.MinInt}
	var stores []*txcache.Store
	var caches []*txcache.Cache[string, int]
	for _, version := range versions {
		s := newStore(t, shared(v), txcache.Options{NoNear: true})
		stores, caches = append(stores, s), append(caches, newCache[string, int](t, s, "c", txcache.CacheOptions{Version: version}))
	}
	for i := range versions {
		publish(t, stores[i], "db", caches[i], "x", i)
		for j := i + 1; j < len(versions); j++ {
			miss(t, begin(t, stores[j], "db"), caches[j], "x", "its version is another")
		}
	}
	for i := range versions {
		hit(t, begin(t, stores[i], "db"), caches[i], "x", i, "each version has its own")
	}
	again := newStore(t, shared(v), txcache.Options{NoNear: true})
	hit(t, begin(t, again, "db"), newCache[string, int](t, again, "c", txcache.CacheOptions{Version: 2}), "x", 2, "its version is the same")
	tx := begin(t, stores[3], "db")
	clearCache(t, tx, caches[3])
	commit(t, tx)
	for i := range versions {
		miss(t, begin(t, stores[i], "db"), caches[i], "x", "one of them was cleared")
	}
}

// boundedValues keep no value of more than so many bytes.
type boundedValues struct {
	*values
	largest int
}

func (b boundedValues) Largest() int { return b.largest }

// P8: what the backend does not keep stays in the process, is counted, and is
// logged once.
func TestOversizedValueStaysInTheProcess(t *testing.T) {
	var log strings.Builder
	v := boundedValues{newValues(), 100}
	store := newStore(t, v, txcache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := newCache[string, string](t, store, "c", txcache.CacheOptions{})
	for _, key := range []string{"a", "b", "c"} {
		tx := beginReadOnly(t, store, "db")
		c.Set(tx, "small "+key, "x")
		c.Set(tx, key, strings.Repeat("x", 100))
		commit(t, tx)
	}
	if _, ok := c.Get(t.Context(), begin(t, store, "db"), "a"); !ok {
		t.Error("a miss; want the value that is near")
	}
	if s := c.Stats(); s.Oversized != 3 || s.RemoteErrors != 0 || len(v.kept) != 3 {
		t.Errorf("Oversized = %d, RemoteErrors = %d, %d values kept; want 3, none and 3", s.Oversized, s.RemoteErrors, len(v.kept))
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "cache=c") || !strings.Contains(log.String(), "largest=100") {
		t.Errorf("the log has %d records; want one that says which cache and why:\n%s", n, log.String())
	}
}

// halfValues answer for the first key of a call, and fail.
type halfValues struct{ *values }

func (h halfValues) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	data, _ := h.values.Get(ctx, keys[:1])
	return append(data, make([][]byte, len(keys)-1)...), errors.New("no more")
}

// P8: what a read that has failed has found all the same is a hit.
func TestPartOfARead(t *testing.T) {
	v := newValues()
	full := newStore(t, shared(v), txcache.Options{})
	c := newCache[string, int](t, full, "c", txcache.CacheOptions{})
	publish(t, full, "db", c, "a", 1)
	publish(t, full, "db", c, "b", 2)
	store := newStore(t, halfValues{v}, txcache.Options{Logger: silent})
	c = newCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := beginReadOnly(t, store, "db")
	if got := c.GetMany(t.Context(), tx, []string{"a", "b"}); len(got) != 1 || got["a"] != 1 {
		t.Errorf("GetMany = %v; want what was answered", got)
	}
	if s := c.Stats(); s.RemoteErrors != 1 || s.Misses != 1 {
		t.Errorf("RemoteErrors = %d, Misses = %d; want 1 and 1", s.RemoteErrors, s.Misses)
	}
}

// P8: errors of the backend on the read path are misses, counted and logged.
func TestP8FailingValuesAreMisses(t *testing.T) {
	v := &failingValues{values: newValues()}
	store := newStore(t, v, txcache.Options{NoNear: true, Logger: silent})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	publish(t, store, "db", c, "x", 1)
	v.err = errors.New("connection refused")
	tx := begin(t, store, "db")
	miss(t, tx, c, "x", "the backend does not answer")
	if got := c.GetMany(t.Context(), tx, []string{"x"}); len(got) != 0 {
		t.Errorf("GetMany = %v; want nothing", got)
	}
	if v, err := c.Load(t.Context(), tx, "x", constant(2, nil)); v != 2 || err != nil {
		t.Errorf("Load = %d, %v; want the loader's value", v, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Errorf("Commit = %v; want nil: values that cannot be sent are only missed", err)
	}
	if got := c.Stats().RemoteErrors; got != 4 {
		t.Errorf("RemoteErrors = %d; want 4: three reads and a write", got)
	}
	v.err = nil
	hit(t, begin(t, store, "db"), c, "x", 1, "the outage is over")
}

type failingValues struct {
	*values
	err error
}

func (f *failingValues) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.values.Get(ctx, keys)
}

func (f *failingValues) Set(ctx context.Context, values []backend.Value) error {
	if f.err != nil {
		return f.err
	}
	return f.values.Set(ctx, values)
}

// A backend that keeps nothing for ever limits the life of what is near too.
func TestNearExpiresNoLaterThanRemote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newValues()
		here, there := newStore(t, limited{v, time.Hour}, txcache.Options{}), newStore(t, limited{v, time.Hour}, txcache.Options{})
		a := newCache[string, int](t, here, "c", txcache.CacheOptions{})
		b := newCache[string, int](t, there, "c", txcache.CacheOptions{})
		publish(t, here, "db", a, "x", 1)
		for key, kept := range v.kept {
			if left := time.Until(kept.expires); left != time.Hour {
				t.Errorf("%v lives for %v; want an hour", key, left)
			}
		}
		time.Sleep(30 * time.Minute)
		hit(t, begin(t, there, "db"), b, "x", 1, "it is half an hour old")
		old := begin(t, here, "db")
		time.Sleep(30 * time.Minute)
		hit(t, old, a, "x", 1, "it was good when the transaction began, and has no duration of its own")
		miss(t, begin(t, here, "db"), a, "x", "it is an hour old")
		miss(t, begin(t, there, "db"), b, "x", "it is an hour old, though it has been here for half of that")
	})
}

// So it does where transactions begin with what was learnt long ago.
func TestNearExpiresThoughNobodySynchronises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, limited{newValues(), time.Hour}, txcache.Options{Poll: 24 * time.Hour})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		publish(t, store, "db", c, "x", 1)
		time.Sleep(time.Hour - time.Nanosecond)
		hit(t, begin(t, store, "db"), c, "x", 1, "it is not an hour old")
		time.Sleep(time.Nanosecond)
		miss(t, begin(t, store, "db"), c, "x", "it is an hour old")
	})
}

type limited struct {
	*values
	ttl time.Duration
}

func (l limited) TTL() time.Duration { return l.ttl }
func (limited) Close() error         { return nil }

// Scenario 16: values of ten megabytes.
func TestLargeValue(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		servers := s.open(t, 2, txcache.Options{})
		a := newCache[string, string](t, servers[0], "c", txcache.CacheOptions{})
		b := newCache[string, string](t, servers[1], "c", txcache.CacheOptions{})
		large := strings.Repeat("0123456789", 1<<20)
		publish(t, servers[0], "db", a, "x", large)
		hit(t, begin(t, servers[0], "db"), a, "x", large, "it was set here")
		if s.remote {
			hit(t, begin(t, servers[1], "db"), b, "x", large, "it was set there")
		}
	})
}
