// Package txhttp gives each HTTP request the [txcache.Scope] for which it is served. [Middleware]
// finds it out once, and handlers give it to the transactions that they begin:
//
//	s := txcache.FromContext(r.Context())
//	err := sqltx.View(r.Context(), s.Store, s.Database, db, nil, func(tx *sqltx.Tx) error {
//		tx.Cache = s.Handle(tx.Cache)
//		...
//	})
//
// A request has no transaction of its own: a handler may need several or none, and one that is
// open while the client reads the answer holds a connection.
package txhttp

import (
	"net/http"

	"github.com/seed-dad15c92/txcache"
)

// Middleware returns what gives each request the scope that find returns. Where there is none,
// as the tenant does not exist or the user is not known, find answers the request itself and
// returns false; the handler is not called then. find may be called by
// several goroutines.
func Middleware(find func(w http.ResponseWriter, r *http.Request) (txcache.Scope, bool)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s, ok := find(w, r); ok {
				next.ServeHTTP(w, r.WithContext(txcache.NewContext(r.Context(), s)))
			}
		})
	}
}
