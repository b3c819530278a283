package txhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txhttp"
)

// serve answers a request for a tenant, by a user, in a language.
func serve(h http.Handler, tenant, user, language string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = tenant
	r.Header.Set("User", user)
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// find knows every tenant but nowhere.
func find(store *txcache.Store) func(w http.ResponseWriter, r *http.Request) (txcache.Scope, bool) {
	return func(w http.ResponseWriter, r *http.Request) (txcache.Scope, bool) {
		if r.Host == "nowhere" {
			http.Error(w, "no such shop", http.StatusNotFound)
			return txcache.Scope{}, false
		}
		s := txcache.Scope{Store: store, Database: r.Host, Values: map[string]any{"language": r.Header.Get("Accept-Language")}}
		if user := r.Header.Get("User"); user != "" {
			s.User = user
		}
		return s, true
	}
}

// P7: requests of several tenants, users and languages have values of their own; those of one have the
// same.
func TestRequestsShareWhatIsTheirs(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *txcache.Store{"memory": txcachetest.Memory, "redis": txcachetest.Redis} {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			greetings := txcache.Must(txcache.NewCache[string, string](store, "greetings", nil))
			loads := 0
			h := txhttp.Middleware(find(store))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := txcache.FromContext(r.Context())
				err := s.Store.View(r.Context(), s.Database, func(tx *txcache.Tx) error {
					greeting, err := greetings.Load(r.Context(), s.Handle(tx), "hello", func(context.Context) (string, error) {
						loads++
						return fmt.Sprint(s.Database, " ", s.User, " ", s.Values["language"]), nil
					})
					fmt.Fprint(w, greeting)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}))
			asked := [][3]string{{"shop", "ann", "en"}, {"shop", "bob", "en"}, {"shop", "ann", "de"}, {"shop", "", "en"}, {"mall", "ann", "en"}}
			for range 2 {
				for _, a := range asked {
					user := any(a[1])
					if a[1] == "" {
						user = nil
					}
					if got, want := serve(h, a[0], a[1], a[2]).Body.String(), fmt.Sprint(a[0], " ", user, " ", a[2]); got != want {
						t.Errorf("%q is answered %q, want %q", a, got, want)
					}
				}
			}
			if loads != len(asked) {
				t.Errorf("%d loads, want %d", loads, len(asked))
			}
		})
	}
}

func TestARequestWithoutAScopeReachesNoHandler(t *testing.T) {
	h := txhttp.Middleware(find(txcachetest.Memory(t)))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler is called") }))
	if w := serve(h, "nowhere", "", ""); w.Code != http.StatusNotFound {
		t.Errorf("the answer is %d, want that of find", w.Code)
	}
}

func TestAContextWithoutAScope(t *testing.T) {
	if s := txcache.FromContext(t.Context()); s.Store != nil || s.Database != "" || s.User != nil {
		t.Errorf("the scope is %+v, want none", s)
	}
	s := txcache.FromContext(txcache.NewContext(t.Context(), txcache.Scope{Database: "shop", User: 7}))
	if s.Database != "shop" || s.User != 7 {
		t.Errorf("the scope is %+v", s)
	}
}
