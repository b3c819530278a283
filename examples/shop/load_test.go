package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/examples/shop/load"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

func loadOptions(servers []instance) load.Options {
	o := load.Options{Hosts: []string{"shop-a.localhost", "shop-b.localhost"}, For: time.Second, Clients: 8, Writes: 0.3}
	for _, s := range servers {
		o.URLs = append(o.URLs, s.url)
	}
	return o
}

func runLoad(t *testing.T, ctx context.Context, o load.Options) *load.Report {
	t.Helper()
	report, err := load.Run(ctx, o)
	if err != nil {
		t.Error(err)
		return &load.Report{}
	}
	var text strings.Builder
	report.Print(&text)
	t.Log("\n" + text.String())
	return report
}

// loadUntil repeats a short run until it has found what it was to find, as a
// busy machine may serve few requests in a second.
func loadUntil(t *testing.T, o load.Options, found func(*load.Report) bool) {
	t.Helper()
	for range 60 {
		if r := runLoad(t, t.Context(), o); found(r) || t.Failed() {
			return
		}
	}
	t.Error("not found in 60 runs")
}

func sound(t *testing.T, r *load.Report) {
	t.Helper()
	if r.Violated > 0 || r.Failed > 0 {
		t.Errorf("%d violations, %d failures", r.Violated, r.Failed)
	}
}

// Nothing that the load is shown is stale, nor anything that was rolled back.
func TestTheLoadFindsNothing(t *testing.T) {
	for _, setup := range setups {
		t.Run(setup.name, func(t *testing.T) {
			n := 2
			if setup.name == "SQLite, memory" {
				n = 1
			}
			checked, refused := int64(0), int64(0)
			loadUntil(t, loadOptions(start(t, n, setup.options(t))), func(r *load.Report) bool {
				sound(t, r)
				checked, refused = checked+r.Checked, refused+r.Refused
				return checked > 500 && refused > 5
			})
		})
	}
}

// Redis dies and comes back empty. Meanwhile every read is served, and no change
// is made that the other server would not hear of.
func TestRedisRestartsUnderLoad(t *testing.T) {
	redis := redistest.Start(t)
	servers := start(t, 2, options{cache: redisAt(redis.URI())})
	o := loadOptions(servers)
	o.For = time.Minute // until all has happened
	ctx, cancel := context.WithTimeout(t.Context(), o.For)
	var report *load.Report
	var running sync.WaitGroup
	running.Go(func() { report = runLoad(t, ctx, o) })
	defer running.Wait()
	defer cancel()
	until := func(what string, done func(instance) bool) {
		t.Helper()
		for _, s := range servers {
			for !done(s) {
				select {
				case <-time.After(5 * time.Millisecond):
				case <-ctx.Done():
					t.Fatalf("within a minute not: %s", what)
				}
			}
		}
	}
	hits := func(s instance) uint64 { return s.stats("shop.price").RemoteHits }

	until("values come from Redis", func(s instance) bool { return hits(s) > 10 })
	redis.Kill()
	until("transactions begin without Redis, and changes are refused", func(s instance) bool {
		return s.store.Status().Stateless > 100 && s.store.Status().Refused > 0
	})
	redis.Restart()
	now := map[string]uint64{}
	for _, s := range servers {
		now[s.url] = hits(s)
	}
	until("values come from Redis again", func(s instance) bool { return hits(s) > now[s.url]+10 })
	cancel()
	running.Wait()
	sound(t, report)
	if report.Unavailable == 0 {
		t.Error("no change was answered with 503")
	}
}

// careless stands before a server and changes prices in a way of its own, as
// somebody would who does not know of the cache.
func careless(s instance, change func(product string, cents map[string]int64) (status int)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.handler)
	mux.HandleFunc("PUT /api/products/{id}/prices", func(w http.ResponseWriter, r *http.Request) {
		var cents map[string]int64
		if err := json.NewDecoder(r.Body).Decode(&cents); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(change(r.PathValue("id"), cents))
		_ = json.NewEncoder(w).Encode(map[string]int64{"cents": cents[retail]})
	})
	return mux
}

