package httpbackend_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	httpbackend "github.com/seed-dad15c92/txcache/examples/backend"
)

// direct is a network without connections, so that it works within a bubble.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// Lives are those of an authority, one after another.
type lives struct {
	atomic.Pointer[httpbackend.Authority]
}

func newLives() *lives {
	l := &lives{}
	l.restart()
	return l
}

// restart begins the next life, which knows nothing of the one before.
func (l *lives) restart() { l.Store(httpbackend.NewAuthority()) }

func (l *lives) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.Load().ServeHTTP(w, r) }

// Each rule in a bubble of its own, where leases end without waiting.
func TestBackendKeepsEveryRule(t *testing.T) {
	for _, rule := range backendtest.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				authority := newLives()
				err := rule.Check(t.Context(), backendtest.Authority{
					Open: func(context.Context) (backend.Backend, error) {
						return httpbackend.New("http://authority", &http.Client{Transport: direct{authority}})
					},
					Lease:   time.Minute,
					Advance: time.Sleep,
					Restart: authority.restart,
				})
				if errors.Is(err, backendtest.ErrSkipped) {
					t.Skip(err)
				}
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The rules that need no time, over connections.
func TestBackendKeepsTheRulesOverTheNetwork(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) backendtest.Authority {
		authority := newLives()
		server := httptest.NewServer(authority)
		t.Cleanup(server.Close)
		return backendtest.Authority{
			Restart: authority.restart,
			Open: func(context.Context) (backend.Backend, error) {
				return httpbackend.New(server.URL, &http.Client{Transport: &http.Transport{}})
			},
		}
	})
}

