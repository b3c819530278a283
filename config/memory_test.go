package config_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
)

// An amount, a share or "unlimited" is what it says; anything else is refused for a reason.
func TestMemory(t *testing.T) {
	for text, want := range map[string]any{
		"256MB":     int64(256_000_000),
		"64KiB":     int64(64 << 10),
		"1B":        int64(1),
		"unlimited": int64(math.MaxInt64),
		"0%":        "is not from 1% to 100%",
		"101%":      "is not from 1% to 100%",
		"-5%":       "is no share",
		"%":         "is no share",
		"2.5%":      "is no share",
		"256":       "is a number without a unit",
		"0MB":       "is nothing",
		"much":      "is not an amount of memory",
	} {
		c, err := config.Parse(strings.NewReader(fmt.Sprintf("[cache]\nmemory = %q", text)), "x.toml")
		if n, good := want.(int64); good {
			if err != nil || c.Memory.Bytes() != n {
				t.Errorf("%s: %v, want %d", text, err, n)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "txcache: x.toml:2: cache.memory: ") || !strings.Contains(err.Error(), want.(string)+`; expected an amount of memory such as "256MB"`) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	all := config.Memory("100%").Bytes()
	if quarter := config.Memory("").Bytes(); all < 1<<20 || quarter > all/4 || quarter < all/4-100 || quarter != config.Default().Memory.Bytes() {
		t.Errorf("of %d bytes the default is %d", all, quarter)
	}
}
