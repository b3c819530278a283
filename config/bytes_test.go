package config_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
)

// An amount of memory is what it says, or refused for a reason.
func TestAmountsOfMemory(t *testing.T) {
	const most = `expected an amount of memory such as "64MB", at most "512MB"`
	for text, want := range map[string]any{
		`"1B"`:         1,
		`"1kB"`:        1000,
		`"1KiB"`:       1024,
		`"64MB"`:       64_000_000,
		`"16MiB"`:      16 << 20,
		`"007MB"`:      7_000_000,
		`"512MB"`:      512_000_000,
		`"512000000B"`: 512_000_000,
		`"512000001B"`: "is out of range",
		`"1GB"`:        "is out of range",
		`"0B"`:         "is nothing",
		`"0GiB"`:       "is nothing",
		`64`:           "is a number without a unit",
		`"64"`:         "is a number without a unit",
		`"64mb"`:       "is not an amount of memory",
		`"64 MB"`:      "is not an amount of memory",
		`"1.5MB"`:      "is not an amount of memory",
		`"-1MB"`:       "is not an amount of memory",
		`"+1MB"`:       "is not an amount of memory",
		`"MB"`:         "is not an amount of memory",
		`""`:           "is not an amount of memory",
		`"64M"`:        "is not an amount of memory",
		`1.5`:          "is a float",
		`true`:         "is a boolean",
		`[]`:           "found an array",

		fmt.Sprintf(`"%dB"`, uint64(math.MaxInt64)+1):  "is out of range",
		fmt.Sprintf(`"%dGiB"`, math.MaxInt64/(1<<30)):  "is out of range",
		fmt.Sprintf(`"%dkB"`, uint64(math.MaxInt64)/2): "is out of range",
	} {
		c, err := config.Parse(strings.NewReader("[cache.redis]\nlargest_value = "+text), "x.toml")
		if n, good := want.(int); good {
			if err != nil || c.Redis.LargestValue != config.Bytes(n) {
				t.Errorf("%s: %v, want %d", text, err, n)
			} else if again, err := config.Parse(strings.NewReader(c.String()), "again.toml"); err != nil || again.Redis.LargestValue != c.Redis.LargestValue {
				t.Errorf("%s is written as something else: %v\n%s", text, err, c)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want.(string)+"; "+most) || !strings.HasPrefix(err.Error(), "txcache: x.toml:2: cache.redis.largest_value: ") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestAmountsOfMemoryOfAHandMadeConfig(t *testing.T) {
	for n, good := range map[config.Bytes]bool{-1: false, 0: true, 1: true, 512_000_000: true, 512_000_001: false, math.MaxInt64: false, math.MinInt64: false} {
		c := config.Default()
		c.Redis.LargestValue = n
		if err := c.Validate(); (err == nil) != good {
			t.Errorf("%d: %v", n, err)
		}
	}
	for n, want := range map[config.Bytes]string{0: "0B", 1: "1B", 1000: "1kB", 1024: "1KiB", 64_000_000: "64MB", 3 << 30: "3GiB", 1500: "1500B"} {
		if got := n.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(n), got, want)
		}
	}
}
