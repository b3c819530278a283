package txcachetest

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/witness"
)

// DetectMutation fails the test if a value was changed after it was cached in
// store: after Set, or by somebody who got it from Get, GetMany or Load. Values
// are shared, not copied, so such a change shows in other transactions, before
// it is committed and without a clear. The failure names the cache, the key and
// the place in the value, such as .Lines[3].Price.
//
// Call it before anything is cached. Each value is looked at when it is cached,
// when its key is cached again, and when the test and its subtests are over, so
// goroutines that use values must have ended by then. Calling it again for the
// same store does nothing.
//
// Values are looked at in depth, unexported fields included. Left out are
//
//   - what is of packages sync and sync/atomic, what an atomic.Pointer points to
//     included, so that locks may be taken and results kept in atomics;
//   - what lies behind a pointer to a struct that has such a field, unless it is
//     the cached value itself: a *sql.DB in a value looks after itself;
//   - functions, channels, *time.Location and unsafe pointers, of which
//     only the identity counts;
//   - map entries whose key is not equal to itself, the room that a slice has
//     beyond its length, and interfaces within interfaces, 1000 deep.
//
// A type that keeps results in its plain fields when it is used, as generated
// Protocol Buffers messages do, is reported: to other readers that is a change.
//
// The values, and as much again to describe them, are kept until the test ends;
// of one key, those of the last 8 times that it was cached.
func DetectMutation(t testing.TB, store *txcache.Store) {
	t.Helper()
	if store == nil {
		t.Fatal("txcache: DetectMutation needs a store")
	}
	d := &detector{t: t, values: map[location][]*witnessed{}}
	if _, watched := detectors.LoadOrStore(store, d); watched {
		return
	}
	witness.Attach(store, d.cached)
	t.Cleanup(func() {
		detectors.Delete(store)
		d.end()
	})
}

// detectors are those at work, by store: a store has one witness.
var detectors sync.Map

const (
	mutationsReported = 10 // changed values in a test
	valuesWitnessed   = 8  // of one key
)

// A detector keeps what the values of one store looked like when they were
// cached.
type detector struct {
	t testing.TB

	mu      sync.Mutex
	ended   bool
	changed int
	order   []location
	values  map[location][]*witnessed
}

// A location is where values are cached, whatever the database and user context.
type location struct {
	cache string
	key   any
}

// A witnessed value is one that was cached, and what it looked like.
type witnessed struct {
	value any
	was   *snapshot
}

// cached is told of each value as it is cached.
func (d *detector) cached(cache string, key, value any) {
	now := takeSnapshot(value)
	if len(now.referred) == 0 {
		return // nobody else has a way to it
	}
	at := location{cache, key}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	values, seen := d.values[at]
	if !seen {
		d.order = append(d.order, at)
	}
	values = slices.DeleteFunc(values, func(w *witnessed) bool { return d.compare(at, w) || w.was.sameAs(now) })
	if len(values) == valuesWitnessed {
		values = slices.Delete(values, 0, 1)
	}
	d.values[at] = append(values, &witnessed{value, now})
}

// end compares every value for the last time.
func (d *detector) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	for _, at := range d.order {
		for _, w := range d.values[at] {
			d.compare(at, w)
		}
	}
	if more := d.changed - mutationsReported; more > 0 {
		d.t.Errorf("txcache: %d more cached values were changed", more)
	}
	d.values = nil
}

// compare reports w if it was changed. d.mu is held.
func (d *detector) compare(at location, w *witnessed) (changed bool) {
	what := w.was.difference(takeSnapshot(w.value))
	if what == "" {
		return false
	}
	if d.changed++; d.changed <= mutationsReported {
		d.t.Errorf("txcache: cache %q, key %s: the value was changed after it was cached: %s",
			at.cache, short(at.keyText()), what)
	}
	return true
}

func (p location) keyText() string { return textOf(p.key) }

func textOf(v any) string {
	if reflect.ValueOf(v).Kind() == reflect.String {
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf("%+v", v)
}
