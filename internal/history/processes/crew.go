package processes

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// patience is how long anything may take on a machine that is busy.
const patience = 20 * time.Second

// Workers is how many processes use the cache at a time.
const Workers = 4

// Servers are what the processes share.
type Servers struct {
	Postgres *postgrestest.Server
	Redis    *redistest.Server
	URI      string                    // of what there is in place of Redis
	Networks [Workers]*redistest.Proxy // between each worker and Redis, if there are any
}

// uri returns where a worker finds Redis.
func (s *Servers) uri(worker int) string {
	switch {
	case s.Networks[worker] != nil:
		return s.Networks[worker].URI()
	case s.URI != "":
		return s.URI
	}
	return s.Redis.URI()
}

var crews atomic.Int64

// A Crew is the workers of one run. Its methods fail the test it is of.
type Crew struct {
	Board *Board

	t       testing.TB
	servers Servers
	plan    Plan
	admin   *pgx.Conn // to the database of the run

	tickets uint64 // that were handed out

	mu      sync.Mutex
	lives   [Workers]int
	workers [Workers]*exec.Cmd
	reports []string
	ended   sync.WaitGroup
}

// StartCrew starts the workers of a plan, in a database of their own. What p
// leaves open of where things are is filled in.
func StartCrew(t testing.TB, s Servers, p Plan) *Crew {
	t.Helper()
	ctx := context.Background()
	p.Board = filepath.Join(t.TempDir(), "board")
	p.Prefix = fmt.Sprintf("run%d", crews.Add(1))
	p.Postgres = s.Postgres.URI(p.Prefix)
	c := &Crew{t: t, servers: s, plan: p}
	root, err := pgx.Connect(ctx, s.Postgres.URI("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close(ctx)
	if _, err := root.Exec(ctx, "CREATE DATABASE "+p.Prefix); err != nil {
		t.Fatal(err)
	}
	if c.Board, err = NewBoard(p.Board); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Board.Close() })
	if c.admin, err = pgx.Connect(ctx, p.Postgres); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.admin.Close(ctx) })
	if err := populate(ctx, c.admin, c.Board); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	for i := range c.workers {
		c.start(i)
	}
	c.Await("the workers are at work", func() bool { return c.Board.Count(Ready) >= Workers })
	return c
}

// start starts the next life of a worker.
func (c *Crew) start(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.plan
	p.Worker, p.Life, p.Redis = i, c.lives[i], c.servers.uri(i)
	c.lives[i]++
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), p.environment())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Errorf("starting worker %d: %v", i, err)
		return
	}
	c.workers[i] = cmd
	c.ended.Go(func() {
		c.listen(bufio.NewScanner(out))
		err := cmd.Wait()
		switch status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus); {
		case c.Board.Count(Halt) == 2, err == nil && c.Board.Count(Halt) != 0:
		case status.Signaled() && status.Signal() == syscall.SIGKILL:
			c.start(i)
		default:
			c.report(fmt.Sprintf("worker %d has ended: %v\n%s", i, err, tail(errors.String())))
		}
	})
}

// tail returns the end of a long text.
func tail(text string) string { return text[max(0, len(text)-4000):] }

// listen collects the paragraphs that a worker writes.
func (c *Crew) listen(lines *bufio.Scanner) {
	var paragraph strings.Builder
	for lines.Scan() {
		if lines.Text() != "" {
			paragraph.WriteString(lines.Text())
			paragraph.WriteByte('\n')
		} else if paragraph.Len() > 0 {
			c.report(paragraph.String())
			paragraph.Reset()
		}
	}
}

func (c *Crew) report(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports = append(c.reports, text)
}

// Reports returns what the workers had to say: violations, with their stories,
// and what went wrong in the play itself.
func (c *Crew) Reports() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reports
}

// kill ends all workers at once.
func (c *Crew) kill() {
	c.Board.set(Halt, 2)
	c.mu.Lock()
	for _, cmd := range c.workers {
		if cmd != nil {
			_ = cmd.Process.Kill()
		}
	}
	c.mu.Unlock()
	c.ended.Wait()
}

// Stop lets all workers end what they are at.
func (c *Crew) Stop() {
	c.t.Helper()
	c.Board.set(Halt, 1)
	done := make(chan struct{})
	go func() {
		c.ended.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		c.t.Errorf("the workers do not end")
		c.kill()
	}
}

// Await waits until ok, and fails the test if that takes too long.
func (c *Crew) Await(what string, ok func() bool) {
	c.t.Helper()
	if !await(patience, ok) {
		c.t.Fatalf("waiting in vain until %s\n%s", what, strings.Join(c.Reports(), "\n"))
	}
}

func await(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}

var _ history.Server = (*aside)(nil)
