package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A file with values = "redis" is one of class sql for the command too, and drop removes the values.
func TestTheCommandKnowsAServiceWhoseValuesAreInRedis(t *testing.T) {
	e, server := sqlite(t), redistest.Start(t)
	t.Chdir(t.TempDir())
	text := fmt.Sprintf("[cache]\nclass = \"sql\"\n[cache.sql]\ndialect = %q\ndsn = %q\nvalues = \"redis\"\n[cache.redis]\nuri = \"%s\"\n",
		e.dialect, e.dsn, server.URI())
	if err := os.WriteFile("cache.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
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
