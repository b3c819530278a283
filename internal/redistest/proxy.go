package redistest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A Traffic is what a Proxy does with what it is to pass on.
type Traffic int

const (
	// Flowing passes on everything.
	Flowing Traffic = iota

	// Cut breaks connections, and lets none come about.
	Cut

	// Held holds everything back. When it flows again the server gets what was
	// sent meanwhile, though the client has long given up.
	Held

	// Unanswered gives the client no answers: what it asks for is done. They are
	// lost, and their connections break when it flows again.
	Unanswered

	// Slow passes on everything, answers a while later.
	Slow

	// Deaf loses what comes for subscribers.
	Deaf

	// Late passes on everything, messages for subscribers a while later.
	Late

	// Twice passes on everything, and messages for subscribers once more a while later.
	Twice

	// Unsubscribed breaks the connections of subscribers, and lets none come about.
	Unsubscribed
)

const (
	slowness = 100 * time.Millisecond // of Slow
	lateness = 40 * time.Millisecond  // of messages
)

// A Proxy stands between clients and a server. It is safe for concurrent use.
type Proxy struct {
	Addr string // host and port

	to  string
	all sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	traffic Traffic
	ended   bool
	lines   map[*line]bool
}

// A line is one client's connection, and that to the server.
type line struct {
	client, server net.Conn
	subscribed     bool // guarded by the proxy's mu, like what follows
	broken         bool // something was lost
}

// NewProxy returns a proxy to a server until the test ends.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: to, lines: map[*line]bool{}}
	p.changed = sync.NewCond(&p.mu)
	p.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.connect(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		p.ended = true
		for line := range p.lines {
			line.close()
		}
		p.changed.Broadcast()
		p.mu.Unlock()
		p.all.Wait()
	})
	return p
}

// Set says what to do from now on.
func (p *Proxy) Set(traffic Traffic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traffic = traffic
	for line := range p.lines {
		if traffic == Cut || line.broken || traffic == Unsubscribed && line.subscribed {
			line.close()
		}
	}
	p.changed.Broadcast()
}

// URI returns the address as a service is configured with it.
func (p *Proxy) URI() string { return "redis://" + p.Addr + "/0" }

func (l *line) close() {
	l.client.Close()
	l.server.Close()
}

func (p *Proxy) connect(client net.Conn) {
	defer client.Close()
	p.flowing() // a connection held back is one that does not come about
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	l := &line{client: client, server: server}
	if !p.keep(l) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		defer server.Close()
		forward(server, client, func(data []byte) bool { return p.ask(l, data) })
	})
	both.Go(func() {
		defer client.Close()
		forward(client, server, func(data []byte) bool { return p.answer(l, data) })
	})
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, l)
}

// keep reports whether a line may be used, and notes it.
func (p *Proxy) keep(l *line) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.traffic == Cut {
		return false
	}
	p.lines[l] = true
	return true
}

// flowing waits until nothing is held back.
func (p *Proxy) flowing() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.traffic == Held && !p.ended {
		p.changed.Wait()
	}
}

// ask reports whether to pass on what a client has sent.
func (p *Proxy) ask(l *line, data []byte) bool {
	p.flowing()
	if bytes.Contains(data, []byte("subscribe")) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if l.subscribed = true; p.traffic == Unsubscribed {
			l.close()
		}
	}
	return true
}

// answer reports whether to pass on what the server has sent.
func (p *Proxy) answer(l *line, data []byte) bool {
	p.flowing()
	p.mu.Lock()
	traffic, subscribed := p.traffic, l.subscribed
	lost := traffic == Unanswered || traffic == Deaf && subscribed
	l.broken = l.broken || lost
	p.mu.Unlock()
	if traffic == Slow {
		time.Sleep(slowness)
	}
	if subscribed && (traffic == Late || traffic == Twice) && messages(data) {
		data := bytes.Clone(data)
		p.all.Go(func() {
			time.Sleep(lateness)
			_, _ = l.client.Write(data) // unless it is closed by then
		})
		return traffic == Twice
	}
	return !lost
}

// messages reports whether data is messages for a subscriber, whole ones, and nothing else.
func messages(data []byte) bool {
	for _, start := range []string{"*3\r\n$7\r\nmessage\r\n", ">3\r\n$7\r\nmessage\r\n"} {
		if n := bytes.Count(data, []byte(start)); n > 0 && bytes.HasPrefix(data, []byte(start)) {
			return bytes.Count(data, []byte("\r\n")) == 7*n && bytes.HasSuffix(data, []byte("\r\n"))
		}
	}
	return false
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
