package txcache_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A relay stands between clients and a server.
type relay struct {
	addr string
	mute atomic.Bool // subscribers hear nothing any more

	to   string
	all  sync.WaitGroup
	mu   sync.Mutex
	open map[net.Conn]bool // nil once the test is over
}

// newRelay returns a relay to a server until the test ends.
func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String(), to: to, open: map[net.Conn]bool{}}
	r.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.all.Go(func() { r.pass(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.mu.Lock()
		for conn := range r.open {
			conn.Close()
		}
		r.open = nil
		r.mu.Unlock()
		r.all.Wait()
	})
	return r
}

// keep notes conn, to close it with the test.
func (r *relay) keep(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		return false
	}
	r.open[conn] = true
	return true
}

func (r *relay) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer server.Close()
	if !r.keep(client) || !r.keep(server) {
		return
	}
	var subscribed atomic.Bool
	var both sync.WaitGroup
	both.Go(func() {
		defer server.Close()
		forward(server, client, func(p []byte) bool {
			if bytes.Contains(p, []byte("subscribe")) {
				subscribed.Store(true)
			}
			return true
		})
	})
	both.Go(func() {
		defer client.Close()
		forward(client, server, func([]byte) bool { return !subscribed.Load() || !r.mute.Load() })
	})
	both.Wait()
}

// forward copies what comes, if it is wanted.
func forward(to io.Writer, from io.Reader, wanted func([]byte) bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && wanted(buf[:n]) {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
