package subject

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Eager opens stores on the single Redis servers at addrs, one for each store or one for all, that
// use states for a term, whether that is worth it or not. Each misses every lose-th
// announcement, none if lose is 0, and all that are no fences if it is FencesAlone, so that keys stay
// marked. With near the stores keep decoded values. What they count has the
// begins that the term of one before has served without a question as "Unasked".
func Eager(addrs []string, near bool, timeout, term time.Duration, lose int) history.Open {
	return func(ctx context.Context, servers int, specs []history.CacheSpec) ([]history.Server, error) {
		var backends []*eager
		all, err := Of(func(_ context.Context, n int) (stores []*txcache.Store, err error) {
			name := prefix()
			for i := range n {
				e, err := openEager(name, addrs[i%len(addrs)], timeout, term, lose)
				if err != nil {
					return nil, errors.Join(err, closeAll(stores))
				}
				opts := Options()
				opts.NoNear = !near
				store, err := txcache.New(e, opts)
				if err != nil {
					return nil, errors.Join(err, e.Close(), closeAll(stores))
				}
				stores, backends = append(stores, store), append(backends, e)
			}
			return stores, nil
		})(ctx, servers, specs)
		for i := range all {
			all[i] = counting{all[i].(*server), backends[i]}
		}
		return all, err
	}
}

func openEager(prefix, addr string, timeout, term time.Duration, lose int) (*eager, error) {
	o := &redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true}
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &hardOfHearing{Conn: c, lose: lose}, err
	}
	client := redis.NewClient(o)
	b, err := redisbackend.New(client, &redisbackend.Options{
		Prefix: prefix, Lease: true, Term: term, Wait: 2 * term, Timeout: timeout, Logger: silent,
	})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	for start := time.Now(); !b.Stats().Listening && time.Since(start) < patience; {
		time.Sleep(time.Millisecond)
	}
	return &eager{Backend: b, client: client}, nil
}

// A counting server also counts for its backend.
type counting struct {
	*server
	backend *eager
}

func (c counting) Counts() map[string]uint64 {
	counts := c.server.Counts()
	counts["Begins"], counts["Unasked"], counts["Waits"] = c.backend.begins.Load(), c.backend.unasked.Load(), c.backend.Stats().Waits
	return counts
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
	client          *redis.Client
	begins, unasked atomic.Uint64
}

func (e *eager) Sync(ctx context.Context, database string) (*backend.State, error) {
	state, _, err := e.SyncAged(ctx, database)
	return state, err
}

func (e *eager) SyncAged(ctx context.Context, database string) (state *backend.State, age time.Duration, err error) {
	asked := e.Stats().Syncs // a question counts before it is answered
	for i := range 4 {
		if state, age, err = e.Backend.SyncAged(ctx, database); err != nil {
			break
		}
		if i == 0 && e.Stats().Syncs == asked {
			e.unasked.Add(1)
		}
	}
	e.begins.Add(1)
	return state, age, err
}

func (e *eager) Close() error {
	return errors.Join(e.Backend.Close(), e.client.Close())
}
