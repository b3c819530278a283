package browsertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/debugpage"
)

// names are those of the caches of a service, and one that is up to no good.
var names = []string{
	"ir.model.access", "ir.rule", "ir.ui.view", "ir.translation", "res.company", "res.currency.rate",
	"party.address", "product.price", "stock.location", "account.tax", hostile,
}

const hostile = `<script>alert("1")</script> 100% a/b 'é' 現金`

// pictured is the folder for pictures; "": none are taken.
var pictured = os.Getenv("TXCACHE_SCREENSHOTS")

// busy makes caches in store and lets transactions use them, each differently.
func busy(t *testing.T, store *txcache.Store) []*txcache.Cache[int, string] {
	t.Helper()
	var caches []*txcache.Cache[int, string]
	for i, name := range names {
		if pictured != "" && name == hostile {
			continue
		}
		opts := &txcache.CacheOptions{}
		if i == 3 {
			opts.Size = 12 // it evicts
		}
		caches = append(caches, txcache.Must(txcache.NewCache[int, string](store, name, opts)))
	}
	for n := range 8 {
		use(t, store, caches, fmt.Sprintf("shop-%02d", n), 40-4*n)
	}
	for _, database := range []string{"shop-00", "shop-01"} {
		if err := store.Clear(t.Context(), database, names[0], names[1]); err != nil {
			t.Fatal(err)
		}
	}
	return caches
}

// use looks up values in every cache, in the first most often and most often
// the same ones.
func use(t *testing.T, store *txcache.Store, caches []*txcache.Cache[int, string], database string, times int) {
	t.Helper()
	err := store.View(t.Context(), database, func(tx *txcache.Tx) error {
		for i, c := range caches {
			for n := range times * (len(caches) - i) / 2 {
				c.Load(t.Context(), tx, n%(4+3*i), func(context.Context) (string, error) {
					if pictured != "" {
						time.Sleep(time.Duration(i+1) * 300 * time.Microsecond) // as long as a small query
					}
					if i == 5 && n == 9 {
						return "", errors.New("no rate")
					}
					return "value", nil
				})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// serve returns the address of the page, under a path of its own.
func serve(t *testing.T, store *txcache.Store, opts *debugpage.Options) string {
	t.Helper()
	var o debugpage.Options
	if opts != nil {
		o = *opts
	}
	o.Hosts = []string{host}
	mux := http.NewServeMux()
	mux.Handle("/debug/txcache/", debugpage.Handler(store, &o))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", host, 1) + "/debug/txcache/"
}
