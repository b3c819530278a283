package txprometheus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txprometheus"
)

// use has a cache of each store hit, miss, load, fail and be cleared.
func use(t *testing.T, servers ...*txcache.Store) {
	t.Helper()
	for _, store := range servers {
		users := txcache.Must(txcache.NewCache[int, string](store, "users", &txcache.CacheOptions{ContextFree: true}))
		txcache.Must(txcache.NewCache[int, string](store, "prices", nil))
		load := func(ctx context.Context, key int, err error) {
			t.Helper()
			got := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
				_, err := users.Load(ctx, tx, key, func(context.Context) (string, error) { return "Ada", err })
				return err
			})
			if !errors.Is(got, err) {
				t.Fatal(got)
			}
		}
		load(t.Context(), 1, nil)
		load(t.Context(), 1, nil)
		load(t.Context(), 2, errors.New("no such table"))
		if err := store.Update(t.Context(), "other", users.Clear); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCollectsWhatTheStoreCounts(t *testing.T) {
	servers := txcachetest.RedisServers(t, 2)
	use(t, servers...)
	store := servers[1] // which found the first server's value in Redis
	if err := testutil.CollectAndCompare(txprometheus.NewCollector(store, nil), strings.NewReader(`
# HELP txcache_hits_total Look-ups of a cache that found a value: tier process in the transaction or the near cache, tier remote in the backend. More is better; many of tier remote in a cache with evictions ask for a larger size.
# TYPE txcache_hits_total counter
txcache_hits_total{cache="prices",tier="process"} 0
txcache_hits_total{cache="prices",tier="remote"} 0
txcache_hits_total{cache="users",tier="process"} 1
txcache_hits_total{cache="users",tier="remote"} 1
# HELP txcache_misses_total Look-ups of a cache that found no value, or did not look because the transaction had cleared the cache or it was fenced. Worry when they grow faster than hits: see bypassed reads, evictions and clears.
# TYPE txcache_misses_total counter
txcache_misses_total{cache="prices"} 0
txcache_misses_total{cache="users"} 1
# HELP txcache_load_errors_total Calls of loaders of a cache that returned an error or panicked; what they return for an absent value is none. Worry when they grow: the service cannot load.
# TYPE txcache_load_errors_total counter
txcache_load_errors_total{cache="prices"} 0
txcache_load_errors_total{cache="users"} 1
# HELP txcache_clears_total Commits of this process that cleared the cache, those that failed included. Worry when they come more often than changes of the data: each costs the database what was cached.
# TYPE txcache_clears_total counter
txcache_clears_total{cache="prices"} 0
txcache_clears_total{cache="users"} 1
# HELP txcache_near_values Values of a cache in this process now, over all databases; an expired one counts until it is replaced. No reason to worry; it bounds the memory.
# TYPE txcache_near_values gauge
txcache_near_values{cache="prices"} 0
txcache_near_values{cache="users"} 1
# HELP txcache_fences_total Commits that placed a fence on what they cleared, as every commit with a clear does. No reason to worry; they grow with the changes of the data.
# TYPE txcache_fences_total counter
txcache_fences_total 1
# HELP txcache_databases Databases, such as tenants, that this process has used and keeps something of. No reason to worry; those that are not used for long leave when others need the memory.
# TYPE txcache_databases gauge
txcache_databases 2
# HELP txcache_backend_breaker_open 1 while the backend does not answer and calls to it are refused at once, else 0. Worry while it is 1: every read goes to the database, and commits with a clear are refused unless outage is commit.
# TYPE txcache_backend_breaker_open gauge
txcache_backend_breaker_open 0
`), "txcache_hits_total", "txcache_misses_total", "txcache_load_errors_total", "txcache_clears_total", "txcache_near_values",
		"txcache_fences_total", "txcache_databases", "txcache_backend_breaker_open"); err != nil {
		t.Error(err)
	}
}

