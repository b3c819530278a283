package storetest

import (
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// Seed returns the seed that TXCACHE_SEED gives, to run a random test again, or a
// random one.
func Seed(t *testing.T) uint64 {
	text := os.Getenv("TXCACHE_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("TXCACHE_SEED: %v", err)
	}
	return seed
}

// Constant returns a loader that always returns the same.
func Constant(v int, err error) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return v, err }
}

// Heap returns the bytes that are in use after a collection.
func Heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Within tries again until ok says so, the last time when limit has passed;
// with no limit it tries once.
func Within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		last := !time.Now().Before(end) // a try that began in time may still fail
		if ok() {
			return
		}
		if last {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Recovery is how long everything may take to be in use again after an outage.
const Recovery = 10 * time.Second

// Slow skips a test that waits for long, under -short.
func Slow(t testing.TB) {
	if testing.Short() {
		t.Skip("it waits for leases, probes or failovers of real servers for seconds; without -short it runs")
	}
}

// Beside lets twice as many parallel tests of a package run beside each other as usual, unless -parallel says
// how many: they wait for servers more than they compute. TestMain calls it.
func Beside() {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // it is a number
	}
}

// Silent is for tests that provoke warnings.
var Silent = slog.New(slog.DiscardHandler)
