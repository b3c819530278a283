// Package txhttp carries through an HTTP request for whom it is served: in which database of
// which store, as which user, with which values of the user context. [Middleware] finds it
// out once, handlers give it to the transactions that they begin:
//
//	s := txhttp.FromContext(r.Context())
//	err := sqltx.View(r.Context(), s.Store, s.Database, db, nil, func(tx *sqltx.Tx) error {
//		tx.Cache = s.Handle(tx.Cache)
//		...
//	})
//
// A request has no transaction of its own: a handler may need several or none, and one that is
// open while the client reads the answer holds a connection.
package txhttp

import (
	"context"
	"net/http"

	"github.com/seed-dad15c92/txcache"
)

// A Scope is for whom a request is served. The zero Scope has no store, so that
// sqltx and txpgx answer an error.
type Scope struct {
	Store    *txcache.Store
	Database string         // the tenant
	User     any            // as txcache.Tx.WithUser takes it; nil: none
	Values   map[string]any // as txcache.Tx.WithContext takes them, such as the language; not changed any more
}

// Handle returns tx as seen by the user of the scope, with its values.
func (s Scope) Handle(tx *txcache.Tx) *txcache.Tx {
	if s.User != nil {
		tx = tx.WithUser(s.User)
	}
	if len(s.Values) > 0 {
		tx = tx.WithContext(s.Values)
	}
	return tx
}

type key struct{}

// NewContext returns a context that carries s. It is for what is no HTTP request, such as a
// job or a test.
func NewContext(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, key{}, s)
}

// FromContext returns the scope that ctx carries, the zero Scope if there is none.
func FromContext(ctx context.Context) Scope {
	s, _ := ctx.Value(key{}).(Scope)
	return s
}

// Middleware returns what gives each request the scope that find returns. Where there is none,
// as the tenant does not exist or the user is not known, find answers the request itself and
// returns false; the handler is not called then. find may be called by
// several goroutines.
func Middleware(find func(w http.ResponseWriter, r *http.Request) (Scope, bool)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s, ok := find(w, r); ok {
				next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), s)))
			}
		})
	}
}
