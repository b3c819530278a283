package txprometheus_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txprometheus"
)

// took are what loads of these tests take: two within the least bound, one beyond every
// bound, two that are at a bound and just above.
var took = []time.Duration{0, time.Microsecond, 3 * time.Millisecond, 250 * time.Millisecond, 250*time.Millisecond + 1, 90 * time.Second}

// timed returns the histograms of a store whose loads took so long, and whose commits
// with a clear took a second and two.
func timed(t *testing.T, opts *txprometheus.Options) map[string]*dto.Histogram {
	t.Helper()
	store := txcachetest.Memory(t)
	users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
	for key, d := range took {
		err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
			_, err := users.Load(t.Context(), tx, key, func(context.Context) (string, error) {
				time.Sleep(d)
				if key == 2 {
					return "", errFailed
				}
				return "Ada", nil
			})
			return err
		})
		if err != nil && !errors.Is(err, errFailed) {
			t.Fatal(err)
		}
	}
	for _, commit := range []func(context.Context) error{
		func(context.Context) error { time.Sleep(time.Second); return nil },
		func(context.Context) error { time.Sleep(2 * time.Second); return nil },
		func(context.Context) error { time.Sleep(time.Hour); return txcache.NotSent(errFailed) }, // not counted
	} {
		tx, err := store.Begin(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		if err := users.Clear(tx); err != nil {
			t.Fatal(err)
		}
		if err := tx.CommitWith(t.Context(), commit); err != nil && !errors.Is(err, errFailed) {
			t.Fatal(err)
		}
	}
	got := map[string]*dto.Histogram{}
	for name, f := range gather(t, txprometheus.NewCollector(store, opts)) {
		if f.GetType() == dto.MetricType_HISTOGRAM {
			got[name] = f.GetMetric()[0].GetHistogram()
		}
	}
	return got
}

var errFailed = errors.New("no such table")

// classic returns how many are at most so long, for the bounds at which that changes.
func classic(h *dto.Histogram) map[float64]uint64 {
	steps, before := map[float64]uint64{}, uint64(0)
	for _, b := range h.GetBucket() {
		if n := b.GetCumulativeCount(); n != before {
			steps[b.GetUpperBound()], before = n, n
		}
	}
	return steps
}

func TestLoadsAreAHistogramInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := timed(t, nil)["txcache_load_duration_seconds"]
		if diff := cmp.Diff(map[float64]uint64{math.Ldexp(1, -14): 2, math.Ldexp(1, -8): 3, 0.25: 4, 1: 5}, classic(h)); diff != "" {
			t.Errorf("loads of at most so many seconds (-want +got):\n%s", diff)
		}
		if n, sum := h.GetSampleCount(), h.GetSampleSum(); n != 6 || math.Abs(sum-90.503001001) > 1e-9 {
			t.Errorf("%d loads took %v s, want 6 and 90.503001001", n, sum)
		}
		if n := len(h.GetBucket()); n != 11 {
			t.Errorf("%d buckets for each cache; each is a time series", n)
		}
		if h.Schema != nil {
			t.Error("a native histogram that nobody asked for")
		}
	})
}

func TestCommitsThatClearAreAHistogram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := timed(t, nil)["txcache_commit_duration_seconds"]
		if diff := cmp.Diff(map[float64]uint64{1: 1, 2: 2}, classic(h)); diff != "" {
			t.Errorf("commits of at most so many seconds (-want +got):\n%s", diff)
		}
		if n, sum := h.GetSampleCount(), h.GetSampleSum(); n != 2 || sum != 3 {
			t.Errorf("%d commits took %v s, want 2 and 3", n, sum)
		}
	})
}

// Each synchronisation is in a bucket.
func TestSynchronisationsAreAHistogram(t *testing.T) {
	store := txcachetest.Redis(t)
	use(t, store)
	status := store.Status().Backend
	h := gather(t, txprometheus.NewCollector(store, nil))["txcache_backend_sync_duration_seconds"].GetMetric()[0].GetHistogram()
	if n := h.GetSampleCount(); n == 0 || n != status.Syncs || n != status.SyncDurations.Total() {
		t.Errorf("%d synchronisations, want %d, and not none", n, status.Syncs)
	}
	if n := len(h.GetBucket()); n != 22 {
		t.Errorf("%d buckets, want one for each power of two from 30 µs to 64 s", n)
	}
}

// Both forms are of the same durations: in the native one bucket i is up to 2ⁱ seconds.
func TestNativeHistograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := timed(t, &txprometheus.Options{NativeHistograms: true})["txcache_load_duration_seconds"]
		if h.Schema == nil || h.GetSchema() != 0 || h.GetZeroThreshold() != math.Ldexp(1, -15) || h.GetZeroCount() != 2 {
			t.Errorf("schema %v, zero up to %v is %d; want 0, 2⁻¹⁵, 2", h.Schema, h.GetZeroThreshold(), h.GetZeroCount())
		}
		if len(h.GetBucket()) == 0 {
			t.Error("the classic form is missing")
		}
		got := map[int32]int64{}
		next, n, delta := int32(0), int64(0), h.GetPositiveDelta()
		for _, span := range h.GetPositiveSpan() {
			next += span.GetOffset()
			for range span.GetLength() {
				if n += delta[0]; n != 0 {
					got[next] = n
				}
				next, delta = next+1, delta[1:]
			}
		}
		if diff := cmp.Diff(map[int32]int64{-8: 1, -2: 1, -1: 1, 7: 1}, got); diff != "" || len(delta) > 0 {
			t.Errorf("%d deltas are too many; loads in buckets (-want +got):\n%s", len(delta), diff)
		}
	})
}
