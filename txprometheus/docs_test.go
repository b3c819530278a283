package txprometheus_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txprometheus"
)

func TestTheDocumentationHasEveryMetricAndAlert(t *testing.T) {
	page, rules := read(t, "../docs/metrics.md"), read(t, "alerts.yml")
	store := txcachetest.Redis(t)
	use(t, store)
	there := map[string]bool{}
	for name, f := range gather(t, txprometheus.NewCollector(store, nil)) {
		if f.GetType() == dto.MetricType_HISTOGRAM {
			there[name+"_bucket"], there[name+"_count"], there[name+"_sum"] = true, true, true
		} else {
			there[name] = true
		}
	}
	for _, alert := range regexp.MustCompile(`(?m)- alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		there[alert[1]] = true
	}
	if len(there) < 50 {
		t.Errorf("%d metrics and alerts only", len(there))
	}
	for name := range there {
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("docs/metrics.md does not have `%s` in a table", name)
		}
	}
	for _, name := range regexp.MustCompile("`(txcache_\\w+|Txcache\\w+)`").FindAllStringSubmatch(page, -1) {
		if !there[name[1]] {
			t.Errorf("docs/metrics.md has %s, which there is not", name[0])
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
