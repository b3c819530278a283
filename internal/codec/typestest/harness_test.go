package typestest

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// A world is two processes, or one where values are kept in the process alone.
type world struct {
	name          string
	setter, other *txcache.Store
	log           *records
}

// records are what the stores have logged.
type records struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *records) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

// of returns the records of a cache of the process that sets.
func (r *records) of(cache string) (found []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		if strings.Contains(line, " process=0 ") && strings.Contains(line, " cache="+cache+" ") {
			found = append(found, line)
		}
	}
	return found
}

func worlds(t *testing.T) []world {
	memory := txcachetest.Memory(t)
	server := miniredis.RunT(t)
	var log records
	var stores []*txcache.Store
	for i := range 2 {
		cfg := config.Default()
		cfg.Class, cfg.Redis.URI = "redis", "redis://"+server.Addr()
		b, opts, err := txcache.FromConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		opts.Logger = slog.New(slog.NewTextHandler(&log, nil)).With("process", i)
		store, err := txcache.New(b, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		stores = append(stores, store)
	}
	return []world{{"memory", memory, memory, nil}, {"redis", stores[0], stores[1], &log}}
}

// A kind is a type, with values of it.
type kind struct {
	name string
	run  func(t *testing.T, w world, cache string)
}

// shared checks that each of the values is read by the other process, equal to
// the last unexported field.
func shared[V any](values ...V) kind {
	return sharedBy(func(a, b V) bool { return reflect.DeepEqual(a, b) }, values...)
}

// sharedBy is shared for types of which equal values may look different.
func sharedBy[V any](equal func(a, b V) bool, values ...V) kind { return kindOf(equal, true, values) }

// kept checks that none of the values leaves the process, and that this is said
// once and counted.
func kept[V any](values ...V) kind {
	return kindOf(func(a, b V) bool { return reflect.DeepEqual(a, b) }, false, values)
}

func kindOf[V any](equal func(a, b V) bool, leaves bool, values []V) kind {
	return kind{reflect.TypeFor[V]().String(), func(t *testing.T, w world, cache string) {
		setter, other := pair[V](t, w, cache)
		// Within another type as well, as most values are.
		rows, otherRows := pair[[]map[string]*V](t, w, cache+".rows")
		for i, v := range values {
			key := fmt.Sprint(i)
			set(t, w.setter, setter, key, v)
			set(t, w.setter, rows, key, []map[string]*V{{"a": &v, "b": nil}})
			if got, ok := get(t, w.setter, setter, key); !ok || !equal(got, v) {
				t.Errorf("the process that set %#v reads %#v, %v", v, got, ok)
			}
			got, ok := get(t, w.other, other, key)
			row, rowOK := get(t, w.other, otherRows, key)
			switch {
			case !leaves && w.log != nil:
				if ok || rowOK {
					t.Errorf("the other process reads %#v, %v where %#v cannot be shared", got, row, v)
				}
			case !ok || !equal(got, v):
				t.Errorf("the other process reads %#v, %v where %#v was set", got, ok, v)
			case !rowOK || len(row) != 1 || len(row[0]) != 2 || !equal(*row[0]["a"], v):
				t.Errorf("the other process reads %v, %v where %#v was set within", row, rowOK, v)
			}
		}
		if w.log == nil {
			return
		}
		want, records := 0, 0
		if !leaves {
			want, records = len(values), 1
		}
		if n := setter.Stats().Unencodable; n != uint64(want) {
			t.Errorf("%d values were counted as not encodable, want %d", n, want)
		}
		if log := w.log.of(cache); len(log) != records {
			t.Errorf("the log has %q, want %d records", log, records)
		}
		if s := other.Stats(); s.BadPayloads > 0 {
			t.Errorf("%d payloads could not be read", s.BadPayloads)
		}
	}}
}

func pair[V any](t *testing.T, w world, name string) (setter, other *txcache.Cache[string, V]) {
	t.Helper()
	setter = txcache.Must(txcache.NewCache[string, V](w.setter, name, nil))
	if w.other == w.setter {
		return setter, setter
	}
	return setter, txcache.Must(txcache.NewCache[string, V](w.other, name, nil))
}

func set[V any](t *testing.T, s *txcache.Store, c *txcache.Cache[string, V], key string, v V) {
	t.Helper()
	err := s.View(t.Context(), "shop", func(tx *txcache.Tx) error { c.Set(tx, key, v); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func get[V any](t *testing.T, s *txcache.Store, c *txcache.Cache[string, V], key string) (v V, ok bool) {
	t.Helper()
	err := s.View(t.Context(), "shop", func(tx *txcache.Tx) error { v, ok = c.Get(t.Context(), tx, key); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return v, ok
}
