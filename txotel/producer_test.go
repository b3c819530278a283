package txotel_test

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txotel"
)

var _ sdkmetric.Producer = (*txotel.Producer)(nil)

// produced returns what a reader with a Producer for store collects, by name.
func produced(t *testing.T, store *txcache.Store, attributes ...attribute.KeyValue) map[string]metricdata.Metrics {
	t.Helper()
	producer, err := txotel.NewProducer(store, attributes...)
	if err != nil {
		t.Fatal(err)
	}
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(producer))
	sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	all := map[string]metricdata.Metrics{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			all[m.Name] = m
		}
	}
	return all
}

func TestDurationsAreHistograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := txcachetest.Memory(t)
		users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
		for key, d := range []time.Duration{0, 3 * time.Millisecond, time.Second, time.Second + 1, 90 * time.Second} {
			if err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
				_, err := users.Load(t.Context(), tx, key, func(context.Context) (string, error) {
					time.Sleep(d)
					return "Ada", nil
				})
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		data, _ := produced(t, store, attribute.String("store", "main"))["txcache.load.duration"].Data.(metricdata.Histogram[float64])
		if len(data.DataPoints) != 1 || data.Temporality != metricdata.CumulativeTemporality {
			t.Fatalf("%+v; want one point, cumulative", data)
		}
		p := data.DataPoints[0]
		if got, want := p.Attributes.Encoded(attribute.DefaultEncoder()), "store=main,txcache.cache=users"; got != want {
			t.Errorf("attributes %s, want %s", got, want)
		}
		if p.Count != 5 || math.Abs(p.Sum-92.003000001) > 1e-9 {
			t.Errorf("%d loads took %v s, want 5 and 92.003000001", p.Count, p.Sum)
		}
		got := map[float64]uint64{}
		for i, n := range p.BucketCounts {
			if n > 0 && i < len(p.Bounds) {
				got[p.Bounds[i]] = n
			} else if n > 0 {
				got[math.Inf(1)] = n
			}
		}
		if diff := cmp.Diff(map[float64]uint64{math.Ldexp(1, -15): 1, math.Ldexp(1, -8): 1, 1: 1, 2: 1, math.Inf(1): 1}, got); diff != "" {
			t.Errorf("loads up to so many seconds (-want +got):\n%s", diff)
		}
	})
}

func TestHistogramsAreInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	store := txcachetest.Redis(t)
	use(t, store)
	all := produced(t, store)
	if len(all) != 4 {
		t.Errorf("%d histograms, want those of loads, commits, synchronisations and waits", len(all))
	}
	for name, m := range all {
		if !strings.Contains(string(page), "`"+name+"` `s`") || m.Unit != "s" || m.Description == "" {
			t.Errorf("%s has unit %q and description %q; docs/metrics.md must have it with its unit", name, m.Unit, m.Description)
		}
	}
	if commits, _ := all["txcache.commit.duration"].Data.(metricdata.Histogram[float64]); len(commits.DataPoints) != 1 || commits.DataPoints[0].Count != 1 {
		t.Errorf("commits: %+v; there was one with a clear", commits)
	}
}

func TestNewProducerNeedsAStore(t *testing.T) {
	if _, err := txotel.NewProducer(nil); err == nil || !strings.Contains(err.Error(), "needs a store") {
		t.Error(err)
	}
}
