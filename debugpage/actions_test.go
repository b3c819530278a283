package debugpage_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/debugpage"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// token returns that of the form that asks for confirmation.
func token(t *testing.T, h http.Handler) string {
	t.Helper()
	m := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(get(t, h, "confirm?do=clear-all&database=shop").Body.String())
	if m == nil {
		t.Fatal("the form has no token")
	}
	return m[1]
}

// post sends a form as a browser does from the page itself, with header changed.
func post(t *testing.T, h http.Handler, form url.Values, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/debug/txcache/action", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://localhost")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return ask(h, r)
}

func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func TestActionsAreDone(t *testing.T) {
	const odd = `<i>"é/%`
	store := filled(t, 3, odd, "users")
	h := debugpage.Handler(store, &debugpage.Options{Actions: true})
	values := func(database string) (values []int) {
		for db := range store.Databases() {
			for _, c := range db.Caches {
				if db.Name == database {
					values = append(values, c.Values)
				}
			}
		}
		return values
	}
	if got := values("shop"); len(got) != 2 || got[0] != 3 || got[1] != 3 {
		t.Fatalf("values %v", got)
	}
	done := func(form url.Values) string {
		t.Helper()
		form.Set("token", token(t, h))
		w := post(t, h, form, nil)
		to := w.Header().Get("Location")
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(to, "./?database=shop") {
			t.Fatalf("status %d to %q: %s", w.Code, to, w.Body)
		}
		return get(t, h, "?database=shop").Body.String()
	}
	if page := done(form("do", "clear", "database", "shop", "cache", odd)); !strings.Contains(page, "Clear &lt;i&gt;&#34;é/% in database shop</bdi>: done") {
		t.Error("the page does not tell of the clear")
	}
	if got := values("shop"); len(got) != 1 || got[0] != 3 {
		t.Errorf("values %v after a clear of one", got)
	}
	done(form("do", "clear-all", "database", "shop"))
	if got := values("shop"); len(got) != 0 {
		t.Errorf("values %v after a clear of all", got)
	}
	if page := done(form("do", "drop", "database", "shop", "typed", "shop")); !strings.Contains(page, "Drop database shop</bdi>: done") || store.Status().Drops != 1 {
		t.Errorf("%d drops", store.Status().Drops)
	}
	for range 9 {
		done(form("do", "clear-all", "database", "shop"))
	}
	if n := strings.Count(get(t, h, "").Body.String(), "</bdi>: done"); n != 5 {
		t.Errorf("%d results are shown; want the last five", n)
	}
}

func TestActionsOfOtherSitesAreRefused(t *testing.T) {
	store := filled(t, 3, "users")
	h := debugpage.Handler(store, &debugpage.Options{Actions: true})
	good := token(t, h)
	for name, c := range map[string]struct {
		token  string
		header map[string]string
	}{
		"no token":              {"", nil},
		"another token":         {strings.Repeat("A", len(good)), nil},
		"token of another page": {token(t, debugpage.Handler(store, &debugpage.Options{Actions: true})), nil},
		"cross-site":            {good, map[string]string{"Sec-Fetch-Site": "cross-site"}},
		"same-site":             {good, map[string]string{"Sec-Fetch-Site": "same-site"}},
		"origin":                {good, map[string]string{"Origin": "http://evil.test"}},
		"origin null":           {good, map[string]string{"Origin": "null"}},
		"no origin, no token":   {"", map[string]string{"Origin": ""}},
	} {
		w := post(t, h, form("token", c.token, "do", "clear-all", "database", "shop"), c.header)
		if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), good) {
			t.Errorf("%s: status %d: %s", name, w.Code, w.Body)
		}
	}
	if s := store.Status(); s.Fences != 0 || s.Drops != 0 {
		t.Errorf("something was done: %+v", s)
	}
}