func TestDeletesAreNoClears(t *testing.T) {
	store := txcachetest.Memory(t)
	users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
	for range 2 {
		if err := store.Update(t.Context(), "shop", func(tx *txcache.Tx) error { return users.Delete(tx, 1, 2) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := testutil.CollectAndCompare(txprometheus.NewCollector(store, nil), strings.NewReader(`
# HELP txcache_clears_total Commits of this process that cleared the cache, those that failed included. Worry when they come more often than changes of the data: each costs the database what was cached.
# TYPE txcache_clears_total counter
txcache_clears_total{cache="users"} 0
# HELP txcache_deletes_total Keys of a cache that commits of this process deleted, those that failed included. No reason to worry; they grow with the changes of the data, and each costs the database one value.
# TYPE txcache_deletes_total counter
txcache_deletes_total{cache="users"} 4
`), "txcache_clears_total", "txcache_deletes_total"); err != nil {
		t.Error(err)
	}
}

func TestLint(t *testing.T) {
	store := txcachetest.Redis(t)
	use(t, store)
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(txprometheus.NewCollector(store, nil)); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestABackendWithoutStatsHasNoMetrics(t *testing.T) {
	families := gather(t, txprometheus.NewCollector(txcachetest.Memory(t), nil))
	if families["txcache_fences_total"] == nil {
		t.Error("the store's own metrics are missing")
	}
	for name := range families {
		if strings.HasPrefix(name, "txcache_backend_") {
			t.Errorf("%s, of a backend that keeps no stats", name)
		}
	}
}

func TestStoresOfAProcessAreToldApart(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	for _, name := range []string{"main", "reports"} {
		store := txcachetest.Memory(t)
		use(t, store)
		if err := r.Register(txprometheus.NewCollector(store, &txprometheus.Options{ConstLabels: prometheus.Labels{"store": name}})); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := testutil.GatherAndCount(r, "txcache_databases"); n != 2 || err != nil {
		t.Errorf("%d series, error %v; want one for each of 2 stores", n, err)
	}
}

func TestWhatCannotBeIsAnErrorOfRegister(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(txprometheus.NewCollector(nil, nil)); err == nil || !strings.Contains(err.Error(), "needs a store") {
		t.Errorf("no store: %v", err)
	}
	for _, label := range []string{"cache", "tier", "le", "\xff"} {
		c := txprometheus.NewCollector(txcachetest.Memory(t), &txprometheus.Options{ConstLabels: prometheus.Labels{label: "x"}})
		if err := r.Register(c); err == nil {
			t.Errorf("label %q: no error", label)
		}
	}
}

func TestAClosedStoreIsCollectedStill(t *testing.T) {
	store := txcachetest.Redis(t)
	use(t, store)
	c := txprometheus.NewCollector(store, nil)
	before := testutil.CollectAndCount(c)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if after := testutil.CollectAndCount(c); after != before {
		t.Errorf("%d series after Close, %d before", after, before)
	}
}

func TestScrapesWhileTheStoreIsUsed(t *testing.T) {
	store := txcachetest.Redis(t)
	users := txcache.Must(txcache.NewCache[int, int](store, "users", &txcache.CacheOptions{Size: 8}))
	c := txprometheus.NewCollector(store, nil)
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for i := range 3 {
		work.Go(func() {
			for range 50 {
				if err := store.Update(t.Context(), fmt.Sprint(i), func(tx *txcache.Tx) error {
					users.Get(t.Context(), tx, i)
					return users.Clear(tx)
				}); err != nil {
					t.Error(err)
				}
			}
		})
		work.Go(func() {
			for range 20 {
				if _, err := r.Gather(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	if n := gather(t, c)["txcache_fences_total"].GetMetric()[0].GetCounter().GetValue(); n != 150 {
		t.Errorf("%v fences, want 150", n)
	}
}

// gather returns what c collects, by name.
func gather(t *testing.T, c prometheus.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}
