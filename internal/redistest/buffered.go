package redistest

import (
	"errors"
	"net"
	"sync"
)

// Buffered returns a connection over conn whose Write does not wait for the
// other side to read, as it does not on a socket. On the unbuffered pipes of
// miniredis, a client that sends several commands before it reads a reply
// would wait for a server that waits for it.
func Buffered(conn net.Conn) net.Conn {
	b := &bufferedConn{Conn: conn}
	b.changed = sync.NewCond(&b.mu)
	go b.forward()
	return b
}

type bufferedConn struct {
	net.Conn

	mu      sync.Mutex
	changed *sync.Cond
	pending []byte
	err     error // ends forward
}

func (b *bufferedConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	b.pending = append(b.pending, p...)
	b.changed.Signal()
	return len(p), nil
}

func (b *bufferedConn) Close() error {
	b.stop(net.ErrClosed)
	return b.Conn.Close()
}

func (b *bufferedConn) stop(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = errors.Join(b.err, err)
	b.changed.Signal()
}

func (b *bufferedConn) forward() {
	for {
		b.mu.Lock()
		for len(b.pending) == 0 && b.err == nil {
			b.changed.Wait()
		}
		p, err := b.pending, b.err
		b.pending = nil
		b.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := b.Conn.Write(p); err != nil {
			b.stop(err)
			return
		}
	}
}