// What is wrong with a service is found out: servers that do not share a cache,
// and changes that forget half of what belongs to them.
func TestTheLoadFindsWhatIsStale(t *testing.T) {
	write := func(t *testing.T, s instance, product string, cents map[string]int64, add int64) {
		for _, group := range slices.Sorted(maps.Keys(cents)) {
			if _, err := s.tenants["shop-a"].ExecContext(t.Context(), `INSERT INTO price (product, customer_group, cents) VALUES ($1, $2, $3)
				ON CONFLICT (product, customer_group) DO UPDATE SET cents = excluded.cents`, product, group, cents[group]+add); err != nil {
				t.Error(err)
			}
		}
	}
	valid := func(cents map[string]int64) int {
		if cents["business"] > cents[retail] {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	}
	cases := []struct {
		name   string
		change func(*testing.T, instance, string, map[string]int64) int
		finds  string
	}{
		{"a forgotten clear", func(t *testing.T, s instance, product string, cents map[string]int64) int {
			status := valid(cents)
			if status == http.StatusOK {
				write(t, s, product, cents, 0)
			}
			return status
		}, "was committed"},
		{"a forgotten rollback", func(t *testing.T, s instance, product string, cents map[string]int64) int {
			write(t, s, product, cents, 0)
			if err := s.store.ClearAll(t.Context(), "shop-a"); err != nil {
				t.Error(err)
			}
			return valid(cents)
		}, "a change that was refused"},
		{"another price than was sent", func(t *testing.T, s instance, product string, cents map[string]int64) int {
			status := valid(cents)
			if status == http.StatusOK {
				write(t, s, product, cents, 1000)
				if err := s.store.ClearAll(t.Context(), "shop-a"); err != nil {
					t.Error(err)
				}
			}
			return status
		}, "which nobody has sent"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, 1, options{})[0]
			web := httptest.NewServer(careless(s, func(product string, cents map[string]int64) int { return c.change(t, s, product, cents) }))
			defer web.Close()
			o := loadOptions([]instance{{s.shop, web.URL}})
			o.Hosts = []string{"shop-a.localhost"}
			loadUntil(t, o, violation(c.finds))
		})
	}
	t.Run("servers that share no cache", func(t *testing.T) {
		loadUntil(t, loadOptions(start(t, 2, options{cache: config.Default()})), violation("was committed"))
	})
}

func violation(kind string) func(*load.Report) bool {
	return func(r *load.Report) bool {
		return r.Violated > 0 && strings.Contains(strings.Join(r.Violations, "\n"), kind)
	}
}

// The command loads servers of its own and says so with its exit code.
func TestLoadCommand(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"load", "-for", "500ms", "-writes", "0.1"}, 0, "0 violations"},
		{[]string{"load", "-for", "500ms", "-writes", "0.1", "-servers", "2"}, 0, "0 violations"},
		{[]string{"load", "-tenants", "0"}, 2, "one at least"},
		{[]string{"load", "-urls", "http://localhost:1"}, 1, "connection refused"},
		{[]string{"load", "-clients", "0"}, 1, "a client"},
		{[]string{"load", "-writes", "2"}, 1, "0 to 1"},
		{[]string{"load", "-config", "nowhere.toml"}, 2, "nowhere.toml"},
		{[]string{"load", "more"}, 2, `unexpected argument "more"`},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), c.args, &out, &errs); code != c.code || !strings.Contains(out.String()+errs.String(), c.text) {
			t.Errorf("shop %s: exit code %d, want %d with %q:\n%s%s", strings.Join(c.args, " "), code, c.code, c.text, &out, &errs)
		}
	}
}

// Two servers, each with a memory of its own, are what nobody should run.
func TestLoadCommandFails(t *testing.T) {
	for range 60 {
		var out bytes.Buffer
		if run(t.Context(), []string{"load", "-for", "1s", "-writes", "0.2", "-servers", "2", "-config", "memory.toml"}, &out, io.Discard) == 1 {
			if !strings.Contains(out.String(), "was committed") {
				t.Errorf("it does not say what it found:\n%s", &out)
			}
			return
		}
	}
	t.Error("nothing was found in 60 runs")
}

// With servers that run elsewhere, the load is a client and nothing else.
func TestLoadOfServersElsewhere(t *testing.T) {
	servers := start(t, 2, options{cache: miniRedis(t)})
	var out bytes.Buffer
	args := []string{"load", "-for", "500ms", "-writes", "0.1", "-urls", servers[0].url + "," + servers[1].url}
	if code := run(t.Context(), args, &out, io.Discard); code != 0 || !strings.Contains(out.String(), " 0 violations") {
		t.Errorf("exit code %d:\n%s", code, &out)
	}
	for _, s := range servers {
		if s.stats("shop.price").Hits == 0 {
			t.Error("a server got no request")
		}
	}
}

// The files that the tour names are good.
func TestConfigurations(t *testing.T) {
	for _, file := range []string{"memory.toml", "redis.toml"} {
		if _, err := config.Load(file); err != nil {
			t.Error(err)
		}
	}
}
