// Package redisserver runs a Redis server for a benchmark: a process of
// redis-server on a free loopback port, that keeps nothing on disk.
package redisserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/seed-dad15c92/txcache/bench/caches"
)

// A Server is a running redis-server.
type Server struct {
	Addr    string // host and port
	Version string

	dir   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
}

// ErrNone says that there is no redis-server on the PATH.
var ErrNone = errors.New("there is no redis-server on the PATH")

// patience is how long a server may take to answer.
const patience = 10 * time.Second

// Start starts a server and waits until it answers. It ends with Close, or
// when ctx is done.
func Start(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrNone
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "txcache-bench-")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		dir:  dir,
		cmd: exec.CommandContext(ctx, path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "",
			"--appendonly", "no", "--daemonize", "no", "--logfile", filepath.Join(dir, "log")),
		ended: make(chan struct{}),
	}
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is not asked for
		close(s.ended)
	}()
	if err := s.await(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

var version = regexp.MustCompile(`redis_version:(\S+)`)

// await waits until the server answers, and asks for its version.
func (s *Server) await(ctx context.Context) error {
	client := caches.NewClient(s.Addr)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		info, err := client.Info(ctx, "server").Result()
		if err == nil {
			if m := version.FindStringSubmatch(info); m != nil {
				s.Version = m[1]
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for redis-server to answer: %w", err)
		case <-s.ended:
			return errors.New("redis-server ended at once")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Close ends the server and removes its files.
func (s *Server) Close() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
	_ = os.RemoveAll(s.dir) // in the folder for temporary files
}
