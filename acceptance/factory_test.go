package acceptance_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// thirdParty is how somebody else's backend is registered and configured.
const thirdParty = "example.com/cache/thirdparty"

var openedThirdParty struct {
	backend *storetest.Values
	section thirdPartySection
}

type thirdPartySection struct {
	Server string `toml:"server"`
	Limit  int    `toml:"limit"`
}

func init() {
	txcache.Register(thirdParty, func(_ context.Context, cfg *config.Config) (backend.Backend, error) {
		o := &openedThirdParty
		o.section = thirdPartySection{Limit: 7} // the defaults
		if err := cfg.Section("thirdparty", &o.section); err != nil {
			return nil, err
		}
		if o.section.Server == "" {
			return nil, errors.New("cache.thirdparty.server is missing")
		}
		o.backend = storetest.NewValues()
		return o.backend, nil
	})
}

func openText(t *testing.T, text string) (*txcache.Store, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cache.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := txcache.Open(t.Context(), path)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func TestOpen(t *testing.T) {
	for name, text := range map[string]string{
		"empty":            "",
		"memory":           "[cache]\nclass = \"memory\"\nsize = 3\n",
		"memory by import": "[cache]\nclass = \"github.com/seed-dad15c92/txcache/memorybackend\"\n",
		"third party":      "[cache]\nclass = \"" + thirdParty + "\"\n[cache.thirdparty]\nserver = \"here\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := openText(t, text)
			if err != nil {
				t.Fatal(err)
			}
			c := storetest.NewCache[int, int](t, s, "c", txcache.CacheOptions{})
			tx := storetest.Begin(t, s, "db")
			for i := range 10 {
				c.Set(tx, i, i)
			}
			storetest.Commit(t, tx)
			if got := c.Stats().Values; name == "memory" && got != 3 {
				t.Errorf("%d values; want the 3 of the file", got)
			}
			if name == "third party" {
				if o := &openedThirdParty; o.section.Server != "here" || o.section.Limit != 7 || len(o.backend.Kept) != 10 {
					t.Errorf("section %+v, %d values; want the file's server, the default limit and all values", o.section, len(o.backend.Kept))
				}
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"unknown class":       {"[cache]\nclass = \"nowhere\"\n", []string{`"nowhere"`, "memory", thirdParty, "txcache.Register"}},
		"error of the opener": {"[cache]\nclass = \"" + thirdParty + "\"\n", []string{"txcache: class", thirdParty, "cache.thirdparty.server is missing"}},
		"unknown key":         {"[cache]\nclas = \"memory\"\n", []string{"cache.toml:2", "cache.clas"}},
		"unknown own key":     {"[cache]\nclass = \"" + thirdParty + "\"\n[cache.thirdparty]\nserver = \"here\"\nlimits = 3\n", []string{"cache.toml:5", "limits"}},
		"unread section":      {"[cache]\nclass = \"" + thirdParty + "\"\n[cache.thirdparty]\nserver = \"here\"\n[cache.other]\na = 1\n", []string{"cache.toml:5", "other"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openText(t, test.text)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q; want it to name %q", err, want)
				}
			}
		})
	}
	if _, err := txcache.Open(t.Context(), filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of no file = %v; want os.ErrNotExist", err)
	}
	if _, err := txcache.OpenConfig(t.Context(), nil); err == nil {
		t.Error("OpenConfig of nil succeeds")
	}
	bad := config.Default()
	bad.Size = -1
	if _, err := txcache.OpenConfig(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "size") {
		t.Errorf("OpenConfig = %v; want an error that names the size", err)
	}
}

func TestRegister(t *testing.T) {
	if got := txcache.Classes(); !slices.Contains(got, "memory") || !slices.Contains(got, thirdParty) || !slices.IsSorted(got) {
		t.Errorf("Classes = %v; want the built-in and registered ones, sorted", got)
	}
	for _, builtIn := range []string{"memory", "redis", "sql"} { // also by the import path
		if path := "github.com/seed-dad15c92/txcache/" + builtIn + "backend"; !slices.Contains(txcache.Classes(), path) || !slices.Contains(txcache.Classes(), builtIn) {
			t.Errorf("%s is no class, or %s", path, builtIn)
		}
	}
	open := func(context.Context, *config.Config) (backend.Backend, error) { return memorybackend.New(), nil }
	for name, register := range map[string]func(){
		"duplicate": func() { txcache.Register(thirdParty, open) },
		"built-in":  func() { txcache.Register("memory", open) },
		"empty":     func() { txcache.Register("", open) },
		"nil":       func() { txcache.Register("nil", nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Register of %s does not panic", name)
				}
			}()
			register()
		}()
	}
}
