package debugpage_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/debugpage"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// TestDataIsDocumented holds every field of data.json to its documentation.
func TestDataIsDocumented(t *testing.T) {
	docs, err := os.ReadFile("../docs/debugpage.md")
	if err != nil {
		t.Fatal(err)
	}
	store := txcachetest.Redis(t)
	fill(t, store, txcache.Must(txcache.NewCache[int, string](store, "users", nil)), "shop", 1)
	w := get(t, debugpage.Handler(store, nil), "data.json?history=1&database=shop")
	var d any
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	fields := 0
	var check func(any)
	check = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, field := range v {
				if fields++; !strings.Contains(string(docs), `"`+name+`":`) {
					t.Errorf("docs/debugpage.md does not have the field %q", name)
				}
				check(field)
			}
		case []any:
			for _, item := range v {
				check(item)
			}
		}
	}
	check(d)
	if fields < 60 {
		t.Errorf("data.json has %d fields only: %s", fields, w.Body)
	}
}
