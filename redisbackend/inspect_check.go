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
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// errRunUnknown is no reason to refuse all calls: what is promised holds as long as the
// server loses nothing.
var errRunUnknown = errors.New("txcache: redis: INFO does not tell role, run_id and master_replid, so a failover, or a restart from a snapshot, cannot be noticed")

// pings is of how many round trips Check takes the median.
const pings = 11

func (b inspector) Check(ctx context.Context) (*inspect.Checkup, error) {
	if err := b.usable(ctx); err != nil {
		return &inspect.Checkup{MaxMemory: -1}, err
	}
	c := &checkup{b, &inspect.Checkup{MaxMemory: -1}}
	if err := c.measure(ctx); err != nil {
		return c.found, err
	}
	c.describeServer(ctx)

	name := "txcache check " + string(backend.NewToken())
	if b.onlyValues {
		c.values(ctx, name)
		return c.found, ctx.Err()
	}
	f := backend.Fence{ID: backend.NewToken(), Caches: []backend.Generation{{Cache: "check"}}, Keys: []backend.Keys{{Cache: "check", Hashes: []uint64{1}}}, Lease: time.Minute}
	c.try("begin a transaction", func() error { _, err := b.Sync(ctx, name); return err })
	if err := c.found.Steps[0].Err; err != nil && unavailable(err) {
		return c.found, err
	}
	if k := b.info(name).last.Load(); k != nil && k.runUnknown {
		c.try("tell one run from another", func() error { return errRunUnknown })
	}
	c.try("fence a cache", func() error { return b.Fence(ctx, name, f) })
	c.try("clear a cache", func() error { _, err := b.Clear(ctx, name, f); return err })
	// No process that listens takes note of these: there is no such process, and no such database.
	c.try("announce a change", func() error { return b.checkAnnouncement(ctx, b.layout.channel(), "! "+string(f.ID)+" 0") })
	if b.expectsMembers.Load() {
		c.try("tell members of a fence", func() error { return b.checkAnnouncement(ctx, b.layout.fences(), " "+string(f.ID)+" 0 *") })
	}
	c.values(ctx, name)
	c.try("drop a database", func() error {
		return b.call(ctx, b.layout.hash(name), dropScript.command(b.layout.hash(name), b.layout.channel(), announced(name)))
	})
	return c.found, ctx.Err()
}

// values tries out what is done with values.
func (c *checkup) values(ctx context.Context, name string) {
	key := backend.Key{Database: name, Cache: "check", Schema: "check", Token: backend.NewToken(), Key: "1"}
	other := key
	other.Key = "2"
	const ttl = time.Minute
	c.try("keep values", func() error {
		return c.Set(ctx, []backend.Value{{Key: key, Data: []byte("1"), TTL: ttl}, {Key: other, Data: []byte("2"), TTL: ttl}})
	})
	c.try("read a value", func() error { _, err := c.Get(ctx, []backend.Key{key}); return err })
	c.try("read values", func() error { _, err := c.Get(ctx, []backend.Key{key, other}); return err })
	at := c.layout.value(&key)
	if !c.onlyValues {
		c.try("agree on who loads", func() error {
			_, err := c.Swap(ctx, []backend.Swap{{Key: key, Old: []byte("1"), New: []byte("3"), TTL: ttl}})
			return err
		})
		size := redis.NewIntCmd(context.Background(), "memory", "usage", at)
		c.optional("tell the size of a value", func() error { return c.call(ctx, at, size) })
	}
	left := redis.NewIntCmd(context.Background(), "pttl", at)
	c.optional("tell when a value expires", func() error { return c.call(ctx, at, left) })
	c.try("remove values", func() error { return c.removal(ctx, at, c.layout.value(&other)) })
}

// removal removes values in the way that a walk does.
func (c *checkup) removal(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		commands := [][]any{{"time"}, {"scan", "0", "count", "1"}, {"unlink", key}}
		if !c.onlyValues { // sweeps count
			commands = append(commands, []any{"dbsize"})
		}
		for _, args := range commands {
			if err := c.call(ctx, key, redis.NewCmd(context.Background(), args...)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A checkup is one that is under way.
type checkup struct {
	inspector
	found *inspect.Checkup
}

func (c *checkup) try(name string, do func() error) {
	start := c.now()
	err := do()
	c.found.Steps = append(c.found.Steps, inspect.Step{Name: name, Took: c.now() - start, Err: err})
}

func (c *checkup) optional(name string, do func() error) {
	c.try(name, do)
	c.found.Steps[len(c.found.Steps)-1].Optional = true
}

// measure takes the time of some round trips.
func (c *checkup) measure(ctx context.Context) error {
	var took []time.Duration
	for range pings {
		start := c.now()
		cmd := redis.NewStatusCmd(context.Background(), "ping")
		// One that is refused takes as long.
		if err := c.do(ctx, c.layout.hash(""), cmd); err != nil {
			return err
		}
		took = append(took, c.now()-start)
	}
	slices.Sort(took)
	c.found.Ping = took[pings/2]
	return nil
}

// describeServer notes what the server tells of itself.
func (c *checkup) describeServer(ctx context.Context) {
	fields := map[string]string{}
	for _, section := range []string{"server", "replication", "memory"} {
		cmd := redis.NewStringCmd(context.Background(), "info", section)
		if c.do(ctx, c.layout.hash(""), cmd) != nil {
			return
		}
		for line := range strings.Lines(cmd.Val()) {
			if field, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				fields[field] = value
			}
		}
	}
	c.found.Role, c.found.Policy = fields["role"], fields["maxmemory_policy"]
	if limit, err := strconv.ParseInt(fields["maxmemory"], 10, 64); err == nil {
		c.found.MaxMemory = limit
	}
	switch {
	case fields["valkey_version"] != "":
		c.found.Server = "Valkey " + fields["valkey_version"]
	case fields["redis_version"] != "":
		c.found.Server = "Redis " + fields["redis_version"]
	}
}

// call runs a command that belongs to the server of key.
func (b inspector) call(ctx context.Context, key string, cmd redis.Cmder) error {
	if err := b.do(ctx, key, cmd); err != nil {
		return err
	}
	if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	return nil
}

// checkAnnouncement announces something and waits until it comes back.
func (b inspector) checkAnnouncement(ctx context.Context, channel, text string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*b.options.Timeout)
	defer cancel()
	sub := b.client.Subscribe(ctx)
	defer sub.Close()
	if err := sub.Subscribe(ctx, channel); err != nil {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	if _, err := sub.Receive(ctx); err != nil {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	cmd := redis.NewIntCmd(context.Background(), "publish", channel, text)
	if err := b.call(ctx, b.layout.hash(""), cmd); err != nil {
		return err
	}
	for {
		message, err := sub.ReceiveMessage(ctx)
		if err != nil {
			return fmt.Errorf("txcache: redis: an announcement did not arrive: %w", err)
		}
		if message.Payload == text {
			return nil
		}
	}
}
