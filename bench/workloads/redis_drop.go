package workloads

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/config"
)

// The figures of a drop.
const (
	valuesPerSecond = "values/s"
	slowestPing     = "slowest PING, ms"
)

// remoteDrops are drops of a database of half a million values beside another of
// as many, while another client sends PINGs. The peer is what a program with
// the plain client does: SCAN by prefix, and UNLINK what that finds.
func remoteDrops(e Env) []measure.Pair {
	if e.Redis == "" {
		return nil
	}
	n := e.size(500_000)
	return []measure.Pair{{
		Section: sectionClear, Rounds: 3,
		Name:    "drop of " + grouped(n) + " values among " + grouped(2*n) + " on Redis, a value",
		Subject: droppingRemote(e, n), Peer: scanning(e, n),
		Bars: []measure.Bar{
			{Of: valuesPerSecond, Limit: 200_000, Least: true},
			{Of: slowestPing, Limit: 10},
		},
	}}
}

// batch is how many values are set together.
const batch = 1000

func droppingRemote(e Env, n int) measure.Side {
	return side("txcache", func(ctx context.Context) (*measure.Work, error) {
		store, err := caches.OpenStore(ctx, e.Redis, config.SyncBegin, true)
		if err != nil {
			return nil, err
		}
		cache, err := txcache.NewCache[string, int](store, "cache", nil)
		if err != nil {
			return nil, err
		}
		fill := func(database string, n int) error {
			for from := 0; from < n; from += batch {
				err := store.View(ctx, database, func(tx *txcache.Tx) error {
					for i := from; i < min(n, from+batch); i++ {
						cache.Set(tx, "some.record."+strconv.Itoa(i), i)
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
		drop := func(database string) error { return store.Drop(ctx, database) }
		return emptying(ctx, e, n, fill, drop, store.Close)
	})
}

func scanning(e Env, n int) measure.Side {
	return side("go-redis, SCAN and UNLINK", func(ctx context.Context) (*measure.Work, error) {
		client := caches.NewClient(e.Redis)
		fill := func(database string, n int) error {
			for from := 0; from < n; from += batch {
				_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
					for i := from; i < min(n, from+batch); i++ {
						p.Set(ctx, database+":cache:some.record."+strconv.Itoa(i), i, time.Hour)
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
		drop := func(database string) error {
			cursor := uint64(0)
			for {
				keys, next, err := client.Scan(ctx, cursor, database+":*", batch).Result()
				if err != nil {
					return err
				}
				if len(keys) > 0 {
					if err := client.Unlink(ctx, keys...).Err(); err != nil {
						return err
					}
				}
				if cursor = next; cursor == 0 {
					return nil
				}
			}
		}
		return emptying(ctx, e, n, fill, drop, client.Close)
	})
}

// emptying fills a database with n values before each time that it measures
// drop, beside a client that sends PINGs. The neighbour has half as many values,
// for both sides of the comparison have one.
func emptying(ctx context.Context, e Env, n int, fill func(database string, n int) error, drop func(database string) error, end func() error) (*measure.Work, error) {
	const large, neighbour = "large", "neighbour"
	if err := fill(neighbour, n/2); err != nil {
		return nil, err
	}
	client := caches.NewClient(e.Redis)
	var slowest, seconds float64
	var samples int
	sample := func() (float64, error) {
		before, err := client.DBSize(ctx).Result()
		if err != nil {
			return 0, err
		}
		if err := fill(large, n); err != nil {
			return 0, err
		}
		if filled, err := client.DBSize(ctx).Result(); err != nil {
			return 0, err
		} else if filled < before+int64(n) {
			return 0, fmt.Errorf("%d values are there, want %d", filled-before, n)
		}
		pings := startPings(ctx, client)
		start := time.Now()
		err = drop(large)
		took := time.Since(start)
		worst, pingErr := pings.stop()
		if err := errors.Join(err, pingErr); err != nil {
			return 0, err
		}
		// The hash of the database itself may be new.
		if after, err := client.DBSize(ctx).Result(); err != nil {
			return 0, err
		} else if after > before+1 {
			return 0, fmt.Errorf("%d keys are left of the database", after-before)
		}
		samples++
		slowest = max(slowest, float64(worst)/float64(time.Millisecond))
		seconds += took.Seconds()
		return float64(took) / float64(n), nil
	}
	return &measure.Work{
		Sample: sample,
		Figures: func() map[string]float64 {
			return map[string]float64{valuesPerSecond: float64(n*samples) / seconds, slowestPing: slowest}
		},
		Close: func() {
			_ = drop(neighbour) // the server ends soon
			_ = errors.Join(end(), client.Close())
		},
	}, nil
}

// pings are PINGs one after the other.
type pings struct {
	cancel  context.CancelFunc
	ended   sync.WaitGroup
	slowest time.Duration
	err     error
}

func startPings(ctx context.Context, client *redis.Client) *pings {
	stopping, cancel := context.WithCancel(ctx)
	p := &pings{cancel: cancel}
	p.ended.Go(func() {
		for stopping.Err() == nil {
			start := time.Now()
			if p.err = client.Ping(ctx).Err(); p.err != nil {
				return
			}
			p.slowest = max(p.slowest, time.Since(start))
			time.Sleep(time.Millisecond / 2) // a PING is to be a sample, not a load
		}
	})
	return p
}

// stop ends them, and returns how long the slowest took.
func (p *pings) stop() (slowest time.Duration, err error) {
	p.cancel()
	p.ended.Wait()
	return p.slowest, p.err
}
