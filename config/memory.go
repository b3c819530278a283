package config

import (
	"math"
	"strconv"
	"strings"

	"github.com/seed-dad15c92/txcache/internal/memsize"
)

// Memory is an amount of memory such as "256MB", a share of what the process may use, such as
// "25%", or MemoryUnlimited.
type Memory string

// MemoryUnlimited is no limit.
const MemoryUnlimited Memory = "unlimited"

const defaultMemory Memory = "25%"

// Bytes returns the amount in bytes, math.MaxInt64 for MemoryUnlimited. A share is one of the least of
// the machine's memory, the limit of the process's control groups, and GOMEMLIMIT; where
// these are not known, of 4 GiB. It returns 0 for what is none of these.
func (m Memory) Bytes() int64 {
	n, _ := m.parse()
	return n
}

// parse returns Bytes, or says what m is instead.
func (m Memory) parse() (bytes int64, wrong string) {
	if m == "" {
		m = defaultMemory
	}
	if m == MemoryUnlimited {
		return math.MaxInt64, ""
	}
	if number, ok := strings.CutSuffix(string(m), "%"); ok {
		share, err := strconv.ParseUint(number, 10, 32)
		switch {
		case err != nil:
			return 0, "is no share"
		case share < 1 || share > 100:
			return 0, "is not from 1% to 100%"
		}
		return memsize.Available() / 100 * int64(share), ""
	}
	amount, wrong := parseBytes(string(m))
	return int64(amount), wrong
}
