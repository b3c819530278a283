package txprometheus_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/txprometheus"
)

func Example() {
	ctx := context.Background()
	store, err := txcache.OpenConfig(ctx, config.Default()) // or txcache.Open(ctx, "cache.toml")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	registry := prometheus.NewRegistry() // a service has prometheus.DefaultRegisterer
	registry.MustRegister(txprometheus.NewCollector(store, nil))
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})

	users := txcache.Must(txcache.NewCache[int64, string](store, "users", nil))
	for range 3 {
		err := store.View(ctx, "shop", func(tx *txcache.Tx) error {
			_, err := users.Load(ctx, tx, 42, func(context.Context) (string, error) { return "Ada", nil })
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}

	page := httptest.NewRecorder()
	metrics.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if strings.HasPrefix(line, "txcache_hits_total") || strings.HasPrefix(line, "txcache_misses_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// txcache_hits_total{cache="users",tier="process"} 2
	// txcache_hits_total{cache="users",tier="remote"} 0
	// txcache_misses_total{cache="users"} 1
}