func TestActionsThatMakeNoSenseAreRefused(t *testing.T) {
	store := filled(t, 3, "users")
	h := debugpage.Handler(store, &debugpage.Options{Actions: true})
	for _, f := range []url.Values{
		form("do", "flush", "database", "shop"),
		form("do", "clear", "database", "shop"),
		form("do", "clear-all"),
		form("do", "drop", "database", "shop"),
		form("do", "drop", "database", "shop", "typed", "Shop"),
	} {
		if w := get(t, h, "confirm?"+f.Encode()); f.Get("do") != "drop" && w.Code != http.StatusBadRequest {
			t.Errorf("confirm %v: status %d", f, w.Code)
		}
		f.Set("token", token(t, h))
		if w := post(t, h, f, nil); w.Code != http.StatusBadRequest {
			t.Errorf("%v: status %d: %s", f, w.Code, w.Body)
		}
	}
	if s := store.Status(); s.Fences != 0 || s.Drops != 0 {
		t.Errorf("something was done: %+v", s)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut} {
		w := ask(h, httptest.NewRequestWithContext(t.Context(), method, "http://localhost/debug/txcache/action?"+form("do", "clear-all", "database", "shop", "token", token(t, h)).Encode(), nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: status %d", method, w.Code)
		}
	}
}

func TestActionsThatFailAreShown(t *testing.T) {
	store := txcachetest.Memory(t)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	h := debugpage.Handler(store, &debugpage.Options{Actions: true})
	w := post(t, h, form("token", token(t, h), "do", "drop", "database", "shop", "typed", "shop"), nil)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if page := get(t, h, "").Body.String(); !strings.Contains(page, "failed, "+txcache.ErrClosed.Error()) {
		t.Error("the page does not tell of the failure")
	}
}

// An authority may not hear of fences and clears for a while.
type deaf struct {
	backend.Backend
	now atomic.Bool
}

var errDeaf = errors.New("it does not hear")

func (d *deaf) Fence(ctx context.Context, database string, f backend.Fence) error {
	if d.now.Load() {
		return errDeaf
	}
	return d.Backend.Fence(ctx, database, f)
}

func (d *deaf) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if d.now.Load() {
		return nil, errDeaf
	}
	return d.Backend.Clear(ctx, database, f)
}

// "Done" is what all servers have heard of.
func TestAClearThatNobodyHeardOfIsNotDone(t *testing.T) {
	b := &deaf{Backend: memorybackend.New()}
	store, err := txcache.New(b, &txcache.Options{CommitOnOutage: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	fill(t, store, txcache.Must(txcache.NewCache[int, string](store, "users", nil)), "shop", 1)
	h := debugpage.Handler(store, &debugpage.Options{Actions: true})
	for _, c := range []struct {
		deaf bool
		form url.Values
		want string
	}{
		{false, form("do", "clear", "database", "shop", "cache", "users"), "Clear users in database shop</bdi>: done"},
		{true, form("do", "clear", "database", "shop", "cache", "users"), "Clear users in database shop</bdi>: only in this process so far"},
		{true, form("do", "clear", "database", "shop", "cache", "users"), "Clear users in database shop</bdi>: only in this process so far"}, // the one that waits stands for it
		{true, form("do", "clear-all", "database", "shop"), "Clear all caches in database shop</bdi>: only in this process so far"},
	} {
		b.now.Store(c.deaf)
		c.form.Set("token", token(t, h))
		if w := post(t, h, c.form, nil); w.Code != http.StatusSeeOther {
			t.Fatalf("%v: status %d: %s", c.form, w.Code, w.Body)
		}
		page := get(t, h, "?database=shop").Body.String()
		first := regexp.MustCompile(`<li class="[a-z]+"><bdi>.*`).FindString(page)
		if !strings.Contains(first, c.want) || c.deaf && !strings.Contains(first, "other servers hear of it later") {
			t.Errorf("%v: the page says %q", c.form, first)
		}
	}
	b.now.Store(false)
}
