package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/debugpage"
	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/txprometheus"
)

// options say what a service is made of.
type options struct {
	tenants  []string
	data     string         // the folder of the SQLite files
	postgres string         // "": SQLite
	cache    *config.Config // nil: class sql, in the databases of the tenants
}

// A shop is the service: what one process of it has.
type shop struct {
	store   *txcache.Store
	tenants tenants
	handler http.Handler
}

// openShop opens the service. The caller closes it when nobody uses its handler.
func openShop(ctx context.Context, o options) (*shop, error) {
	ts, err := openTenants(ctx, o)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, o, ts)
	if err != nil {
		return nil, errors.Join(err, ts.close())
	}
	s := &shop{store: store, tenants: ts}
	if err := ts.setUp(ctx, store, o); err != nil {
		return nil, errors.Join(err, s.close())
	}
	c, err := newCaches(store)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(txprometheus.NewCollector(store, nil)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	// A shop that is open to the world has these on another port.
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/debug/txcache/", debugpage.Handler(store, &debugpage.Options{Title: "shop"}))
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("/", (&server{store, ts, c}).routes())
	s.handler = mux
	return s, nil
}

// openStore opens the store. Nothing else of the service depends on the class.
func openStore(ctx context.Context, o options, ts tenants) (*txcache.Store, error) {
	if o.cache != nil {
		return txcache.OpenConfig(ctx, o.cache)
	}
	// Generations are in the tenants' own databases, whose connections the program has.
	dialect := sqlbackend.SQLite
	if o.postgres != "" {
		dialect = sqlbackend.Postgres
	}
	b, err := sqlbackend.New(ts.database, dialect, nil)
	if err != nil {
		return nil, err
	}
	return txcache.New(b, nil)
}

// health answers whether requests can be served. Without Redis they can.
func (s *shop) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	code := http.StatusOK
	for name, db := range s.tenants {
		if err := db.PingContext(ctx); err != nil {
			slog.Error("health", "tenant", name, "error", err)
			code = http.StatusServiceUnavailable
		}
	}
	cache := "ok"
	if b := s.store.Status().Backend; b != nil && b.Open {
		cache = "away: every read goes to the database, changes are refused"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"databases": code == http.StatusOK, "cache": cache})
}

// close closes the cache before the databases: what it loads in the background
// reads from them.
func (s *shop) close() error {
	return errors.Join(s.store.Close(), s.tenants.close())
}

// serve serves h until ctx is done, and then what has begun by then.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       patience,
		WriteTimeout:      2 * patience,
		IdleTimeout:       2 * time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience+5*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return fmt.Errorf("shop: requests were cut off: %w", errors.Join(err, srv.Close()))
	}
	return nil
}
