package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Checkup is how a server does what a Backend asks of it.
type Checkup struct {
	Server string // its software and version, as far as it tells
	Role   string // "master", or what it is else; "" if it does not tell
	Policy string // what it does when its memory is full; "" if it does not tell
	// MaxMemory is the limit of its memory in bytes: 0 is none, -1 is not known.
	MaxMemory int64
	Ping      time.Duration // the median of a few round trips
	Steps     []Step
}

// A Step is something that a Backend needs of its server.
type Step struct {
	Name     string // such as "fence a cache"
	Optional bool   // a service works without it
	Took     time.Duration
	Err      error // nil if it was done
}

// errVague is no reason to refuse all calls: what is promised holds as long as the
// server loses nothing.
var errVague = errors.New("txcache: redis: INFO does not tell role, run_id and master_replid, so a failover, or a restart from a snapshot, cannot be noticed")

// pings is of how many round trips Check takes the median.
const pings = 11

// Check tries out all that a Backend does with its server, in a database of its
// own, of which nothing is left. An error says that the server is unavailable, and
// comes with what was learnt before; what the server refuses is in the steps.
func (b *Backend) Check(ctx context.Context) (*Checkup, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	c := &Checkup{MaxMemory: -1}
	if err := c.measure(ctx, b); err != nil {
		return c, err
	}
	c.introduce(ctx, b)

	name := "txcache check " + string(backend.NewToken())
	key := backend.Key{Database: name, Cache: "check", Schema: "check", Token: backend.NewToken(), Key: "1"}
	other := key
	other.Key = "2"
	f := backend.Fence{ID: backend.NewToken(), Caches: []backend.Generation{{Cache: "check"}}, Lease: time.Minute}
	ttl := time.Minute

	c.try(b, "begin a transaction", func() error { _, err := b.Sync(ctx, name); return err })
	if err := c.Steps[0].Err; err != nil && Unavailable(err) {
		return c, err
	}
	if k := b.database(name).last.Load(); k != nil && k.vague {
		c.try(b, "tell one run from another", func() error { return errVague })
	}
	c.try(b, "fence a cache", func() error { return b.Fence(ctx, name, f) })
	c.try(b, "clear a cache", func() error { _, err := b.Clear(ctx, name, f); return err })
	c.try(b, "announce a change", func() error { return b.hear(ctx) })
	c.try(b, "keep values", func() error {
		return b.Set(ctx, []backend.Value{{Key: key, Data: []byte("1"), TTL: ttl}, {Key: other, Data: []byte("2"), TTL: ttl}})
	})
	c.try(b, "read a value", func() error { _, err := b.Get(ctx, []backend.Key{key}); return err })
	c.try(b, "read values", func() error { _, err := b.Get(ctx, []backend.Key{key, other}); return err })
	c.try(b, "agree on who loads", func() error {
		_, err := b.Swap(ctx, []backend.Swap{{Key: key, Old: []byte("1"), New: []byte("3"), TTL: ttl}})
		return err
	})
	at := b.layout.value(&key)
	size := redis.NewIntCmd(context.Background(), "memory", "usage", at)
	c.optional(b, "tell the size of a value", func() error { return b.one(ctx, at, size) })
	left := redis.NewIntCmd(context.Background(), "pttl", at)
	c.optional(b, "tell when a value expires", func() error { return b.one(ctx, at, left) })
	c.try(b, "remove values", func() error { return b.vanish(ctx, at, b.layout.value(&other)) })
	c.try(b, "drop a database", func() error {
		return b.one(ctx, b.layout.hash(name), dropScript.command(b.layout.hash(name), b.layout.channel(), announced(name)))
	})
	return c, ctx.Err()
}

// Refused returns the steps that failed and are not optional.
func (c *Checkup) Refused() []Step {
	return slices.DeleteFunc(slices.Clone(c.Steps), func(s Step) bool { return s.Err == nil || s.Optional })
}

func (c *Checkup) try(b *Backend, name string, do func() error) {
	start := b.now()
	err := do()
	c.Steps = append(c.Steps, Step{Name: name, Took: b.now() - start, Err: err})
}

func (c *Checkup) optional(b *Backend, name string, do func() error) {
	c.try(b, name, do)
	c.Steps[len(c.Steps)-1].Optional = true
}

// measure takes the time of some round trips.
func (c *Checkup) measure(ctx context.Context, b *Backend) error {
	var took []time.Duration
	for range pings {
		start := b.now()
		cmd := redis.NewStatusCmd(context.Background(), "ping")
		// One that is refused takes as long.
		if err := b.do(ctx, b.layout.hash(""), cmd); err != nil {
			return err
		}
		took = append(took, b.now()-start)
	}
	slices.Sort(took)
	c.Ping = took[pings/2]
	return nil
}

// introduce notes what the server tells of itself.
func (c *Checkup) introduce(ctx context.Context, b *Backend) {
	fields := map[string]string{}
	for _, section := range []string{"server", "replication", "memory"} {
		cmd := redis.NewStringCmd(context.Background(), "info", section)
		if b.do(ctx, b.layout.hash(""), cmd) != nil {
			return
		}
		for line := range strings.Lines(cmd.Val()) {
			if field, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				fields[field] = value
			}
		}
	}
	c.Role, c.Policy = fields["role"], fields["maxmemory_policy"]
	if limit, err := strconv.ParseInt(fields["maxmemory"], 10, 64); err == nil {
		c.MaxMemory = limit
	}
	switch {
	case fields["valkey_version"] != "":
		c.Server = "Valkey " + fields["valkey_version"]
	case fields["redis_version"] != "":
		c.Server = "Redis " + fields["redis_version"]
	}
}

// one runs a command that belongs to the server of key.
func (b *Backend) one(ctx context.Context, key string, cmd redis.Cmder) error {
	if err := b.do(ctx, key, cmd); err != nil {
		return err
	}
	if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	return nil
}

// hear announces something and waits until it comes back.
func (b *Backend) hear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*b.options.Timeout)
	defer cancel()
	sub := b.client.Subscribe(ctx)
	defer sub.Close()
	if err := sub.Subscribe(ctx, b.layout.channel()); err != nil {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	if _, err := sub.Receive(ctx); err != nil {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	// A probe of a process that there is not: those who listen ignore it.
	probe := "! " + string(backend.NewToken()) + " " + strconv.Itoa(0)
	cmd := redis.NewIntCmd(context.Background(), "publish", b.layout.channel(), probe)
	if err := b.one(ctx, b.layout.hash(""), cmd); err != nil {
		return err
	}
	for {
		message, err := sub.ReceiveMessage(ctx)
		if err != nil {
			return fmt.Errorf("txcache: redis: an announcement did not arrive: %w", err)
		}
		if message.Payload == probe {
			return nil
		}
	}
}

// vanish removes values in the way that a walk does.
func (b *Backend) vanish(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		for _, args := range [][]any{{"time"}, {"dbsize"}, {"scan", "0", "count", "1"}, {"unlink", key}} {
			if err := b.one(ctx, key, redis.NewCmd(context.Background(), args...)); err != nil {
				return err
			}
		}
	}
	return nil
}
