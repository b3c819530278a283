package debugpage_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/debugpage"
)

// What docs/debugpage.md says of data.json and of its parameters.
func TestParametersAreThoseOfThePage(t *testing.T) {
	docs, err := os.ReadFile("../docs/debugpage.md")
	if err != nil {
		t.Fatal(err)
	}
	store := filled(t, 1, "users")
	txcache.Must(txcache.NewCache[int, string](store, "unused", nil))
	h := debugpage.Handler(store, nil)
	row := regexp.MustCompile("(?m)^\\| `sort`, `order` \\| a figure of caches: (.*); `asc`").FindSubmatch(docs)
	if row == nil {
		t.Fatal("the page has no row for sort")
	}
	figures := strings.Split(strings.ReplaceAll(string(row[1]), "`", ""), ", ")
	if len(figures) < 10 {
		t.Errorf("the page has the figures %v", figures)
	}
	for _, figure := range figures {
		if w := get(t, h, "data.json?sort="+figure); w.Code != http.StatusOK {
			t.Errorf("sort=%s: status %d: %s", figure, w.Code, w.Body)
		}
	}
	if w := get(t, h, "data.json?nothing=1"); w.Code != http.StatusOK {
		t.Errorf("a parameter of another name: status %d", w.Code)
	}
	d := data(t, h, "?database=nowhere")
	if d.Database == nil || d.Database.Used {
		t.Errorf("a database that is not used: %+v", d.Database)
	}
	if d.Status.Backend != nil || d.Samples != nil {
		t.Errorf("without counts of a backend, and without history=1: %+v", d)
	}
	for _, c := range d.Caches.Items {
		if c.History != nil || (c.HitRatio == nil) != (c.Name == "unused") {
			t.Errorf("%+v", c)
		}
	}
	if policy := get(t, h, "").Header().Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "script-src 'self'") {
		t.Errorf("the policy is %q", policy)
	}
}
