package redis_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A writer is a process of its own that commits clears over a Redis. Its
// standard output is the database: a line with a number is the commit of that
// number, which is done when a line on its standard input says so.
type writer struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	lines  chan string // closed at its end
}

const (
	writerURI    = "TXCACHE_TEST_WRITER_URI" // set in the process of a writer alone
	writerPrefix = "TXCACHE_TEST_WRITER_PREFIX"
	writerMode   = "TXCACHE_TEST_WRITER_MODE" // "once" or "always"
)

// crashSettings are short enough to wait for a lease.
func crashSettings(uri string) *config.Config {
	cfg := settings(uri)
	cfg.Redis.DialTimeout, cfg.Redis.Timeout, cfg.Redis.Fence = 150*time.Millisecond, 300*time.Millisecond, time.Second
	return cfg
}

// startWriter runs this test binary as a writer.
func startWriter(t *testing.T, cfg *config.Config, mode string) *writer {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
	cmd.Env = append(os.Environ(), writerURI+"="+cfg.Redis.URI, writerPrefix+"="+cfg.Prefix, writerMode+"="+mode)
	return startProcess(t, cmd)
}

// startProcess starts cmd, and reads what it prints.
func startProcess(t *testing.T, cmd *exec.Cmd) *writer {
	t.Helper()
	w := &writer{cmd: cmd, lines: make(chan string)}
	var err error
	if w.orders, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			w.lines <- scan.Text()
		}
	}()
	t.Cleanup(w.kill)
	return w
}

// kill ends it as kill -9 does.
func (w *writer) kill() {
	_ = w.cmd.Process.Kill()
	for range w.lines { // until its goroutine has ended
	}
	_ = w.cmd.Wait()
}

// await waits for a line.
func (w *writer) await(t *testing.T, want string) {
	t.Helper()
	select {
	case line, ok := <-w.lines:
		if !ok || line != want {
			t.Fatalf("the writer says %q, %v; want %q", line, ok, want)
		}
	case <-time.After(storetest.Recovery):
		t.Fatalf("the writer does not say %q", want)
	}
}

// TestWriterProcess is not a test but what a writer does.
func TestWriterProcess(t *testing.T) {
	if os.Getenv(writerURI) == "" {
		t.Skip("it is run by other tests, in a process of its own")
	}
	cfg := crashSettings(os.Getenv(writerURI))
	cfg.Prefix = os.Getenv(writerPrefix)
	m := join(t, cfg)
	orders := bufio.NewScanner(os.Stdin)
	for n := 1; ; n++ {
		tx := storetest.Begin(t, m.Store, "db")
		m.c.Set(tx, "x", -n)
		storetest.Clear(t, tx, m.c)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			if os.Getenv(writerMode) == "once" {
				fmt.Println("committing")
				orders.Scan()
			}
			fmt.Println(n)
			orders.Scan() // a commit returns when all can see it
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if os.Getenv(writerMode) == "once" {
			fmt.Println("done")
			return
		}
	}
}

// P5, scenario 7: a process is killed while it commits a clear. The cache is
// bypassed until the lease ends, and then it is cleared.
func TestRedisP5KilledDuringACommit(t *testing.T) {
	server := redistest.Start(t)
	for _, committed := range []bool{true, false} {
		t.Run(fmt.Sprintf("committed=%v", committed), func(t *testing.T) {
			t.Parallel()
			cfg := crashSettings(server.URI())
			all := joinMany(t, cfg, 2)
			all[0].publish(t, "db", 1)
			storetest.Hit(t, storetest.BeginReadOnly(t, all[1].Store, "db"), all[1].c, "x", 1, "it is the newest")
			storetest.Publish(t, all[0].Store, "neighbour", all[0].c, "x", 5)
			w := startWriter(t, cfg, "once")
			w.await(t, "committing")
			if committed {
				server.Do("client", "kill", "type", "normal", "skipme", "yes") // a poor moment for all
			}
			w.kill()
			killed := time.Now()
			fenced := 0
			storetest.Within(t, cfg.Redis.Fence+storetest.Recovery, "the cache is in use again", func() bool {
				for _, m := range all {
					tx := storetest.BeginReadOnly(t, m.Store, "db")
					if v, ok := m.c.Get(t.Context(), tx, "x"); ok && v != 2 {
						t.Fatalf("a server reads %d; a clear of it was being committed", v)
					}
					m.c.Set(tx, "x", 2)
					storetest.Commit(t, tx)
					storetest.Hit(t, storetest.BeginReadOnly(t, m.Store, "neighbour"), m.c, "x", 5, "the neighbour is left alone")
				}
				_, one := all[0].get(t, "db")
				_, two := all[1].get(t, "db")
				if !one && !two {
					fenced++
				}
				return one && two
			})
			if fenced == 0 {
				t.Error("the cache was never bypassed")
			}
			if took, limit := time.Since(killed), cfg.Redis.Fence+2*time.Second; took > limit {
				t.Errorf("the cache was in use again after %v; want it within the lease of %v", took, cfg.Redis.Fence)
			}
		})
	}
}

