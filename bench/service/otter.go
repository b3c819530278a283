package main

import (
	"context"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/bench/caches"
)

// A local service keeps rows in the process, with otter. It deletes a row from the cache
// after the commit that changes it.
type local struct {
	db    *database
	items *otter.Cache[int64, Row]
	tell  func(ctx context.Context, id int64) error // the other processes
}

func newLocal(e *environment, opts otter.Options[int64, Row]) (*local, error) {
	opts.MaximumSize = e.room()
	items, err := otter.New(&opts)
	return &local{e.db, items, func(context.Context, int64) error { return nil }}, err
}

// openOtter opens a service that tells no other process.
func openOtter(_ context.Context, e *environment) (service, error) {
	return newLocal(e, otter.Options[int64, Row]{})
}

// openOtterExpiring opens a service whose rows expire, so that another process is not
// stale for longer.
func openOtterExpiring(_ context.Context, e *environment) (service, error) {
	return newLocal(e, otter.Options[int64, Row]{ExpiryCalculator: otter.ExpiryWriting[int64, Row](time.Second)})
}

// openOtterTold opens a service that publishes the keys of the rows it has changed.
func openOtterTold(ctx context.Context, e *environment) (service, error) {
	s, err := newLocal(e, otter.Options[int64, Row]{})
	if err != nil {
		return nil, err
	}
	const channel = "changed"
	client := caches.NewClient(e.redis)
	heard := client.Subscribe(ctx, channel)
	if _, err := heard.Receive(ctx); err != nil { // it has subscribed
		return nil, err
	}
	go func() {
		for message := range heard.Channel(redis.WithChannelSize(10_000)) {
			if id, err := strconv.ParseInt(message.Payload, 10, 64); err == nil {
				s.items.Invalidate(id)
			}
		}
	}()
	s.tell = func(ctx context.Context, id int64) error { return client.Publish(ctx, channel, id).Err() }
	return s, nil
}

func (s *local) read(ctx context.Context, ids []int64) (map[int64]Row, error) {
	return s.items.BulkGet(ctx, ids, otter.BulkLoaderFunc[int64, Row](func(ctx context.Context, missing []int64) (map[int64]Row, error) {
		return s.db.rows(ctx, s.db.pool, missing)
	}))
}

func (s *local) write(ctx context.Context, id int64) (int64, error) {
	r, err := s.db.commit(ctx, id)
	if err != nil {
		return 0, err
	}
	s.items.Invalidate(id)
	return r.Version, s.tell(ctx, id)
}
