package redis_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// Set in the process of a loader alone.
const (
	loaderURI   = "TXCACHE_TEST_LOADER_URI"
	loaderLease = "TXCACHE_TEST_LOADER_LEASE"
	loaderTakes = "TXCACHE_TEST_LOADER_TAKES"
)

const loaderCallers = 1000

// TestLoaderProcess is not a test but what a loader does: when a line comes on
// its standard input, many goroutines ask for one key. It prints a line when the
// loader is called, and one with how long the slowest of them has waited.
func TestLoaderProcess(t *testing.T) {
	if os.Getenv(loaderURI) == "" {
		t.Skip("it is run by other tests, in a process of its own")
	}
	lease, err := time.ParseDuration(os.Getenv(loaderLease))
	if err != nil {
		t.Fatal(err)
	}
	takes, err := time.ParseDuration(os.Getenv(loaderTakes))
	if err != nil {
		t.Fatal(err)
	}
	cfg := settings(os.Getenv(loaderURI))
	cfg.Prefix = "loaders" // that of all of them
	m := join(t, cfg)
	c := storetest.NewCache[string, int](t, m.Store, "loaded", txcache.CacheOptions{Lease: lease})
	storetest.Begin(t, m.Store, "db") // so that it is connected
	fmt.Println("ready")
	orders := bufio.NewScanner(os.Stdin)
	orders.Scan()
	var slowest time.Duration
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range loaderCallers {
		wg.Go(func() {
			tx := storetest.BeginReadOnly(t, m.Store, "db")
			start := time.Now()
			v, err := c.Load(t.Context(), tx, "x", func(context.Context) (int, error) {
				fmt.Println("loads")
				time.Sleep(takes)
				return 1, nil
			})
			if v != 1 || err != nil {
				t.Errorf("Load = %d, %v", v, err)
			}
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(start))
		})
	}
	wg.Wait()
	fmt.Println("waited", slowest.Milliseconds())
	orders.Scan() // until the test has read it
}

// A loaderProcess is a process that runs TestLoaderProcess.
type loaderProcess struct {
	*writer
	loads   int
	slowest time.Duration
}

func startLoader(t *testing.T, uri string, lease, takes time.Duration) *loaderProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLoaderProcess$")
	cmd.Env = append(os.Environ(), loaderURI+"="+uri, loaderLease+"="+lease.String(), loaderTakes+"="+takes.String())
	p := &loaderProcess{writer: startProcess(t, cmd)}
	p.await(t, "ready")
	return p
}

// finish reads what the process has to say up to the end of its loads.
func (p *loaderProcess) finish(t *testing.T) {
	t.Helper()
	limit := time.After(storetest.Recovery)
	for {
		select {
		case line := <-p.lines:
			ms, done := strings.CutPrefix(line, "waited ")
			if n, err := strconv.Atoi(ms); done && err == nil {
				p.slowest = time.Duration(n) * time.Millisecond
				return
			}
			if line != "loads" {
				t.Fatalf("the process says %q", line)
			}
			p.loads++
		case <-limit:
			t.Fatal("the process does not finish")
		}
	}
}

// Scenario 18: a thousand goroutines in each of five processes ask for one key.
func TestRedisLoadsOnceInAllProcesses(t *testing.T) {
	const takes = 50 * time.Millisecond
	for _, lease := range []time.Duration{-1, 5 * time.Second} {
		t.Run(fmt.Sprintf("lease=%v", lease > 0), func(t *testing.T) {
			server := redistest.Start(t)
			var all []*loaderProcess
			for range 5 {
				all = append(all, startLoader(t, server.URI(), lease, takes))
			}
			for _, p := range all {
				fmt.Fprintln(p.orders, "go")
			}
			loads := 0
			var slowest time.Duration
			for _, p := range all {
				p.finish(t)
				if p.loads > 1 {
					t.Errorf("a process ran its loader %d times", p.loads)
				}
				loads += p.loads
				slowest = max(slowest, p.slowest)
			}
			if loads == 0 || lease > 0 && loads != 1 {
				t.Errorf("the loader ran %d times; want once in all with a lease", loads)
			}
			t.Logf("%d processes of %d goroutines: %d loads of %v, the slowest waited %v", len(all), loaderCallers, loads, takes, slowest)
		})
	}
}

// A process that dies while it is loading lets another one load when its lease
// has ended.
func TestRedisALoaderIsKilled(t *testing.T) {
	const lease = time.Second
	server := redistest.Start(t)
	victim, heir := startLoader(t, server.URI(), lease, time.Hour), startLoader(t, server.URI(), lease, time.Millisecond)
	fmt.Fprintln(victim.orders, "go")
	victim.await(t, "loads")
	victim.kill()
	fmt.Fprintln(heir.orders, "go")
	heir.finish(t)
	if heir.loads != 1 || heir.slowest < lease/2 || heir.slowest > lease+2*time.Second {
		t.Errorf("%d loads after %v; want one when the lease of %v has ended", heir.loads, heir.slowest, lease)
	}
}
