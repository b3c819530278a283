package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// patience is how long a request may take.
const patience = 15 * time.Second

// A server serves the shops of all tenants, each under a host of its own.
type server struct {
	catalogue *catalogue
	domain    string // a tenant's host is its name, a dot and this
}

// A request is one for a shop.
type request struct {
	*http.Request
	tenant string
	visitor
}

// An action does what a request asks for, and returns what there is to show.
type action func(ctx context.Context, r *request) (any, error)

// routes returns the handler of the shops. The pages show what the API answers.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /api/products", s.read(s.list, writeJSON))
	mux.Handle("GET /api/products/{id}", s.read(s.product, writeJSON))
	mux.Handle("GET /api/categories", s.read(s.categories, writeJSON))
	mux.Handle("GET /api/settings", s.read(s.settings, writeJSON))
	mux.Handle("PUT /api/products/{id}", s.write(s.put, writeJSON))
	mux.Handle("PUT /api/products/{id}/prices", s.write(s.reprice, writeJSON))
	mux.Handle("PUT /api/settings/{name}", s.write(s.set, writeJSON))

	mux.Handle("GET /{$}", s.read(s.front, writePage("list.html")))
	mux.Handle("GET /products/{id}", s.read(s.product, writePage("product.html")))
	mux.Handle("POST /products/{id}", s.write(s.repriceForm, writePage("product.html")))
	// Other sites must not send forms in the name of an administrator.
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s *server) list(ctx context.Context, r *request) (any, error) {
	if text := r.URL.Query().Get("q"); text != "" {
		return s.catalogue.matches(ctx, r.tenant, r.visitor, text)
	}
	id, err := categoryOf(r)
	if err != nil {
		return nil, err
	}
	return s.catalogue.within(ctx, r.tenant, r.visitor, id)
}

func (s *server) product(ctx context.Context, r *request) (any, error) {
	id, err := number("product", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return s.catalogue.item(ctx, r.tenant, r.visitor, id)
}

func (s *server) categories(ctx context.Context, r *request) (any, error) {
	return s.catalogue.sections(ctx, r.tenant, r.visitor)
}

func (s *server) settings(ctx context.Context, r *request) (any, error) {
	return s.catalogue.allSettings(ctx, r.tenant, r.visitor)
}

func (s *server) put(ctx context.Context, r *request) (any, error) {
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
	return s.catalogue.put(ctx, r.tenant, r.visitor, product{id, body.Category, body.Name, body.Material}, body.Cents)
}

func (s *server) reprice(ctx context.Context, r *request) (any, error) {
	id, err := number("product", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var cents map[string]int64
	if err := decode(r, &cents); err != nil {
		return nil, err
	}
	return s.catalogue.reprice(ctx, r.tenant, r.visitor, id, cents)
}

func (s *server) repriceForm(ctx context.Context, r *request) (any, error) {
	id, err := number("product", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	cents, err := number("price", r.PostFormValue("cents"))
	if err != nil {
		return nil, err
	}
	return s.catalogue.reprice(ctx, r.tenant, r.visitor, id, map[string]int64{r.Group: cents})
}

func (s *server) set(ctx context.Context, r *request) (any, error) {
	var value string
	if err := decode(r, &value); err != nil {
		return nil, err
	}
	return s.catalogue.set(ctx, r.tenant, r.visitor, r.PathValue("name"), value)
}

// categoryOf returns the category that is asked for, 0 for all.
func categoryOf(r *request) (int64, error) {
	if text := r.URL.Query().Get("category"); text != "" {
		return number("category", text)
	}
	return 0, nil
}

func number(what, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: %s must be a number, not %q", errRefused, what, text)
	}
	return n, nil
}

func decode(r *request, v any) error {
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16)).Decode(v); err != nil {
		return fmt.Errorf("%w: %v", errRefused, err)
	}
	return nil
}

// A writer writes what an action returned.
type writer func(w http.ResponseWriter, r *request, v any, err error)

func (s *server) read(do action, write writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(r.Context(), w, r, do, write)
	})
}

// write is read for an action that changes something. It goes on if the client
// goes away: a context that ends in the middle of a commit leaves open whether
// that took place, and what was cleared is bypassed for a while.
func (s *server) write(do action, write writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(context.WithoutCancel(r.Context()), w, r, do, write)
	})
}

func (s *server) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, do action, write writer) {
	req, err := s.identify(r)
	if err != nil {
		write(w, req, nil, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := do(ctx, req)
	write(w, req, v, err)
}

// languages are those that the shops speak; the first is for everybody else.
var languages = language.NewMatcher([]language.Tag{language.English, language.German, language.French})

// identify finds out whose shop a request is for, and who asks. A real shop
// would know the group from who has signed in.
func (s *server) identify(r *http.Request) (*request, error) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host // without a port
	}
	query := r.URL.Query()
	tag, _ := language.MatchStrings(languages, query.Get("lang"), r.Header.Get("Accept-Language"))
	base, _ := tag.Base()
	req := &request{r, "", visitor{base.String(), query.Get("group")}}
	if req.Group != "business" {
		req.Group = retail
	}
	name, ok := strings.CutSuffix(strings.ToLower(host), "."+s.domain)
	if !ok || s.catalogue.tenants[name] == nil {
		return req, fmt.Errorf("shop %q: %w", host, txcache.ErrAbsent)
	}
	req.tenant = name
	return req, nil
}

// status returns the HTTP status of an error, and what the client may know.
func status(r *request, err error) (int, string) {
	switch {
	case err == nil:
		return http.StatusOK, ""
	case errors.Is(err, txcache.ErrAbsent):
		return http.StatusNotFound, "not found"
	case errors.Is(err, errRefused):
		return http.StatusUnprocessableEntity, err.Error()
	case errors.Is(err, txcache.ErrUnavailable):
		// The change was not made: other servers could not be told of it.
		slog.Warn("change refused", "tenant", r.tenant, "path", r.URL.Path, "error", err)
		return http.StatusServiceUnavailable, "try again in a moment; nothing was changed"
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return http.StatusServiceUnavailable, "canceled" // by the client, which is gone
	}
	message := "internal error"
	if errors.Is(err, sqltx.ErrUnknownOutcome) {
		message = "look whether the change was made: the database did not say"
	}
	slog.Error("request failed", "tenant", r.tenant, "path", r.URL.Path, "error", err)
	return http.StatusInternalServerError, message
}

func writeJSON(w http.ResponseWriter, r *request, v any, err error) {
	code, message := status(r, err)
	if err != nil {
		v = map[string]string{"error": message}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}