// Scenario 9: a process is stopped within its commit for longer than the lease,
// and resumed. What was filled meanwhile, from before its commit, does not stay.
func TestRedisP5PausedBeyondTheLease(t *testing.T) {
	server := redistest.Start(t)
	cfg := crashSettings(server.URI())
	m := join(t, cfg)
	m.publish(t, "db", 1)
	w := startWriter(t, cfg, "once")
	w.await(t, "committing")
	if err := w.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	storetest.Within(t, cfg.Redis.Fence+storetest.Recovery, "the lease ends", func() bool {
		m.publish(t, "db", 1) // the old row, for the database has not committed
		_, ok := m.get(t, "db")
		return ok
	})
	if err := w.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w.orders, "go on")
	w.await(t, "1")
	fmt.Fprintln(w.orders, "committed")
	w.await(t, "done")
	storetest.Miss(t, storetest.Begin(t, m.Store, "db"), m.c, "x", "the clear has come, though late")
	m.publish(t, "db", 2)
	storetest.Hit(t, storetest.Begin(t, m.Store, "db"), m.c, "x", 2, "the cache is in use again")
}

// P3 and P5: writers are killed at any moment, and no transaction that begins
// after the database showed a commit reads anything older.
func TestRedisP5KilledAtAnyMoment(t *testing.T) {
	storetest.Slow(t)
	t.Parallel()
	seed := rand.Uint64()
	if text := os.Getenv("TXCACHE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TXCACHE_SEED=%d", seed)
	server := redistest.Start(t)
	for life := range 4 {
		t.Run(fmt.Sprintf("life %d", life), func(t *testing.T) {
			t.Parallel()
			liveAndDie(t, server.URI(), rand.New(rand.NewPCG(seed, uint64(life))))
		})
	}
}

// liveAndDie lets two servers read while a writer is at work, and after it was
// killed until its lease has ended.
func liveAndDie(t *testing.T, uri string, random *rand.Rand) {
	cfg := crashSettings(uri)
	all := joinMany(t, cfg, 2)
	w := startWriter(t, cfg, "always")
	lives := time.Duration(20+random.IntN(200)) * time.Millisecond
	var row atomic.Int64 // what the database shows
	dead := make(chan struct{})
	go func() {
		defer close(dead)
		for line := range w.lines {
			if n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64); err == nil {
				row.Store(n)
				fmt.Fprintln(w.orders, "committed") // fails once it is dead
			}
		}
	}()
	storetest.Within(t, storetest.Recovery, "the writer is at it", func() bool { return row.Load() > 0 })
	hits, fills := 0, 0
	read := func(m member) {
		shown := row.Load()
		tx := storetest.BeginReadOnly(t, m.Store, "db")
		defer storetest.Commit(t, tx)
		snapshot := row.Load()
		v, ok := m.c.Get(t.Context(), tx, "x")
		switch {
		case !ok:
			m.c.Set(tx, "x", int(snapshot))
			fills++
		case int64(v) < shown:
			t.Errorf("a transaction reads %d and began after the database showed %d", v, shown)
		default:
			hits++
		}
	}
	for end := time.Now().Add(lives); time.Now().Before(end); {
		read(all[random.IntN(len(all))])
	}
	_ = w.cmd.Process.Kill()
	<-dead
	for end := time.Now().Add(cfg.Redis.Fence + 300*time.Millisecond); time.Now().Before(end); {
		read(all[random.IntN(len(all))])
		time.Sleep(time.Millisecond)
	}
	if hits == 0 || fills == 0 {
		t.Errorf("%d hits, %d fills; want some of each", hits, fills)
	}
	t.Logf("%d commits, %d hits, %d fills", row.Load(), hits, fills)
}
