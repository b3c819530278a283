package config

import (
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory. In a file it is a string of a whole number and
// a unit, such as "64MB" or "512KiB".
type Bytes int64

// units are those of Bytes, the largest first. As of everything else, a kilo
// of bytes is a thousand.
var units = []struct {
	name  string
	bytes Bytes
}{
	{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1},
}

// parseBytes reads an amount with its unit, or says what s is instead.
func parseBytes(s string) (b Bytes, wrong string) {
	if s != "" && strings.Trim(s, "0123456789") == "" {
		return 0, "is a number without a unit"
	}
	for _, unit := range units {
		number, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		if number == "" || strings.Trim(number, "0123456789") != "" {
			break
		}
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case err != nil || n > math.MaxInt64/int64(unit.bytes):
			return 0, "is out of range"
		case n == 0:
			return 0, "is nothing"
		}
		return Bytes(n) * unit.bytes, ""
	}
	return 0, "is not an amount of memory"
}

// String returns b as it is written in a file.
func (b Bytes) String() string {
	for _, unit := range units {
		if b != 0 && b%unit.bytes == 0 {
			return strconv.FormatInt(int64(b/unit.bytes), 10) + unit.name
		}
	}
	return "0B"
}

// MarshalText returns String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

const anAmount = `an amount of memory such as "64MB"`
