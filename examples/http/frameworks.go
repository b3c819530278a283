// Package http shows package txhttp with frameworks: the same middleware, and a handler that
// answers with what it has from the cache.
package http

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txhttp"
)

// A Shop has a greeting for each user.
type Shop struct {
	Store     *txcache.Store
	Greetings *txcache.Cache[string, string]
}

// find is the function for txhttp.Middleware: here the tenant is the host, and the user is named
// by a header, where a service would look into its session.
func (s *Shop) find(w http.ResponseWriter, r *http.Request) (txcache.Scope, bool) {
	if r.Host == "nowhere" {
		http.Error(w, "no such shop", http.StatusNotFound)
		return txcache.Scope{}, false
	}
	return txcache.Scope{Store: s.Store, Database: r.Host, User: r.Header.Get("User")}, true
}

// greeting is what all handlers do; it knows only the context of the request.
func (s *Shop) greeting(ctx context.Context) (greeting string, err error) {
	scope := txcache.FromContext(ctx)
	err = scope.Store.View(ctx, scope.Database, func(tx *txcache.Tx) error {
		greeting, err = s.Greetings.Load(ctx, scope.Handle(tx), "hello", func(context.Context) (string, error) {
			return fmt.Sprintf("Welcome to %s, %s", scope.Database, scope.User), nil
		})
		return err
	})
	return greeting, err
}

// ServeHTTP is for net/http and chi.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	greeting, err := s.greeting(r.Context())
	if err != nil {
		http.Error(w, "sorry", http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, greeting)
}

// Chi takes middleware as it is.
func Chi(s *Shop) http.Handler {
	r := chi.NewRouter()
	r.Use(txhttp.Middleware(s.find))
	r.Get("/greeting", s.ServeHTTP)
	return r
}

// Echo wraps it.
func Echo(s *Shop) http.Handler {
	e := echo.New()
	e.Use(echo.WrapMiddleware(txhttp.Middleware(s.find)))
	e.GET("/greeting", func(c echo.Context) error {
		greeting, err := s.greeting(c.Request().Context())
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, greeting)
	})
	return e
}

// Gin has handlers in a row in place of middleware around them.
func Gin(s *Shop) http.Handler {
	g := gin.New()
	g.Use(ginMiddleware(txhttp.Middleware(s.find)))
	g.GET("/greeting", func(c *gin.Context) {
		greeting, err := s.greeting(c.Request.Context())
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.String(http.StatusOK, greeting)
	})
	return g
}

// ginMiddleware makes a handler of gin of middleware of net/http.
func ginMiddleware(m func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		m(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}
