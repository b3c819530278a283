package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// patience is how long a request may take.
const patience = 15 * time.Second

// A server serves the shops of all tenants, each under a host of its own: its name
// below localhost.
type server struct {
	store   *txcache.Store
	tenants tenants
	caches  *caches
}

// An action does what a request asks for, and returns the answer.
type action func(ctx context.Context, v *visit, r *http.Request) (any, error)

// routes returns the handler of the shops. Each request is one transaction: sqltx.View
// for what reads, sqltx.Update for what writes.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /api/products", s.read(getProducts))
	mux.Handle("GET /api/products/{id}", s.read(getProduct))
	mux.Handle("GET /api/categories", s.read(func(ctx context.Context, v *visit, _ *http.Request) (any, error) { return v.sections(ctx) }))
	mux.Handle("GET /api/settings", s.read(func(ctx context.Context, v *visit, _ *http.Request) (any, error) { return v.allSettings(ctx) }))
	mux.Handle("PUT /api/products/{id}", s.write(putProduct))
	mux.Handle("PUT /api/products/{id}/prices", s.write(putPrices))
	mux.Handle("PUT /api/settings/{name}", s.write(putSetting))
	return mux
}

func getProducts(ctx context.Context, v *visit, r *http.Request) (any, error) {
	query := r.URL.Query()
	if text := query.Get("q"); text != "" {
		return v.matches(ctx, text)
	}
	var category int64
	if text := query.Get("category"); text != "" {
		var err error
		if category, err = number("category", text); err != nil {
			return nil, err
		}
	}
	ids, err := v.within(ctx, category)
	if err != nil {
		return nil, err
	}
	return v.items(ctx, ids)
}

func getProduct(ctx context.Context, v *visit, r *http.Request) (any, error) {
	id, err := number("product", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return v.item(ctx, id)
}

// The answers to changes are read in their transactions, which see what they have
// changed themselves. Others do not, yet.

func putProduct(ctx context.Context, v *visit, r *http.Request) (any, error) {
	id, err := number("product", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var body struct {
		Category       int64
		Name, Material string
		Cents          map[string]int64
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if err := v.put(ctx, product{id, body.Category, body.Name, body.Material}, body.Cents); err != nil {
		return nil, err
	}
	return v.item(ctx, id)
}

func putPrices(ctx context.Context, v *visit, r *http.Request) (any, error) {
	id, err := number("product", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var cents map[string]int64
	if err := decode(r, &cents); err != nil {
		return nil, err
	}
	if err := v.reprice(ctx, id, cents); err != nil {
		return nil, err
	}
	return v.item(ctx, id)
}

func putSetting(ctx context.Context, v *visit, r *http.Request) (any, error) {
	var value string
	if err := decode(r, &value); err != nil {
		return nil, err
	}
	if err := v.set(ctx, r.PathValue("name"), value); err != nil {
		return nil, err
	}
	return v.allSettings(ctx) // the cache is Warm: what is read after the clear goes to everybody
}

func number(what, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: %s must be a number, not %q", errRefused, what, text)
	}
	return n, nil
}

func decode(r *http.Request, v any) error {
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16)).Decode(v); err != nil {
		return fmt.Errorf("%w: %v", errRefused, err)
	}
	return nil
}

func (s *server) read(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.serve(r.Context(), sqltx.View, w, r, do) }
}

// write is read for an action that changes something. It goes on if the client
// goes away: a context that ends in the middle of a commit leaves open whether
// that took place, and what was cleared is bypassed for a while.
func (s *server) write(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.serve(context.WithoutCancel(r.Context()), sqltx.Update, w, r, do)
	}
}

// A transact is sqltx.View or sqltx.Update.
type transact func(context.Context, *txcache.Store, string, *sql.DB, *sql.TxOptions, func(*sqltx.Tx) error) error

func (s *server) serve(ctx context.Context, run transact, w http.ResponseWriter, r *http.Request, do action) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var answer any
	tenant, err := s.tenantOf(r)
	if err == nil {
		err = run(ctx, s.store, tenant, s.tenants[tenant], nil, func(tx *sqltx.Tx) (err error) {
			answer, err = do(ctx, s.visit(tx, r), r)
			return err
		})
	}
	code, message := status(r, err)
	if err != nil {
		answer = map[string]string{"error": message}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // an error means that the client is gone
}

// visit finds out the user of the request. A real shop would know the group from the session.
func (s *server) visit(tx *sqltx.Tx, r *http.Request) *visit {
	v := &visit{tx, s.caches, "en", retail}
	query := r.URL.Query()
	if language := query.Get("lang"); language == "de" || language == "fr" {
		v.language = language
	}
	if query.Get("group") == "business" {
		v.group = "business"
	}
	// The user context: caches that are not ContextFree keep languages apart.
	tx.Cache = tx.Cache.WithContext(map[string]any{"language": v.language})
	return v
}

// tenantOf finds out whose shop a request is for.
func (s *server) tenantOf(r *http.Request) (string, error) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host // without a port
	}
	name, ok := strings.CutSuffix(strings.ToLower(host), ".localhost")
	if !ok || s.tenants[name] == nil {
		return "", fmt.Errorf("shop %q: %w", host, txcache.ErrAbsent)
	}
	return name, nil
}

// status returns the HTTP status of an error, and what the client may know.
func status(r *http.Request, err error) (int, string) {
	switch {
	case err == nil:
		return http.StatusOK, ""
	case errors.Is(err, txcache.ErrAbsent):
		return http.StatusNotFound, "not found"
	case errors.Is(err, errRefused):
		return http.StatusUnprocessableEntity, err.Error()
	case errors.Is(err, txcache.ErrUnavailable):
		// The change was not made: other servers could not be told of it.
		slog.Warn("change refused", "host", r.Host, "path", r.URL.Path, "error", err)
		return http.StatusServiceUnavailable, "try again in a moment; nothing was changed"
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return http.StatusServiceUnavailable, "canceled" // by the client, which is gone
	}
	message := "internal error"
	if errors.Is(err, sqltx.ErrUnknownOutcome) {
		message = "look whether the change was made: the database did not say"
	}
	slog.Error("request failed", "host", r.Host, "path", r.URL.Path, "error", err)
	return http.StatusInternalServerError, message
}
