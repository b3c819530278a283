package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// planVariable is the environment variable that makes the program a process of a service.
const planVariable = "TXCACHE_BENCH_SERVICE"

// A plan is what a process of a service is told.
type plan struct {
	Settings // of Clients and Pool its share
	Variant  string
	Seed     uint64 // of its first client
	Postgres string // URI
	Redis    string // host and port
	Newest   string // file
}

// serve is a process of a service: it says that it is ready, plays its clients when it is
// told to, and says what they have seen. It returns the code to exit with. It ends when
// its input does, at the latest: with the program that has started it.
func serve(text string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	told := make(chan struct{}, 1)
	go func() {
		defer cancel()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			told <- struct{}{}
		}
	}()
	err := play(ctx, text, told)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-ctx.Done() // the caches of the others still need this one
	return 0
}

func play(ctx context.Context, text string, told <-chan struct{}) error {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	v, err := variantOf(p.Variant)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, p.Postgres, p.Pool)
	if err != nil {
		return err
	}
	l := &load{Settings: p.Settings, db: db}
	if l.newest, err = mapNewest(p.Newest, p.Rows); err != nil {
		return err
	}
	for i := range p.Clients {
		l.clients = append(l.clients, newClient(p.Settings, p.Seed+uint64(i)))
	}
	if l.service, err = v.open(ctx, &environment{db, p.Postgres, p.Redis, p.Rows}); err != nil {
		return err
	}
	if err := l.fill(ctx); err != nil {
		return err
	}
	out := gob.NewEncoder(os.Stdout)
	if err := out.Encode(true); err != nil {
		return err
	}
	select {
	case <-told:
	case <-ctx.Done():
		return ctx.Err()
	}
	m, err := l.play(ctx)
	if err != nil {
		return err
	}
	return out.Encode(m)
}

// A process is a process of a service, seen by the program that has started it.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *gob.Decoder // of what it says
	errors *bytes.Buffer
}

func start(ctx context.Context, p plan) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	s := &process{cmd: exec.CommandContext(ctx, self), errors: &bytes.Buffer{}}
	s.cmd.Env = append(os.Environ(), planVariable+"="+string(text))
	s.cmd.Stderr = s.errors
	s.cmd.WaitDelay = time.Second
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = gob.NewDecoder(out)
	return s, s.cmd.Start()
}

// end ends the process, and returns what it said was wrong.
func (s *process) end() error {
	_ = s.in.Close() // it may have ended
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, s.errors)
	}
	return nil
}
