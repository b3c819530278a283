package subject

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Channel opens stores on the single Redis server at addr that learn of each
// other by announcements. Before a transaction begins, those on their way have
// arrived, so that nothing is late. With near the stores keep decoded values.
//
// A marker follows the announcements, on the same connection: a change of a
// database that nobody else uses. They have been taken in when the store, having
// read the marker, reads on.
func Channel(addr string, near bool) history.Open {
	return func(ctx context.Context, n int, specs []history.CacheSpec) ([]history.Server, error) {
		name := prefix()
		markers := client(addr, nil)
		marker, err := redisbackend.New(markers, &redisbackend.Options{Prefix: name, Timeout: patience})
		if err != nil {
			return nil, errors.Join(err, markers.Close())
		}
		end := sync.OnceValue(func() error { return errors.Join(marker.Close(), markers.Close()) })
		var listeners []*listener
		servers, err := Of(func(context.Context, int) (stores []*txcache.Store, err error) {
			for range n {
				l := &listener{marker: marker, waiting: map[string]chan struct{}{}}
				l.client = client(addr, l)
				if l.backend, err = redisbackend.New(l.client, &redisbackend.Options{Prefix: name, Channel: true, Timeout: patience}); err != nil {
					return nil, errors.Join(err, closeAll(stores))
				}
				o := Options()
				o.NoNear = !near
				o.OnStale = nil // what is on its way counts as forgotten
				store, err := txcache.New(l.backend, o)
				if err != nil {
					return nil, errors.Join(err, l.backend.Close(), closeAll(stores))
				}
				stores, listeners = append(stores, store), append(listeners, l)
			}
			return stores, nil
		})(ctx, n, specs)
		if err != nil {
			return nil, errors.Join(err, end())
		}
		for i, s := range servers {
			l := listeners[i]
			l.Server, l.end = s, end
			servers[i] = l
		}
		return servers, nil
	}
}

// patience is how long announcements may take.
const patience = 10 * time.Second

var errNotHeard = errors.New("subject: announcements do not arrive")

func client(addr string, l *listener) *redis.Client {
	o := &redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true}
	if l != nil {
		o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return &conn{Conn: c, listener: l}, err
		}
	}
	return redis.NewClient(o)
}

// A listener is a server that knows all that was announced.
type listener struct {
	history.Server
	client  *redis.Client
	backend *redisbackend.Backend
	marker  *redisbackend.Backend // shared
	end     func() error          // ends marker

	heard sync.Once // the first announcement

	mu      sync.Mutex
	waiting map[string]chan struct{} // by marker; closed when it was taken in
}

func (l *listener) Begin(ctx context.Context, database string, readOnly bool) (history.Tx, error) {
	if err := l.settle(ctx); err != nil {
		return nil, err
	}
	return l.Server.Begin(ctx, database, readOnly)
}

func (l *listener) Counts() map[string]uint64 { return l.Server.(history.Counter).Counts() }

func (l *listener) Refresh(cache int, load func(context.Context, string, string) (history.Value, error)) {
	l.Server.(history.Refresher).Refresh(cache, load)
}

// settle waits until what has been announced was taken in. A store that does not
// listen asks the server instead.
func (l *listener) settle(ctx context.Context) error {
	l.heard.Do(func() {
		for start := time.Now(); !l.backend.Stats().Listening && time.Since(start) < patience; {
			time.Sleep(time.Millisecond)
		}
	})
	name, taken := string(backend.NewToken()), make(chan struct{})
	l.mu.Lock()
	l.waiting[name] = taken
	l.mu.Unlock()
	if _, err := l.marker.Sync(ctx, name); err != nil { // a new database is a change
		return err
	}
	for start := time.Now(); time.Since(start) < patience; {
		select {
		case <-taken:
			return nil
		case <-time.After(20 * time.Millisecond):
			if !l.backend.Stats().Listening {
				return nil
			}
		}
	}
	return errNotHeard
}

func (l *listener) Close() error {
	// Every transaction has ended: nobody waits for a marker any more.
	return errors.Join(l.Server.Close(), l.client.Close(), l.end())
}

// took notes which markers are in text.
func (l *listener) took(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, taken := range l.waiting {
		if strings.Contains(text, name) {
			close(taken)
			delete(l.waiting, name)
		}
	}
}

// A conn is a connection of a listener. Who reads on has taken in what was read.
type conn struct {
	net.Conn
	listener *listener
	text     string // read since the last marker, or its end
}

func (c *conn) Read(p []byte) (int, error) {
	if c.text != "" {
		c.listener.took(c.text)
		c.text = c.text[max(0, len(c.text)-len(backend.NewToken())):]
	}
	n, err := c.Conn.Read(p)
	c.text += string(p[:n])
	return n, err
}
