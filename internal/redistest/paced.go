package redistest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Gigabit is a line of 1 Gbit/s, in bytes per second.
const Gigabit = 125e6

// Paced returns the address of a proxy to a server that passes on so many bytes
// per second in each direction, all connections together, until the test ends.
func Paced(t testing.TB, to string, rate float64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	ended := false
	keep := func(c net.Conn) bool {
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, c)
		return !ended
	}
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		ended = true
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	var up, down pace
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil || !keep(client) || !keep(server) {
				client.Close()
				continue
			}
			all.Go(func() { up.forward(server, client, rate) })
			all.Go(func() { down.forward(client, server, rate) })
		}
	})
	return l.Addr().String()
}

// A pace is one direction of a line.
type pace struct {
	mu   sync.Mutex
	next time.Time // when what comes next may pass
}

// forward copies what comes, at the pace of the line.
func (p *pace) forward(to, from net.Conn, rate float64) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			// Less than a millisecond is not slept well; it adds up.
			if d := time.Until(p.take(n, rate)); d > time.Millisecond {
				time.Sleep(d)
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// take returns when n bytes have passed.
func (p *pace) take(n int, rate float64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(n) / rate * 1e9))
	return p.next
}
