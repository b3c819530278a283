package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/examples/shop/load"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
)

// serverArgs is the environment variable that makes the test's program a server of the shop: its
// command line.
const serverArgs = "TXCACHE_SHOP_SERVER"

// A process is a server of the shop in a process of its own.
type process struct {
	t       *testing.T
	args    string
	address string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has ended
	log     *strings.Builder
}

// startProcess starts a server of the shop with the arguments, which runs until the test ends.
func startProcess(t *testing.T, args string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, address: l.Addr().String(), log: &strings.Builder{}}
	l.Close() // for the server to take
	p.args = args + " -listen " + p.address
	p.run()
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("shop %s:\n%s", p.args, p.log)
		}
	})
	return p
}

func (p *process) url() string { return "http://" + p.address }

// start starts the server, and waits until it answers. It does so again if the server ends, as
// an outgoing connection may have the port for a moment.
func (p *process) start() {
	p.t.Helper()
	await(p.t, "the server answers", func() bool {
		select {
		case <-p.ended:
			p.run()
		default:
		}
		res, err := http.Get(p.url() + "/healthz")
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.StatusCode == http.StatusOK
	})
}

func (p *process) run() {
	p.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverArgs+"="+p.args)
	cmd.Stderr = p.log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
}

// kill ends the server by SIGKILL, wherever it is.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// counter returns the sum of a metric over the shops, for the cache of prices.
func (p *process) counter(name string) (sum float64) {
	p.t.Helper()
	res, err := http.Get(p.url() + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if series, value, _ := strings.Cut(lines.Text(), "} "); strings.HasPrefix(series, name+`{cache="shop.price"`) {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			sum += n
		}
	}
	if err := lines.Err(); err != nil {
		p.t.Fatal(err)
	}
	return sum
}

// Two servers over one database and nothing else. One of them is killed under load and
// started again, several times; nothing that the load is shown is stale, and nothing is seen of what
// was not committed.
func TestAServerIsKilledUnderLoad(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) { killUnderLoad(t, "-postgres "+postgrestest.Start(t).URI("postgres")) })
	t.Run("SQLite", func(t *testing.T) { killUnderLoad(t, "-data "+t.TempDir()) })
}

func killUnderLoad(t *testing.T, args string) {
	stays, dies := startProcess(t, args), startProcess(t, args)
	o := loadOptions(nil)
	o.URLs, o.For, o.Restarts = []string{stays.url(), dies.url()}, 10*time.Minute, true // until all has happened
	ctx, cancel := context.WithTimeout(t.Context(), o.For)
	report := &load.Report{}
	var running sync.WaitGroup
	running.Go(func() { report = runLoad(t, ctx, o) })
	defer running.Wait()
	defer cancel()
	for range 5 {
		before := stays.counter("txcache_deletes_total")
		await(t, "both servers change prices, and answer from their caches", func() bool {
			return dies.counter("txcache_hits_total") > 100 && dies.counter("txcache_deletes_total") > 20 &&
				stays.counter("txcache_deletes_total") > before+20
		})
		dies.kill()
		before = stays.counter("txcache_deletes_total")
		await(t, "the other one goes on", func() bool { return stays.counter("txcache_deletes_total") > before+20 })
		dies.start()
	}
	cancel()
	running.Wait()
	sound(t, report)
	if report.Unanswered == 0 {
		t.Error("each request was answered, as if no server had been killed")
	}
}

// The same servers with a memory each show the load what is stale.
func TestProcessesThatShareNothingAreFound(t *testing.T) {
	uri := postgrestest.Start(t).URI("postgres")
	o := loadOptions(nil)
	for range 2 {
		o.URLs = append(o.URLs, startProcess(t, "-config memory.toml -postgres "+uri).url())
	}
	loadUntil(t, o, violation("was committed"))
}

// serveIfAsked runs the server that the environment asks for, if it does.
func serveIfAsked() {
	if args := os.Getenv(serverArgs); args != "" {
		os.Exit(run(context.Background(), strings.Fields(args), io.Discard, os.Stderr))
	}
}
