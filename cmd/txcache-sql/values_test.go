package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A file with values = "redis" is one of class sql for the command too, and drop removes the values.
func TestTheCommandKnowsAServiceWhoseValuesAreInRedis(t *testing.T) {
	e, server := sqlite(t), redistest.Start(t)
	e.configureWithValues(t, server.URI())
	cfg, err := config.Load("cache.toml")
	if err != nil {
		t.Fatal(err)
	}
	store, err := txcache.OpenConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx := t.Context()
	if err := store.Clear(ctx, "shop", "users"); err != nil {
		t.Fatal(err)
	}
	values := store.Enlister().(backend.Values)
	key := backend.Key{Database: "shop", Cache: "users", Token: "1-1", Key: "k"}
	if err := values.Set(ctx, []backend.Value{{Key: key, Data: []byte("data")}}); err != nil {
		t.Fatal(err)
	}
	kept := func(ctx context.Context) bool {
		t.Helper()
		data, err := values.Get(ctx, []backend.Key{key})
		if err != nil {
			t.Fatal(err)
		}
		return data[0] != nil
	}
	must(t, "check")
	must(t, "databases")
	must(t, "caches", "shop")
	must(t, "clear", "shop", "users")
	if !kept(ctx) {
		t.Fatal("the value is gone before the drop")
	}
	must(t, "drop", "shop", "--yes")
	if kept(ctx) {
		t.Error("the value is there after the drop")
	}
}

// configureWithValues is configure for a service that keeps its values in a Redis.
func (e *engine) configureWithValues(t *testing.T, uri string) {
	t.Helper()
	e.configure(t)
	text := fmt.Sprintf("[cache]\nclass = \"sql\"\n[cache.sql]\ndialect = %q\ndsn = %q\nvalues = \"redis\"\n[cache.redis]\nuri = %q\n", e.dialect, e.dsn, uri)
	if err := os.WriteFile("cache.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Check tries out the Redis of the values, too: as what keeps values, and no more.
func TestCheckOfValuesInRedis(t *testing.T) {
	e, server := sqlite(t), redistest.Start(t)
	const secret = "sw0rdfish"
	uri := strings.Replace(server.URI(), "redis://", "redis://txcache:"+secret+"@", 1)
	e.configureWithValues(t, server.URI())
	must(t, "clear", "shop", "users", "--force") // creates the table

	out := must(t, "check")
	for _, says := range []string{"SQLite", "record a clear", "Server Redis", "keep values", "remove values"} {
		if !strings.Contains(out, says) {
			t.Errorf("check does not say %q:\n%s", says, out)
		}
	}
	if strings.Contains(out, "fence") || strings.Contains(out, "REFUSED") {
		t.Errorf("check prints\n%s", out)
	}
	if keys := server.Do("keys", "*").([]any); len(keys) > 0 {
		t.Errorf("check has left %v", keys)
	}

	// With the rights that docs/redis.md names for values.
	rights := strings.Fields("resetchannels ~txcache:* nocommands +get +mget +set +pttl +scan +unlink +time +ping +hello +select")
	server.Do(append([]any{"acl", "setuser", "txcache", "on", ">" + secret}, anys(rights)...)...)
	e.configureWithValues(t, uri)
	if out := must(t, "check"); strings.Contains(out, "refused") || strings.Contains(out, secret) || !strings.Contains(out, "asks for no password") ||
		!strings.Contains(out, "\nServer of a version that is not told, round trip ") {
		t.Errorf("with few rights check prints\n%s", out)
	}
	server.Do("acl", "setuser", "txcache", "-set", "-pttl")
	out, messages, code := run(t, "", "check")
	if code != 1 || !strings.Contains(out, "REFUSED") || !strings.Contains(messages, "The user lacks rights") || strings.Contains(out+messages, secret) {
		t.Errorf("without a right check has exit code %d, messages %q, output\n%s", code, messages, out)
	}
	e.configureWithValues(t, strings.Replace(uri, secret, "wr0ng", 1))
	out, messages, code = run(t, "", "check", "--json")
	if code != 3 || !strings.Contains(messages, "no such user and password") || !strings.Contains(out, "SQLite") || strings.Contains(out+messages, "wr0ng") {
		t.Errorf("with another password check has exit code %d, messages %q, output\n%s", code, messages, out)
	}
	e.configureWithValues(t, "redis://app:"+secret+"@127.0.0.1:1")
	out, messages, code = run(t, "", "check")
	if code != 3 || !strings.Contains(messages, "127.0.0.1:1") || !strings.Contains(out, "record a clear") || strings.Contains(out+messages, secret) {
		t.Errorf("without a Redis check has exit code %d, messages %q, output\n%s", code, messages, out)
	}
	must(t, "databases") // asks the database alone
}

func anys(texts []string) (list []any) {
	for _, text := range texts {
		list = append(list, text)
	}
	return list
}
