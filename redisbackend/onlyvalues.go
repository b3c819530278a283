package redisbackend

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

// Values keeps encoded values in Redis, and nothing else: the generations are kept by another
// backend, as that of package sqlbackend. So whatever becomes of the values, they can only be
// missing: Redis may lose them, evict them, be flushed, be split, or answer from a replica that is
// behind. The keys are those of a [Backend].
//
// It is safe for concurrent use. Its calls wait for a limited time and have a breaker, as those of a Backend.
// It asks for no lease of a load: processes that share a Values load each for itself.
type Values struct{ b *Backend }

var _ interface {
	backend.Timed
	backend.Limited
	backend.Bounded
	backend.Observed
} = (*Values)(nil)

// NewValues returns a Values over client, for which holds what [New] says of one. Options.Channel
// makes no difference.
func NewValues(client redis.UniversalClient, opts *Options) (*Values, error) {
	b, err := newBackend(client, opts, true)
	if err != nil {
		return nil, err
	}
	return &Values{b}, nil
}

// OpenValues returns a Values with connections of its own, as [cache.redis] of cfg says; see [Open]. The
// server need not be up.
func OpenValues(ctx context.Context, cfg *config.Config) (*Values, error) {
	b, err := open(ctx, cfg, true)
	if err != nil {
		return nil, err
	}
	return &Values{b}, nil
}

// Get returns the data kept under keys; see [Backend.Get].
func (v *Values) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	return v.b.Get(ctx, keys)
}

// GetTimed is Get, and tells how much longer the server keeps each value; see [Backend.GetTimed].
func (v *Values) GetTimed(ctx context.Context, keys []backend.Key) ([][]byte, []time.Duration, error) {
	return v.b.GetTimed(ctx, keys)
}

// Set keeps values, each for a limited time; see [Backend.Set].
func (v *Values) Set(ctx context.Context, values []backend.Value) error {
	return v.b.Set(ctx, values)
}

// TTL returns how long a value without a TTL of its own is kept.
func (v *Values) TTL() time.Duration { return v.b.TTL() }

// Largest returns how long a value may be; a longer one is not kept.
func (v *Values) Largest() int { return v.b.Largest() }

// Drop removes the values of database. Those that are set meanwhile may stay, and what an
// error has left: they expire.
func (v *Values) Drop(ctx context.Context, database string) error {
	b := v.b
	if err := b.usable(ctx); err != nil {
		return err
	}
	if err := b.links.first.values.refusal(); err != nil {
		return err
	}
	if err := b.removeValues(ctx, database); err != nil {
		return fmt.Errorf("txcache: the values of database %q are left to expire: %w", database, cause.Of(err))
	}
	return nil
}

// Stats returns counts since the Values was made, and its condition now.
func (v *Values) Stats() backend.Stats {
	s := v.b.Stats()
	s.Open = v.b.links.first.values.breaker.refusal() != nil
	v.b.links.others.Range(func(_, l any) bool {
		s.Open = s.Open || l.(*link).values.breaker.refusal() != nil
		return true
	})
	return s
}

// Close ends what the Values does in the background and waits for it. It closes
// the connections of a Values that came from OpenValues.
func (v *Values) Close() error { return v.b.Close() }
