package txotel_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txotel"
)

// collect returns every point by its name and attributes, and every metric by
// its name.
func collect(t *testing.T, reader sdkmetric.Reader) (points map[string]float64, metrics map[string]metricdata.Metrics) {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	points, metrics = map[string]float64{}, map[string]metricdata.Metrics{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			metrics[m.Name] = m
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				add(points, m.Name, d.DataPoints)
			case metricdata.Sum[float64]:
				add(points, m.Name, d.DataPoints)
			case metricdata.Gauge[float64]:
				add(points, m.Name, d.DataPoints)
			default:
				t.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	return points, metrics
}

func add[N int64 | float64](points map[string]float64, name string, data []metricdata.DataPoint[N]) {
	for _, p := range data {
		points[strings.TrimSpace(name+" "+p.Attributes.Encoded(attribute.DefaultEncoder()))] = float64(p.Value)
	}
}

// observed returns a reader of what store counts, and what ends that.
func observed(t *testing.T, store *txcache.Store, attributes ...attribute.KeyValue) (sdkmetric.Reader, func() error) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	stop, err := txotel.Observe(store, sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), attributes...)
	if err != nil {
		t.Fatal(err)
	}
	return reader, stop
}

// use has the cache "users" of each store hit, miss, load, fail and be cleared.
func use(t *testing.T, servers ...*txcache.Store) {
	t.Helper()
	for _, store := range servers {
		users := txcache.Must(txcache.NewCache[int, string](store, "users", &txcache.CacheOptions{ContextFree: true}))
		for key, failure := range []error{nil, nil, errors.New("no such table")} {
			if err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
				_, err := users.Load(t.Context(), tx, key/2, func(context.Context) (string, error) { return "Ada", failure })
				return err
			}); !errors.Is(err, failure) {
				t.Fatal(err)
			}
		}
		if err := store.Update(t.Context(), "other", users.Clear); err != nil {
			t.Fatal(err)
		}
	}
}

func TestObservesWhatTheStoreCounts(t *testing.T) {
	servers := txcachetest.RedisServers(t, 2)
	use(t, servers...)
	reader, _ := observed(t, servers[1], attribute.String("store", "main")) // it found the first server's value in Redis
	points, metrics := collect(t, reader)
	got := map[string]float64{}
	want := map[string]float64{
		"txcache.hits store=main,txcache.cache=users,txcache.tier=process": 1,
		"txcache.hits store=main,txcache.cache=users,txcache.tier=remote":  1,
		"txcache.misses store=main,txcache.cache=users":                    1,
		"txcache.loads store=main,txcache.cache=users":                     1,
		"txcache.load.errors store=main,txcache.cache=users":               1,
		"txcache.clears store=main,txcache.cache=users":                    1,
		"txcache.near_values store=main,txcache.cache=users":               1,
		"txcache.fences store=main":                                        1,
		"txcache.databases store=main":                                     2,
		"txcache.backend.breaker_open store=main":                          0,
	}
	for name := range want {
		if v, ok := points[name]; ok {
			got[name] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
	if trips := points["txcache.backend.round_trips store=main"]; trips < 5 {
		t.Errorf("%v round trips; there were 4 begins and a clear", trips)
	}
	if points["txcache.load.time store=main,txcache.cache=users"] <= 0 || metrics["txcache.load.time"].Unit != "s" {
		t.Errorf("the time of loads is not in seconds, or there is none: %+v", metrics["txcache.load.time"])
	}
}

func TestEveryMetricIsInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	store := txcachetest.Redis(t)
	use(t, store)
	reader, _ := observed(t, store)
	_, metrics := collect(t, reader)
	if len(metrics) < 35 {
		t.Errorf("%d metrics only", len(metrics))
	}
	for name, m := range metrics {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/metrics.md does not have `%s`", name)
		}
		if m.Description == "" || m.Unit == "" {
			t.Errorf("%s has description %q and unit %q", name, m.Description, m.Unit)
		}
	}
}

func TestABackendWithoutStatsHasNoMetrics(t *testing.T) {
	reader, _ := observed(t, txcachetest.Memory(t))
	points, _ := collect(t, reader)
	if _, ok := points["txcache.fences"]; !ok {
		t.Error("the store's own metrics are missing")
	}
	for name := range points {
		if strings.HasPrefix(name, "txcache.backend.") {
			t.Errorf("%s, of a backend that keeps no stats", name)
		}
	}
}

func TestStopObserving(t *testing.T) {
	store := txcachetest.Memory(t)
	use(t, store)
	reader, stop := observed(t, store)
	if points, _ := collect(t, reader); len(points) == 0 {
		t.Error("nothing is observed")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if points, _ := collect(t, reader); len(points) > 0 {
		t.Errorf("observed after stop: %v", points)
	}
}

func TestAClosedStoreIsObservedStill(t *testing.T) {
	store := txcachetest.Redis(t)
	use(t, store)
	reader, _ := observed(t, store)
	before, _ := collect(t, reader)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if after, _ := collect(t, reader); len(after) != len(before) {
		t.Errorf("%d points after Close, %d before", len(after), len(before))
	}
}

func TestObserveNeedsAStore(t *testing.T) {
	if _, err := txotel.Observe(nil, nil); err == nil || !strings.Contains(err.Error(), "needs a store") {
		t.Error(err)
	}
}