// configure writes a configuration of the backend and returns its path.
func configure(t *testing.T, section string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cache.toml")
	text := fmt.Sprintf("[cache]\nclass = %q\n\n[cache.authority]\n%s\n", httpbackend.Class, section)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStoresFromAFileShareCommits(t *testing.T) {
	server := httptest.NewServer(httpbackend.NewAuthority())
	defer server.Close()
	path := configure(t, fmt.Sprintf("url = %q\ntimeout = \"10s\"", server.URL))
	price := 2 // in the database
	read := make([]func() int, 2)
	write := make([]func(int), 2)
	for i := range read {
		store := txcache.Must(txcache.Open(t.Context(), path))
		defer store.Close()
		prices := txcache.Must(txcache.NewCache[string, int](store, "prices", nil))
		read[i] = func() (found int) {
			err := store.View(t.Context(), "shop", func(tx *txcache.Tx) (err error) {
				found, err = prices.Load(t.Context(), tx, "pen", func(context.Context) (int, error) { return price, nil })
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return found
		}
		write[i] = func(p int) {
			err := store.Update(t.Context(), "shop", func(tx *txcache.Tx) error {
				price = p
				return prices.Clear(tx)
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
	for round := range 6 {
		write[round%2](10 + round)
		for i := range read {
			for range 2 {
				if found := read[i](); found != 10+round {
					t.Errorf("round %d: server %d reads %d", round, i, found)
				}
			}
		}
	}
	price = 99 // without a clear: both have the old one in their process
	for i := range read {
		if found := read[i](); found != 15 {
			t.Errorf("server %d reads %d, want 15 from its process", i, found)
		}
	}
}

// While the authority is away reads miss, and commits that clear are refused.
func TestAuthorityAway(t *testing.T) {
	server := httptest.NewServer(httpbackend.NewAuthority())
	server.Close() // before the store is opened, which does not connect
	store := txcache.Must(txcache.Open(t.Context(), configure(t, fmt.Sprintf("url = %q", server.URL))))
	defer store.Close()
	prices := txcache.Must(txcache.NewCache[string, int](store, "prices", nil))
	for range 2 {
		err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
			if _, ok := prices.Get(t.Context(), tx, "pen"); ok {
				t.Error("a read has hit")
			}
			prices.Set(tx, "pen", 2)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	committed := false
	tx, err := store.Begin(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := prices.Clear(tx); err != nil {
		t.Fatal(err)
	}
	err = tx.CommitWith(t.Context(), func(context.Context) error {
		committed = true
		return nil
	})
	if !errors.Is(err, txcache.ErrUnavailable) || committed {
		t.Errorf("the commit answers %v, the database committed: %v", err, committed)
	}
	if s := store.Status(); s.Backend == nil || s.Backend.Failures == 0 {
		t.Errorf("the status is %+v, want failures of the backend", s)
	}
}

// An authority that has lost its memory brings nothing back.
func TestAuthorityStartsAnew(t *testing.T) {
	first := httpbackend.NewAuthority()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { first.ServeHTTP(w, r) }))
	defer server.Close()
	b := txcache.Must(httpbackend.New(server.URL, &http.Client{Transport: &http.Transport{}}))
	defer b.Close()
	before, err := b.Sync(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	first = httpbackend.NewAuthority()
	after, err := b.Sync(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if after.Version <= before.Version || after.Epoch == before.Epoch || after.Base == before.Base {
		t.Errorf("the state after the restart is %+v, before %+v; want a newer one of another epoch", after, before)
	}
}

// An answer of the life before, which arrives when the next one is known, is not
// taken for news.
func TestAnAnswerOfALifeBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority := newLives()
		held := make(chan struct{})
		late := roundTripper(func(r *http.Request) (*http.Response, error) {
			reply, err := direct{authority}.RoundTrip(r)
			if r.Context().Value(slow{}) != nil {
				<-held
			}
			return reply, err
		})
		b := txcache.Must(httpbackend.New("http://authority", &http.Client{Transport: late}))
		defer b.Close()
		clear := func(ctx context.Context) *backend.State {
			s, err := b.Clear(ctx, "shop", backend.Fence{ID: backend.NewToken(), Caches: []backend.Generation{{Cache: "a"}}, Lease: time.Minute})
			if err != nil {
				t.Error(err)
			}
			return s
		}
		for range 3 {
			clear(t.Context())
		}
		answers := make(chan *backend.State)
		go func() { answers <- clear(context.WithValue(t.Context(), slow{}, true)) }()
		synctest.Wait()
		authority.restart()
		newest := clear(t.Context())
		go close(held)
		if got := <-answers; got.Epoch != newest.Epoch || got.Token("a") != newest.Token("a") {
			t.Errorf("the late answer shows %+v, the newest state is %+v", got, newest)
		}
		if got, err := b.Sync(t.Context(), "shop"); err != nil || got != newest {
			t.Errorf("after the late answer: %+v, %v; want %+v", got, err, newest)
		}
	})
}

type slow struct{}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestBadConfigurationIsAnError(t *testing.T) {
	for _, test := range []struct{ section, want string }{
		{`url = "localhost:7070"`, "cache.authority.url: expected a URL such as"},
		{`url = "http://ada:secret@localhost"`, "without user and password"},
		{`timeout = "-1s"`, "cache.authority.timeout: expected a positive duration"},
		{`timeout = 5`, "cache.authority.timeout"},
		{`uri = "http://localhost"`, "cache.authority.uri: unknown key"},
	} {
		_, err := txcache.Open(t.Context(), configure(t, test.section))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want %q", test.section, err, test.want)
		}
	}
}

func TestAuthorityRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for _, test := range []struct {
		path, body string
		code       int
	}{
		{"/sync", "{", http.StatusBadRequest},
		{"/sync", `{"Database": "` + strings.Repeat("x", 2<<20) + `"}`, http.StatusBadRequest},
		{"/flush", "{}", http.StatusNotFound},
	} {
		w := httptest.NewRecorder()
		httpbackend.NewAuthority().ServeHTTP(w, httptest.NewRequest(http.MethodPost, test.path, strings.NewReader(test.body)))
		if w.Code != test.code {
			t.Errorf("%s: %d, want %d", test.path, w.Code, test.code)
		}
	}
}
