package txcachetest_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// A recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, a ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, a...))
}
func (r *recorder) Fatal(a ...any) { panic(fmt.Sprint(a...)) }

// end ends the test and returns its failures.
func (r *recorder) end() []string {
	for len(r.cleanups) > 0 {
		last := len(r.cleanups) - 1
		f := r.cleanups[last]
		r.cleanups = r.cleanups[:last]
		f()
	}
	return r.failures
}

// watch returns a cache whose values are watched for a recorder.
func watch[V any](t *testing.T, store *txcache.Store) (*recorder, *txcache.Cache[string, V]) {
	t.Helper()
	r := &recorder{TB: t}
	txcachetest.DetectMutation(r, store)
	c, err := txcache.NewCache[string, V](store, "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func view(t *testing.T, store *txcache.Store, fn func(tx *txcache.Tx)) {
	t.Helper()
	err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		fn(tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// single fails the test unless there is one failure, which names the cache, the
// key and what.
func single(t *testing.T, failures []string, key, what string) {
	t.Helper()
	want := fmt.Sprintf(`cache "orders", key %s: the value was changed after it was cached: %s`, key, what)
	if len(failures) != 1 || !strings.HasSuffix(failures[0], want) {
		t.Errorf("failures %q; want one: %s", failures, want)
	}
}

type line struct {
	Product string
	Price   int
	note    string
}

type order struct {
	Lines    []line
	Customer *line
	Totals   map[string]float64
	Tags     [2]string
	Payload  []byte
	Extra    any
	When     time.Time
	Then     func()
	Next     *order
	internal struct{ lines []*line }
}

func newOrder() *order {
	o := &order{
		Lines:    []line{{"pen", 2, "blue"}, {"ink", 5, ""}},
		Customer: &line{Product: "Ada"},
		Totals:   map[string]float64{"EUR": 7, "JPY": 1120},
		Payload:  []byte("abc"),
		Extra:    []any{1, "one", nil},
		When:     time.Now(),
		Then:     func() {},
	}
	o.internal.lines = []*line{{Price: 1}, nil}
	o.Next = o
	return o
}

func TestEveryKindOfMutationIsDetected(t *testing.T) {
	for _, test := range []struct {
		change func(o *order)
		want   string
	}{
		{func(o *order) { o.Lines[1].Price = 6 }, ".Lines[1].Price was 5 and is 6"},
		{func(o *order) { o.Lines[0].note = "red" }, `.Lines[0].note was "blue" and is "red"`},
		{func(o *order) { o.Lines = o.Lines[:1] }, ".Lines was of length 2 and is 1"},
		{func(o *order) { o.Lines = nil }, ".Lines was a []txcachetest_test.line and is nil"},
		{func(o *order) { o.Customer.Product = "Grace" }, `.Customer.Product was "Ada" and is "Grace"`},
		{func(o *order) { o.Customer = nil }, ".Customer was a *txcachetest_test.line and is nil"},
		{func(o *order) { o.Customer = &line{Product: "Eve"} }, `.Customer.Product was "Ada" and is "Eve"`},
		{func(o *order) { o.Totals["EUR"] = 8 }, `.Totals["EUR"] was 7 and is 8`},
		{func(o *order) { o.Totals["EUR"] = math.NaN() }, `.Totals["EUR"] was 7 and is NaN`},
		{func(o *order) { delete(o.Totals, "JPY") }, `.Totals["JPY"] was removed`},
		{func(o *order) { o.Totals["GBP"] = 1 }, `.Totals["GBP"] was added`},
		{func(o *order) { o.Tags[1] = "new" }, `.Tags[1] was "" and is "new"`},
		{func(o *order) { o.Payload[2] = 'd' }, ".Payload[2] was 99 and is 100"},
		{func(o *order) { o.Extra.([]any)[0] = 2 }, ".Extra[0] was 1 and is 2"},
		{func(o *order) { o.Extra.([]any)[1] = 1 }, ".Extra[1] was a string and is a int"},
		{func(o *order) { o.Extra.([]any)[2] = o }, ".Extra[2] was nil and is a *txcachetest_test.order"},
		{func(o *order) { o.Extra = nil }, ".Extra was a []interface {} and is nil"},
		{func(o *order) { o.Then = nil }, "and is nil"},
		{func(o *order) { o.Next = newOrder(); o.Next.Tags[0] = "x" }, `.Next.Tags[0] was "" and is "x"`},
		{func(o *order) { o.internal.lines[0].Price++ }, ".internal.lines[0].Price was 1 and is 2"},
		{func(o *order) { o.internal.lines[1] = &line{} }, ".internal.lines[1] was nil and is a *txcachetest_test.line"},
	} {
		t.Run(test.want, func(t *testing.T) {
			store := txcachetest.Memory(t)
			r, orders := watch[*order](t, store)
			o := newOrder()
			view(t, store, func(tx *txcache.Tx) { orders.Set(tx, "42", o) })
			test.change(o)
			failures := r.end()
			if len(failures) != 1 || !strings.HasPrefix(failures[0], `txcache: cache "orders", key "42": the value was changed after it was cached: .`) ||
				!strings.HasSuffix(failures[0], test.want) {
				t.Errorf("failures %q; want one that ends in %q", failures, test.want)
			}
		})
	}
}

func TestMutationIsDetectedHoweverTheValueWasHad(t *testing.T) {
	for _, m := range makers {
		for _, test := range []struct {
			name string
			have func(ctx context.Context, c *txcache.Cache[string, []int], tx *txcache.Tx) []int
		}{
			{"Set", func(_ context.Context, c *txcache.Cache[string, []int], tx *txcache.Tx) []int {
				v := []int{3, 1, 2}
				c.Set(tx, "1", v)
				return v
			}},
			{"Get", func(ctx context.Context, c *txcache.Cache[string, []int], tx *txcache.Tx) []int {
				c.Set(tx, "1", []int{3, 1, 2})
				v, _ := c.Get(ctx, tx, "1")
				return v
			}},
			{"GetMany", func(ctx context.Context, c *txcache.Cache[string, []int], tx *txcache.Tx) []int {
				c.SetMany(tx, map[string][]int{"1": {3, 1, 2}, "2": {3, 1, 2}})
				return c.GetMany(ctx, tx, []string{"1", "2"})["1"]
			}},
			{"Load", func(ctx context.Context, c *txcache.Cache[string, []int], tx *txcache.Tx) []int {
				v, _ := c.Load(ctx, tx, "1", func(context.Context) ([]int, error) { return []int{3, 1, 2}, nil })
				return v
			}},
			{"LoadMany", func(ctx context.Context, c *txcache.Cache[string, []int], tx *txcache.Tx) []int {
				v, _ := c.LoadMany(ctx, tx, []string{"2", "1"}, func(context.Context, []string) (map[string][]int, error) {
					return map[string][]int{"1": {3, 1, 2}, "2": {}}, nil
				})
				return v["1"]
			}},
		} {
			t.Run(m.name+"/"+test.name, func(t *testing.T) {
				store := m.open(t)
				r, c := watch[[]int](t, store)
				var v []int
				view(t, store, func(tx *txcache.Tx) { v = test.have(t.Context(), c, tx) })
				v[0] = 0 // such as sorting in place
				single(t, r.end(), `"1"`, "[0] was 3 and is 0")
			})
		}
	}
}

// What another server has cached, and came by way of Redis, is watched as well.
func TestMutationAfterARoundTripIsDetected(t *testing.T) {
	servers := txcachetest.RedisServers(t, 2)
	here, written := watch[map[string][]int](t, servers[0])
	there, read := watch[map[string][]int](t, servers[1])
	view(t, servers[0], func(tx *txcache.Tx) { written.Set(tx, "1", map[string][]int{"pen": {2}}) })
	view(t, servers[1], func(tx *txcache.Tx) {
		v, ok := read.Get(t.Context(), tx, "1")
		if !ok {
			t.Fatal("a miss of what the other server has set")
		}
		v["pen"][0] = 3
	})
	if failures := here.end(); len(failures) != 0 {
		t.Errorf("failures %q of the server whose value was not changed", failures)
	}
	single(t, there.end(), `"1"`, `["pen"][0] was 2 and is 3`)
}

// A value that was changed and set again is the usual mistake: it is found at
// once, and once.
func TestMutationIsDetectedWhenTheKeyIsCachedAgain(t *testing.T) {
	store := txcachetest.Memory(t)
	r, c := watch[map[int]string](t, store)
	v := map[int]string{1: "a"}
	view(t, store, func(tx *txcache.Tx) {
		c.Set(tx, "1", v)
		v[1] = "b"
		c.Set(tx, "1", v)
		single(t, r.failures, `"1"`, `[1] was "a" and is "b"`)
	})
	single(t, r.end(), `"1"`, `[1] was "a" and is "b"`)
}

// A value that was cached several times, as it was, is reported once.
func TestMutationOfAValueCachedSeveralTimesIsReportedOnce(t *testing.T) {
	store := txcachetest.Memory(t)
	r, c := watch[order](t, store)
	o := *newOrder()
	view(t, store, func(tx *txcache.Tx) {
		for i := range 20 {
			c.Set(tx.WithUser(i), "1", o)
		}
	})
	o.Lines[0].Price = 3
	single(t, r.end(), `"1"`, ".Lines[0].Price was 2 and is 3")
}

// Values of other databases and users do not push each other out.
func TestMutationIsDetectedBehindTheSameKeyElsewhere(t *testing.T) {
	store := txcachetest.Memory(t)
	r, c := watch[[]int](t, store)
	first := []int{1}
	view(t, store, func(tx *txcache.Tx) {
		c.Set(tx.WithUser("ada"), "1", first)
		c.Set(tx.WithUser("grace"), "1", []int{2})
	})
	first[0] = 9
	single(t, r.end(), `"1"`, "[0] was 1 and is 9")
}

func TestMutationsOfSeveralCachesAreCounted(t *testing.T) {
	store := txcachetest.Memory(t)
	r, c := watch[*int](t, store)
	other := txcache.Must(txcache.NewCache[int, []string](store, "names", nil))
	values := make([]int, 20)
	names := []string{"a"}
	view(t, store, func(tx *txcache.Tx) {
		other.Set(tx, 7, names)
		for i := range values {
			c.Set(tx, fmt.Sprint(i), &values[i])
		}
	})
	names[0] = "b"
	for i := range values {
		values[i]++
	}
	failures := r.end()
	if len(failures) != 11 {
		t.Fatalf("%d failures: %q; want ten and their number", len(failures), failures)
	}
	if want := `cache "names", key 7: the value was changed after it was cached: [0] was "a" and is "b"`; !strings.HasSuffix(failures[0], want) {
		t.Errorf("%q; want %q", failures[0], want)
	}
	if want := `key "0": the value was changed after it was cached: it was 0 and is 1`; !strings.HasSuffix(failures[1], want) {
		t.Errorf("%q; want %q", failures[1], want)
	}
	if want := "txcache: 11 more cached values were changed"; failures[10] != want {
		t.Errorf("%q; want %q", failures[10], want)
	}
}
