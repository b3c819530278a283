package txotel_test

import (
	"context"
	"fmt"
	"log"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/txotel"
)

// A store that a file configures gets its spans through FromConfig.
func ExampleTrace() {
	ctx := context.Background()
	exporter := tracetest.NewInMemoryExporter() // a service has one of OTLP
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))

	cfg := config.Default() // or config.Load("cache.toml")
	b, opts, err := txcache.FromConfig(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	opts.Trace = txotel.Trace(provider)
	store, err := txcache.New(b, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	users := txcache.Must(txcache.NewCache[int64, string](store, "users", nil))
	if err := store.Update(ctx, "shop", users.Clear); err != nil {
		log.Fatal(err)
	}
	for _, span := range exporter.GetSpans() { // in the order in which they ended
		fmt.Println(span.Name, span.SpanKind)
	}
	// Output:
	// txcache.begin client
	// txcache.fence client
	// txcache.clear client
	// txcache.commit internal
}

func ExampleObserve() {
	ctx := context.Background()
	reader := sdkmetric.NewManualReader() // a service has a sdkmetric.PeriodicReader
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))

	store, err := txcache.New(memorybackend.New(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	stop, err := txotel.Observe(store, provider)
	if err != nil {
		log.Fatal(err)
	}
	defer stop()

	users := txcache.Must(txcache.NewCache[int64, string](store, "users", nil))
	if err := store.Update(ctx, "shop", users.Clear); err != nil {
		log.Fatal(err)
	}
	var data metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &data); err != nil {
		log.Fatal(err)
	}
	for _, m := range data.ScopeMetrics[0].Metrics {
		if m.Name == "txcache.clears" {
			fmt.Println(m.Name, m.Data.(metricdata.Sum[int64]).DataPoints[0].Value)
		}
	}
	// Output: txcache.clears 1
}
