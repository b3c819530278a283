//go:build txcache_noredis

package txcache_test

import (
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
)

// TestAProgramWithoutRedis runs it.
func TestValuesInRedisAreLeftOut(t *testing.T) {
	cfg, err := config.Parse(strings.NewReader("[cache]\nclass = \"sql\"\n[cache.sql]\ndialect = \"sqlite\"\ndsn = \"x.db\"\nvalues = \"redis\"\n"), "cache.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := txcache.OpenConfig(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "txcache_noredis") {
		t.Errorf("configured for values in Redis it says %v; want the tag to be named", err)
	}
}
