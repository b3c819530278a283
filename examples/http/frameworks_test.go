package http

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txhttp"
)

func TestFrameworks(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for name, open := range map[string]func(*Shop) http.Handler{
		"net/http": func(s *Shop) http.Handler { return txhttp.Middleware(s.find)(s) }, "chi": Chi, "echo": Echo, "gin": Gin,
	} {
		t.Run(name, func(t *testing.T) {
			store := txcachetest.Memory(t)
			s := &Shop{store, txcache.Must(txcache.NewCache[string, string](store, "greetings", nil))}
			h := open(s)
			serve := func(host, user string) *httptest.ResponseRecorder {
				r := httptest.NewRequest("GET", "/greeting", nil)
				r.Host = host
				r.Header.Set("User", user)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w
			}
			for range 2 {
				for _, a := range [][3]string{{"shop", "ann", "Welcome to shop, ann"}, {"shop", "bob", "Welcome to shop, bob"}, {"mall", "ann", "Welcome to mall, ann"}} {
					if w := serve(a[0], a[1]); w.Code != http.StatusOK || w.Body.String() != a[2] {
						t.Errorf("%d %q, want %q", w.Code, w.Body, a[2])
					}
				}
			}
			if loads := s.Greetings.Stats().Loads; loads != 3 {
				t.Errorf("%d loads, want 3", loads)
			}
			if w := serve("nowhere", "ann"); w.Code != http.StatusNotFound || w.Body.String() != "no such shop\n" {
				t.Errorf("%d %q, want the answer of find alone", w.Code, w.Body)
			}
		})
	}
}
