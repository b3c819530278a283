package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
)

func TestMain(m *testing.M) {
	serveIfAsked()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// An instance is a server of the shop that runs in a test.
type instance struct {
	*shop
	url string
}

// start starts n servers over the same shops, which are new, and the same cache
// if that is one that servers share.
func start(t *testing.T, n int, o options) []instance {
	t.Helper()
	o.tenants = []string{"shop-a", "shop-b", "shop-c"}
	if o.data == "" {
		o.data = t.TempDir()
	}
	instances := make([]instance, n)
	for i := range instances {
		s, err := openShop(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		web := httptest.NewServer(s.handler)
		instances[i] = instance{s, web.URL}
		t.Cleanup(func() {
			web.Close()
			if err := s.close(); err != nil {
				t.Error(err)
			}
		})
	}
	return instances
}

func redisAt(uri string) *config.Config {
	cfg := config.Default()
	cfg.Class, cfg.Redis.URI = config.ClassRedis, uri
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = 10*time.Second, 10*time.Second // a busy machine is not an outage
	return cfg
}

func miniRedis(t *testing.T) *config.Config {
	t.Helper()
	return redisAt("redis://" + miniredis.RunT(t).Addr())
}

// setups are what the service can be made of.
var setups = []struct {
	name    string
	options func(*testing.T) options
}{
	{"SQLite, sql", func(*testing.T) options { return options{} }},
	{"SQLite, memory", func(*testing.T) options { return options{cache: config.Default()} }},
	{"SQLite, Redis", func(t *testing.T) options { return options{cache: miniRedis(t)} }},
	{"PostgreSQL, sql", func(t *testing.T) options { return options{postgres: postgrestest.Start(t).URI("postgres")} }},
	{"PostgreSQL, Redis", func(t *testing.T) options {
		return options{cache: miniRedis(t), postgres: postgrestest.Start(t).URI("postgres")}
	}},
}

// send sends a request to shop-a, unless the path begins with another shop and
// a colon, and returns the status and the body of the answer.
func (i instance) send(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	shop, rest, ok := strings.Cut(path, ":")
	if !ok {
		shop, rest = "shop-a", path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, i.url+rest, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = shop + ".localhost"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// must sends a request that must be answered with the status and hold the text.
func (i instance) must(t *testing.T, method, path, body string, status int, text string) {
	t.Helper()
	if code, answer := i.send(t, method, path, body); code != status || !strings.Contains(answer, text) {
		t.Errorf("%s %s %s: status %d, want %d with %q:\n%s", method, path, body, code, status, text, answer)
	}
}

// Whatever the shop is made of, it answers the same, cached or not.
func TestAnswers(t *testing.T) {
	steps := []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "/api/products/1", "", 200, `{"id":1,"name":"chair","material":"oak","cents":4900,"currency":"EUR"}`},
		{"GET", "/api/products/1?lang=de", "", 200, `"name":"Stuhl","material":"Eiche"`},
		{"GET", "/api/products/1?lang=fr", "", 200, `"name":"chaise","material":"chêne"`},
		{"GET", "/api/products/1?lang=tlh", "", 200, `"name":"chair"`},
		{"GET", "/api/products/2?group=business", "", 200, `"cents":5310`},
		{"GET", "/api/products/1?group=business", "", 200, `"cents":4900`}, // that of retail
		{"GET", "/api/products/2?group=nonsense", "", 200, `"cents":5900`},
		{"GET", "/api/products?category=3&lang=de", "", 200, `"name":"Beistelltisch"`},
		{"GET", "/api/products?category=1", "", 200, `"name":"desk"`}, // of the category below
		{"GET", "/api/products?q=+WALNUT+Desk+", "", 200, `[{"id":21,`},
		{"GET", "/api/products", "", 200, `"name":"wardrobe"`},
		{"GET", "/api/products?q=nothing", "", 200, `[]`},
		{"GET", "/api/categories?lang=de", "", 200, `[{"id":1,"name":"Möbel"},{"id":2,"parent":1,"name":"Sitzmöbel"},`},
		{"GET", "/api/settings", "", 200, `"banner":"Free delivery in November"`},
		{"GET", "/healthz", "", 200, `"databases":true`},
		{"GET", "/metrics", "", 200, `txcache_misses_total{cache="shop.price"}`},
		{"GET", "/debug/txcache/", "", 200, "shop.price"},

		{"GET", "/api/products/999", "", 404, `{"error":"not found"}`},
		{"GET", "/api/products?category=99", "", 404, "not found"},
		{"GET", "shop-z:/api/products/1", "", 404, "not found"},
		{"GET", "/api/products/x", "", 422, `product must be a number`},
		{"GET", "/api/products/99999999999", "", 422, `product must be a number`},
		{"GET", "/api/products?category=x", "", 422, `category must be a number`},
		{"GET", "/api/products?q=%00", "", 422, `texts are UTF-8`},
		{"PUT", "/api/settings/%ff", `"x"`, 422, `texts are UTF-8`},
		{"PUT", "/api/settings/%00", `"x"`, 422, `texts are UTF-8`},
		{"PUT", "/api/settings/banner", `"` + strings.Repeat("x", 201) + `"`, 422, `200 bytes at most`},
		{"PUT", "/api/products/999/prices", `{"retail":1}`, 404, "not found"},
		{"PUT", "/api/products/999", `{"name":"bed","material":"oak","category":2,"cents":{}}`, 422, "retail price"},
		{"PUT", "/api/products/1/prices", `{"retail":0}`, 422, "prices are positive"},
		{"PUT", "/api/products/1/prices", `{"friends":1}`, 422, "for retail and business"},
		{"PUT", "/api/products/1/prices", `{"retail":`, 422, "refused"},
		{"PUT", "/api/products/1/prices", `{"business":4901}`, 422, "nobody pays more"},
		{"PUT", "/api/products/999", `{"name":"bed","material":"oak","category":9,"cents":{"retail":1}}`, 422, "no category 9"},
		{"PUT", "/api/products/999", `{"name":"bed","material":"oak","category":2,"cents":{"business":1}}`, 422, "retail price"},
		{"PUT", "/api/products/999", `{"category":2,"cents":{"retail":1}}`, 422, "name and a material"},
		{"PUT", "/api/settings/colour", `"red"`, 404, "not found"},
	}
	for _, setup := range setups {
		t.Run(setup.name, func(t *testing.T) {
			s := start(t, 1, setup.options(t))[0]
			for range 2 {
				for _, step := range steps {
					s.must(t, step.method, step.path, step.body, step.status, step.text)
				}
			}
		})
	}
}

// What one server was told is what the other answers.
func TestServersShowEachOthersChanges(t *testing.T) {
	for _, setup := range setups {
		if setup.name == "SQLite, memory" {
			continue // see TestTheLoadFindsWhatIsStale
		}
		t.Run(setup.name, func(t *testing.T) {
			servers := start(t, 2, setup.options(t))
			for round := range 6 {
				a, b := servers[round%2], servers[1-round%2]
				cents := 1000 + round
				price := fmt.Sprintf(`"cents":%d,`, cents)
				a.must(t, "PUT", "/api/products/1/prices", fmt.Sprintf(`{"retail":%d}`, cents), 200, price)
				b.must(t, "GET", "/api/products/1", "", 200, price)
				b.must(t, "GET", "/api/products?q=oak", "", 200, price)
				a.must(t, "GET", "/api/products?category=2", "", 200, price)

				banner := fmt.Sprintf(`"round %d"`, round)
				a.must(t, "PUT", "/api/settings/banner", banner, 200, banner)
				b.must(t, "GET", "/api/settings", "", 200, banner)

				bed := fmt.Sprintf("/api/products/%d", 500+round)
				b.must(t, "GET", bed, "", 404, "not found") // and remembers that
				a.must(t, "PUT", bed, `{"name":"bed","material":"oak","category":2,"cents":{"retail":77}}`, 200, `"name":"bed"`)
				b.must(t, "GET", bed, "", 200, `"cents":77`)
				b.must(t, "GET", "/api/products?category=2", "", 200, fmt.Sprintf(`"id":%d,`, 500+round))

				price = fmt.Sprintf(`"cents":%d,`, 2000+round)
				a.must(t, "PUT", "/api/products/2/prices?group=business", fmt.Sprintf(`{"business":%d}`, 2000+round), 200, price)
				b.must(t, "GET", "/api/products/2?group=business", "", 200, price)
			}
		})
	}
}

// What is changed in one shop is neither seen nor cleared in another.
func TestTenantsAreIslands(t *testing.T) {
	for _, setup := range setups {
		t.Run(setup.name, func(t *testing.T) {
			s := start(t, 1, setup.options(t))[0]
			for _, shop := range []string{"shop-a", "shop-b", "shop-c"} {
				s.must(t, "GET", shop+":/api/products/1", "", 200, `"cents":4900`)
			}
			s.must(t, "PUT", "shop-b:/api/products/1/prices", `{"retail":1}`, 200, `"cents":1,`)
			before := s.stats("shop.price")
			s.must(t, "GET", "shop-a:/api/products/1", "", 200, `"cents":4900`)
			s.must(t, "GET", "shop-c:/api/products/1", "", 200, `"cents":4900`)
			if after := s.stats("shop.price"); after.Misses != before.Misses {
				t.Errorf("%d misses after another shop's change, want none", after.Misses-before.Misses)
			}
			s.must(t, "GET", "shop-b:/api/products/1", "", 200, `"cents":1,`)
		})
	}
}

// A change that is refused in the middle of its transaction, after it wrote and
// cleared and read its own, is seen by nobody and clears nothing.
func TestRefusedChangeLeavesNoTrace(t *testing.T) {
	for _, setup := range setups {
		t.Run(setup.name, func(t *testing.T) {
			s := start(t, 1, setup.options(t))[0]
			s.must(t, "GET", "/api/products/1", "", 200, `"cents":4900`)
			s.must(t, "PUT", "/api/products/1/prices", `{"business":7,"retail":6}`, 422, "nobody pays more")
			before := s.stats("shop.price")
			s.must(t, "GET", "/api/products/1", "", 200, `"cents":4900`)
			if after := s.stats("shop.price"); after.Clears > 0 || after.Hits == before.Hits {
				t.Errorf("%d clears, %d hits; want none and one", after.Clears, after.Hits-before.Hits)
			}
			s.must(t, "GET", "/api/products/1?group=business", "", 200, `"cents":4900`)
		})
	}
}

// An id that nobody has costs the database one query.
func TestUnknownProductIsLookedForOnce(t *testing.T) {
	s := start(t, 1, options{})[0]
	for range 5 {
		s.must(t, "GET", "/api/products/999", "", 404, "not found")
	}
	if got := s.stats("shop.product"); got.Loads != 1 || got.AbsentHits != 4 {
		t.Errorf("%d loads, %d hits of what is absent; want 1 and 4", got.Loads, got.AbsentHits)
	}
}

// After a change of a setting nobody has to load them: the cache is warm.
func TestSettingsAreWarm(t *testing.T) {
	servers := start(t, 2, options{cache: miniRedis(t)})
	servers[0].must(t, "PUT", "/api/settings/banner", `"Sale"`, 200, `"Sale"`)
	before := servers[1].stats("shop.setting")
	servers[1].must(t, "GET", "/api/settings", "", 200, `"Sale"`)
	if after := servers[1].stats("shop.setting"); after.Loads != before.Loads || after.RemoteHits != before.RemoteHits+1 {
		t.Errorf("%d loads and %d values from Redis, want 0 and 1", after.Loads-before.Loads, after.RemoteHits-before.RemoteHits)
	}
}

// A shop that is set up anew does not show what an earlier one of its name had.
func TestNewDatabaseOfAnOldName(t *testing.T) {
	cfg := miniRedis(t)
	old := start(t, 1, options{cache: cfg})[0]
	old.must(t, "PUT", "/api/products/1/prices", `{"retail":1}`, 200, `"cents":1,`)
	old.must(t, "GET", "/api/products/1", "", 200, `"cents":1,`)
	start(t, 1, options{cache: cfg})[0].must(t, "GET", "/api/products/1", "", 200, `"cents":4900`)
}

func (i instance) stats(cache string) txcache.Stats {
	for stats := range i.store.Stats() {
		if stats.Name == cache {
			return stats
		}
	}
	panic("no cache " + cache)
}
