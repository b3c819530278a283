package subject

import (
	"bytes"
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Eager opens stores on the single Redis servers at addrs, one for each store or one for all, that
// use states for a term, whether that is worth it or not. Each misses every lose-th
// announcement, none if lose is 0, or all that are no fences if it is FencesAlone. With near the stores keep decoded values.
func Eager(addrs []string, near bool, timeout, term time.Duration, lose int) history.Open {
	return Of(func(ctx context.Context, n int) (stores []*txcache.Store, err error) {
		name := prefix()
		for i := range n {
			o := &redis.Options{Addr: addrs[i%len(addrs)], MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true}
			o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				return &hardOfHearing{Conn: c, lose: lose}, err
			}
			client := redis.NewClient(o)
			b, err := redisbackend.New(client, &redisbackend.Options{
				Prefix: name, Lease: true, Term: term, Wait: 2 * term, Timeout: timeout, Logger: silent,
			})
			if err != nil {
				return nil, errors.Join(err, client.Close(), closeAll(stores))
			}
			for start := time.Now(); !b.Stats().Listening && time.Since(start) < patience; {
				time.Sleep(time.Millisecond)
			}
			opts := Options()
			opts.NoNear = !near
			store, err := txcache.New(&eager{b, client}, opts)
			if err != nil {
				return nil, errors.Join(err, b.Close(), client.Close(), closeAll(stores))
			}
			stores = append(stores, store)
		}
		return stores, nil
	})
}

// FencesAlone, in place of a number of announcements, makes stores hear of fences that wait for
// them, and of nothing else.
const FencesAlone = -1

// A hardOfHearing connection loses some of the announcements that come by it.
type hardOfHearing struct {
	net.Conn
	lose, count int // count is that of a subscriber's only goroutine
}

func (c *hardOfHearing) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		// A probe begins with an exclamation mark; without any there is no subscription.
		if err != nil || c.lose == 0 || c.lose == FencesAlone && bytes.Contains(p[:n], []byte(":@changes:members")) || !bytes.Contains(p[:n], []byte(":@changes")) || bytes.Contains(p[:n], []byte("\r\n! ")) || !bytes.Contains(p[:n], []byte("message\r\n")) {
			return n, err
		}
		if c.count++; c.lose > 0 && c.count%c.lose != 0 {
			return n, err
		}
	}
}

// An eager backend asks for each state several times, so that a term begins if one can.
type eager struct {
	*redisbackend.Backend
	client *redis.Client
}

func (e *eager) Sync(ctx context.Context, database string) (*backend.State, error) {
	state, _, err := e.SyncAged(ctx, database)
	return state, err
}

func (e *eager) SyncAged(ctx context.Context, database string) (state *backend.State, age time.Duration, err error) {
	for range 4 {
		if state, age, err = e.Backend.SyncAged(ctx, database); err != nil {
			break
		}
	}
	return state, age, err
}

func (e *eager) Close() error {
	return errors.Join(e.Backend.Close(), e.client.Close())
}
