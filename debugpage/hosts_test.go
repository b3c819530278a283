package debugpage_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/debugpage"
)

// forHost asks for a path as a browser does that was given the page under a name.
func forHost(t *testing.T, h http.Handler, method, name, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/debug/txcache/"+path, strings.NewReader(body))
	r.Host = name
	r.Header.Set("Origin", "http://"+name)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return ask(h, r)
}

// A site that lets its own name point at the page is of one origin with it, and
// sees and does nothing all the same.
func TestNamesOfOtherSitesAreRefused(t *testing.T) {
	store := filled(t, 3, "users")
	for name, opts := range map[string]*debugpage.Options{
		"with actions":           {Actions: true},
		"with actions and names": {Actions: true, Hosts: []string{"web-1.internal", "Cache.Example.com."}},
		"with names":             {Hosts: []string{"web-1.internal", "cache.example.com:8080"}},
	} {
		h := debugpage.Handler(store, opts)
		good := ""
		if opts.Actions {
			good = token(t, h)
		}
		act := form("token", good, "do", "clear-all", "database", "shop").Encode()
		for _, other := range []string{
			"evil.test", "evil.test:8080", "localhost.evil.test", "evil-localhost", "127.0.0.1.evil.test", "127.0.0.1.nip.io", "notlocalhost", "web-1.internal.evil.test",
			"1.2.3", "", "[", "[::1", "evil.test.", "EVIL.test", "example.com", "internal",
		} {
			for _, path := range []string{"", "data.json", "data.json?database=shop", "confirm?do=clear-all&database=shop", "page.js", "nothing"} {
				w := forHost(t, h, http.MethodGet, other, path, "")
				if w.Code != http.StatusMisdirectedRequest || strings.Contains(w.Body.String(), "users") || good != "" && strings.Contains(w.Body.String(), good) {
					t.Errorf("%s: %q of %q: status %d: %s", name, path, other, w.Code, w.Body)
				}
			}
			if w := forHost(t, h, http.MethodPost, other, "action", act); w.Code != http.StatusMisdirectedRequest && opts.Actions {
				t.Errorf("%s: an action of %q: status %d: %s", name, other, w.Code, w.Body)
			}
		}
		if s := store.Status(); s.Fences != 0 || s.Drops != 0 {
			t.Fatalf("%s: something was done: %+v", name, s)
		}
		own := []string{"localhost", "localhost:8080", "LOCALHOST.", "web.localhost:1", "127.0.0.1", "127.0.0.1:80", "[::1]:8080", "[::1]", "10.1.2.3:8080", "[fe80::1%25eth0]:80"}
		if opts.Hosts != nil {
			own = append(own, "web-1.internal", "web-1.internal:9090", "WEB-1.internal", "cache.example.com", "cache.example.com:443")
		}
		for _, host := range own {
			if w := forHost(t, h, http.MethodGet, host, "", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "users") {
				t.Errorf("%s: for %q: status %d: %s", name, host, w.Code, w.Body)
			}
		}
	}
	h := debugpage.Handler(store, &debugpage.Options{Actions: true, Hosts: []string{"web-1.internal"}})
	act := form("token", token(t, h), "do", "clear-all", "database", "shop").Encode()
	if w := forHost(t, h, http.MethodPost, "web-1.internal:8080", "action", act); w.Code != http.StatusSeeOther {
		t.Errorf("an action for the page's own name: status %d: %s", w.Code, w.Body)
	}
}

// A page that only reads is for every name, except on an address that only this
// machine has: that is what it is kept to itself by.
func TestNamesOfAPageThatOnlyReads(t *testing.T) {
	h := debugpage.Handler(filled(t, 3, "users"), nil)
	if w := forHost(t, h, http.MethodGet, "web-1.internal", "", ""); w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	for host, want := range map[string]int{
		"": http.StatusOK, "localhost:80": http.StatusOK, "evil.test": http.StatusMisdirectedRequest, "web-1.internal": http.StatusMisdirectedRequest,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/debug/txcache/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != want || want != http.StatusOK && !strings.Contains(string(body), "Options.Hosts") {
			t.Errorf("for %q: status %d, want %d: %s (%v)", host, answer.StatusCode, want, body, err)
		}
	}
}
