package debugpage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/debugpage"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// get answers a request for the page that is mounted at /debug/txcache/.
func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(h, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/debug/txcache/"+path, nil))
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// filled returns a store whose caches have n values each in database shop.
func filled(t *testing.T, n int, names ...string) *txcache.Store {
	t.Helper()
	store := txcachetest.Memory(t)
	for _, name := range names {
		fill(t, store, txcache.Must(txcache.NewCache[int, string](store, name, nil)), "shop", n)
	}
	return store
}

func fill(t *testing.T, store *txcache.Store, c *txcache.Cache[int, string], database string, n int) {
	t.Helper()
	err := store.View(t.Context(), database, func(tx *txcache.Tx) error {
		for i := range n {
			for range 2 { // a miss and a hit
				if _, err := c.Load(t.Context(), tx, i, func(context.Context) (string, error) { return "secret", nil }); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// document is what tests read of data.json.
type document struct {
	Version int
	Status  struct{ Backend *struct{ Failures uint64 } }
	Total   struct{ Hits, Misses uint64 }
	Caches  struct {
		Count, Matching int
		Items           []struct {
			Name                        string
			Hits, Misses, Loads, Clears uint64
			Values                      int
			HitRatio                    *float64 `json:"hit_ratio"`
			History                     *struct{ Hits []uint64 }
		}
	}
	Databases struct {
		Count, Matching int
		Items           []struct {
			Name           string
			Caches, Values int
		}
	}
	Database *struct {
		Used   bool
		Caches []struct {
			Name, Generation string
			Fenced           bool
			Values           int
		}
	}
	Samples *struct{ At []string }
}

func data(t *testing.T, h http.Handler, query string) document {
	t.Helper()
	w := get(t, h, "data.json"+query)
	var d document
	if err := json.Unmarshal(w.Body.Bytes(), &d); w.Code != http.StatusOK || err != nil {
		t.Fatalf("data.json%s: status %d, %v: %s", query, w.Code, err, w.Body)
	}
	return d
}

func TestFiguresAreThoseOfTheStore(t *testing.T) {
	store := filled(t, 3, "users", "views")
	h := debugpage.Handler(store, nil)
	d := data(t, h, "?database=shop")
	if d.Version != 1 || d.Total.Hits != 6 || d.Total.Misses != 6 || d.Caches.Count != 2 || d.Databases.Count != 1 {
		t.Errorf("data.json has %+v", d)
	}
	for _, c := range d.Caches.Items {
		if c.Hits != 3 || c.Misses != 3 || c.Loads != 3 || c.Values != 3 || c.HitRatio == nil || *c.HitRatio != 0.5 {
			t.Errorf("cache %+v; want three of each and a ratio of a half", c)
		}
	}
	if db := d.Databases.Items[0]; db.Name != "shop" || db.Values != 6 || db.Caches != 2 {
		t.Errorf("database %+v", db)
	}
	if d.Database == nil || !d.Database.Used || len(d.Database.Caches) != 2 || d.Database.Caches[0].Generation == "" || d.Database.Caches[0].Fenced {
		t.Errorf("details %+v", d.Database)
	}
	page := get(t, h, "?database=shop").Body.String()
	for _, want := range []string{"users", "views", "50.0\u202f%", `<data value="3">3</data>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(page, "secret") || strings.Contains(page, "<form method=\"post\"") || strings.Contains(page, "confirm?") {
		t.Error("the page shows a value or an action")
	}
}

func TestNamesAreEscaped(t *testing.T) {
	names := []string{`<script>alert(1)</script>`, `"quoted' & more`, "a/b?c#d%41%", "現金 \u202e", "javascript:alert(1)"}
	store := filled(t, 1, names...)
	cache := txcache.Must(txcache.NewCache[int, string](store, "plain", nil))
	for _, name := range names {
		fill(t, store, cache, name, 1)
	}
	h := debugpage.Handler(store, &debugpage.Options{Title: names[0], Actions: true})
	for _, name := range names {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/debug/txcache/", nil)
		q := r.URL.Query()
		for _, key := range []string{"database", "databases", "caches", "cache"} {
			q.Set(key, name)
		}
		q.Set("do", "clear")
		for _, path := range []string{"", "confirm"} {
			r.URL.Path, r.URL.RawQuery = "/debug/txcache/"+path, q.Encode()
			w := ask(h, r)
			body := w.Body.String()
			if w.Code != http.StatusOK || strings.Contains(body, "<script>alert") || strings.Contains(body, `"quoted'`) || !strings.Contains(html.UnescapeString(body), name) {
				t.Errorf("%q: status %d, or not shown, or not escaped", path+" of "+name, w.Code)
			}
		}
		r.URL.Path = "/debug/txcache/data.json"
		if body := ask(h, r).Body.String(); strings.Contains(body, "<script") {
			t.Errorf("data.json has %s", body)
		}
	}
}

func TestItWorksWhereverItIsMounted(t *testing.T) {
	page := debugpage.Handler(filled(t, 1, "users"), nil)
	bare := http.NewServeMux()
	bare.Handle("/debug/txcache/", page)
	exact := http.NewServeMux()
	exact.Handle("GET /debug/txcache", page)
	exact.Handle("GET /debug/txcache/", page)
	for name, h := range map[string]http.Handler{
		"as it is":                bare,
		"both":                    exact,
		"stripped":                http.StripPrefix("/debug/txcache", page),
		"stripped with its slash": http.StripPrefix("/debug/txcache/", page),
	} {
		for _, path := range []string{"", "data.json", "page.css", "page.js", "icon.svg"} {
			if w := get(t, h, path); w.Code != http.StatusOK || w.Body.Len() == 0 {
				t.Errorf("%s: status %d for %q", name, w.Code, path)
			}
		}
		if w := get(t, h, "nothing"); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d for what is not there", name, w.Code)
		}
		if name == "stripped with its slash" {
			continue // without it, the prefix does not match
		}
		w := ask(h, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/debug/txcache", nil))
		if to := w.Header().Get("Location"); w.Code/100 != 3 || to != "./txcache/" && to != "/debug/txcache/" {
			t.Errorf("%s: without a slash, status %d to %q", name, w.Code, to)
		}
	}
}

func TestItOnlyReads(t *testing.T) {
	h := debugpage.Handler(filled(t, 1, "users"), nil)
	for _, path := range []string{"", "data.json", "page.js", "action", "confirm"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			w := ask(h, httptest.NewRequestWithContext(t.Context(), method, "http://localhost/debug/txcache/"+path, nil))
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %q: status %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	for _, path := range []string{"action", "confirm?do=drop&database=shop"} {
		if w := get(t, h, path); w.Code != http.StatusNotFound {
			t.Errorf("status %d for %s, without actions", w.Code, path)
		}
	}
	w := ask(h, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/debug/txcache/", nil))
	if w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: status %d and %d bytes", w.Code, w.Body.Len())
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
}

func TestBadQuestionsAreRefused(t *testing.T) {
	h := debugpage.Handler(filled(t, 1, "users"), nil)
	for _, query := range []string{"?sort=size", "?order=up", "?top=0", "?top=1001", "?top=x", "?history=2", "?history=yes",
		"?caches=" + strings.Repeat("x", 257), "?databases=" + strings.Repeat("x", 257), "?database=" + strings.Repeat("x", 1025)} {
		for _, path := range []string{"", "data.json"} {
			if w := get(t, h, path+query); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "must be") {
				t.Errorf("%s%s: status %d: %s", path, query, w.Code, w.Body)
			}
		}
	}
}

func TestCachesAreSortedAndSearched(t *testing.T) {
	store := txcachetest.Memory(t)
	for i, name := range []string{"b.two", "a.three", "c.one"} {
		fill(t, store, txcache.Must(txcache.NewCache[int, string](store, name, nil)), "shop", []int{2, 3, 1}[i])
	}
	txcache.Must(txcache.NewCache[int, string](store, "d.never", nil))
	h := debugpage.Handler(store, nil)
	for query, want := range map[string]string{
		"":                          "a.three b.two c.one d.never",
		"?sort=name":                "a.three b.two c.one d.never",
		"?sort=name&order=desc":     "d.never c.one b.two a.three",
		"?sort=values&order=asc":    "d.never c.one b.two a.three",
		"?sort=load_time&order=asc": "d.never last",
		"?sort=ratio":               "a.three b.two c.one d.never",
		"?caches=.T":                "a.three b.two",
		"?top=1":                    "a.three",
	} {
		var got []string
		for _, c := range data(t, h, query).Caches.Items {
			got = append(got, c.Name)
		}
		if last, ok := strings.CutSuffix(want, " last"); ok {
			if got[len(got)-1] != last {
				t.Errorf("%s: %v; a cache without the figure is not the last", query, got)
			}
		} else if strings.Join(got, " ") != want {
			t.Errorf("%s: %v; want %s", query, got, want)
		}
	}
}

func TestVeryManyDatabasesAreBounded(t *testing.T) {
	store := filled(t, 5, "users")
	n := 100_000
	if testing.Short() {
		n = 10_000 // for the race detector, which takes its time
	}
	for i := range n - 1 {
		if err := store.View(t.Context(), fmt.Sprintf("tenant-%06d", i), func(*txcache.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	h := debugpage.Handler(store, nil)
	for _, path := range []string{"", "data.json"} {
		w := get(t, h, path)
		if w.Code != http.StatusOK || w.Body.Len() > 100_000 {
			t.Errorf("%q: status %d, %d bytes", path, w.Code, w.Body.Len())
		}
	}
	d := data(t, h, "")
	if d.Databases.Count != n || len(d.Databases.Items) != 100 || d.Databases.Items[0].Name != "shop" {
		t.Errorf("%d databases, %d shown, first %+v", d.Databases.Count, len(d.Databases.Items), d.Databases.Items[0])
	}
	if d := data(t, h, "?databases=TENANT-00432&top=5"); d.Databases.Matching != 10 || len(d.Databases.Items) != 5 || d.Databases.Items[0].Name != "tenant-004320" {
		t.Errorf("found %+v", d.Databases)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/debug/txcache/?databases=other", nil)
	if w := ask(h, r); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d for a client that has gone", w.Code)
	}
}

func TestAClosedStoreIsShown(t *testing.T) {
	store := filled(t, 2, "users")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	h := debugpage.Handler(store, nil)
	if d := data(t, h, ""); d.Total.Hits != 2 {
		t.Errorf("%+v", d)
	}
	if w := get(t, h, ""); w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
	if w := get(t, debugpage.Handler(nil, nil), ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d without a store", w.Code)
	}
}

func TestABackendIsShown(t *testing.T) {
	store := txcachetest.Redis(t)
	fill(t, store, txcache.Must(txcache.NewCache[int, string](store, "users", nil)), "shop", 1)
	h := debugpage.Handler(store, nil)
	if d := data(t, h, ""); d.Status.Backend == nil || d.Status.Backend.Failures != 0 {
		t.Errorf("status %+v", d.Status)
	}
	if page := get(t, h, "").Body.String(); !strings.Contains(page, "In reach") {
		t.Error("the page does not say that the backend is in reach")
	}
}

// A waiter is a backend that has waited for members.
type waiter struct{ backend.Backend }

func (waiter) Stats() backend.Stats {
	return backend.Stats{Waits: 41, LateWaits: 7, WaitedOut: 5, Terms: 3}
}

func TestWaitsForMembersAreShown(t *testing.T) {
	store, err := txcache.New(waiter{memorybackend.New()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	page := get(t, debugpage.Handler(store, nil), "").Body.String()
	for _, want := range []string{"Waits for members</dt><dd>41<", "late</dt><dd>7<", `waited out</dt><dd class="warn">5<`, "with a term</dt><dd>3<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if page := get(t, debugpage.Handler(txcachetest.Redis(t), nil), "").Body.String(); strings.Contains(page, "Waits for members") {
		t.Error("waits are shown where there are none")
	}
}

func TestManyLookAtOnce(t *testing.T) {
	store := filled(t, 1, "users")
	cache := txcache.Must(txcache.NewCache[int, string](store, "views", nil))
	h := debugpage.Handler(store, &debugpage.Options{Actions: true})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				path := []string{"", "data.json?history=1", "?databases=s", "?sort=name&database=shop"}[(i+n)%4]
				if w := get(t, h, path); w.Code != http.StatusOK {
					t.Errorf("%q: status %d", path, w.Code)
				}
				err := store.Update(t.Context(), fmt.Sprint("shop-", n), func(tx *txcache.Tx) error {
					cache.Set(tx, n, "value")
					return cache.Clear(tx)
				})
				if err != nil && !errors.Is(err, txcache.ErrUnavailable) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if d := data(t, h, ""); !slices.ContainsFunc(d.Databases.Items, func(db struct {
		Name           string
		Caches, Values int
	}) bool {
		return db.Name == "shop"
	}) {
		t.Errorf("databases %+v", d.Databases)
	}
}
