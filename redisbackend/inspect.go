package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// An inspector is a Backend that tells operators what its server keeps. No user of
// this package reaches it: the command does, through package inspect.
type inspector struct{ *Backend }

func init() {
	inspect.Of = func(b backend.Backend) (inspect.Inspector, bool) {
		ours, ok := b.(*Backend)
		return inspector{ours}, ok
	}
	inspect.ValuesOf = func(v backend.Values) (inspect.ValuesInspector, bool) {
		ours, ok := v.(*Values)
		if !ok {
			return nil, false
		}
		return inspector{ours.b}, true
	}
	inspect.Unavailable = unavailable
}

func (b inspector) Databases(ctx context.Context) ([]inspect.Database, error) {
	values := map[string]int{}
	err := b.visitKeys(ctx, b.layout.everything(), func(_ context.Context, keys []string) error {
		for _, key := range keys {
			if name, ok := b.layout.databaseOf(key); ok {
				values[name] += 0
			} else if e, ok := b.layout.entry(key); ok {
				values[e.Database]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	databases, err := b.read(ctx, slices.Sorted(maps.Keys(values)))
	for i := range databases {
		databases[i].Values = values[databases[i].Name]
	}
	return databases, err
}

func (b inspector) Database(ctx context.Context, name string) (*inspect.Database, error) {
	databases, err := b.read(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	return &databases[0], nil
}

// readBatch is how many hashes are read in one request.
const readBatch = 100

// read returns what is kept of the databases of those names, in their order.
func (b inspector) read(ctx context.Context, names []string) ([]inspect.Database, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	databases := make([]inspect.Database, 0, len(names))
	for part := range slices.Chunk(names, readBatch) {
		keys := make([]string, len(part))
		cmds := make([]redis.Cmder, len(part))
		for i, name := range part {
			keys[i] = b.layout.hash(name)
			cmds[i] = redis.NewMapStringStringCmd(context.Background(), "hgetall", keys[i])
		}
		if err := b.scatter(ctx, keys, cmds, 0); err != nil {
			return nil, err
		}
		for i, cmd := range cmds {
			fields, err := cmd.(*redis.MapStringStringCmd).Result()
			if err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
				return nil, fmt.Errorf("txcache: redis: %w", err)
			}
			databases = append(databases, describe(part[i], fields))
		}
	}
	return databases, nil
}

// describe takes the fields of a hash apart.
func describe(name string, fields map[string]string) inspect.Database {
	d := inspect.Database{Name: name}
	epoch, text, _ := strings.Cut(fields["e"], " ")
	version, ok := number(text)
	if !ok || epoch == "" {
		return d
	}
	r := reply{epoch: backend.Token(epoch), version: version}
	for field, value := range fields {
		r.fields = append(r.fields, field, value)
	}
	state, log, _, err := r.state()
	if err != nil {
		return d // damaged: no script would trust it either
	}
	state.Version = version
	d.Kept, d.State, d.Deleted = true, state, log.deleted()
	d.Members = registered(fields["m"])
	for line := range strings.Lines(fields["f"]) {
		parts := strings.Fields(line)
		deadline, ok1 := number(parts[1]) // there are four, or state had failed
		ttl, ok2 := number(parts[2])
		if !ok1 || !ok2 || deadline > 1<<52 {
			continue
		}
		f := inspect.PlacedFence{
			ID: backend.Token(parts[0]), Deadline: time.UnixMilli(int64(deadline)).UTC(),
			TTL: time.Duration(ttl) * time.Millisecond, All: parts[3] == "1",
		}
		for _, part := range parts[4:] {
			keys, ok := fenced(part)
			switch {
			case !ok:
			case keys.Hashes == nil:
				f.Caches = append(f.Caches, keys.Cache)
			default:
				f.Keys = append(f.Keys, keys)
			}
		}
		d.Fences = append(d.Fences, f)
	}
	return d
}

// registered returns how many members are registered in the field m, as scripts/database.lua
// describes it. Those that a new hash does not know are none.
func registered(said string) (members int) {
	_, lines, _ := strings.Cut(said, "\n")
	for line := range strings.Lines(lines) {
		if !strings.HasPrefix(line, "? ") {
			members++
		}
	}
	return members
}

// Sweep removes what a Backend removes by itself when it is much.
func (b inspector) Sweep(ctx context.Context) (removed int, err error) { return b.sweep(ctx) }

// visitKeys calls visit with the keys that match pattern, "" for every key of the
// server, a page at a time. An error of visit ends it and is returned as it is.
func (b inspector) visitKeys(ctx context.Context, pattern string, visit func(ctx context.Context, keys []string) error) error {
	if err := b.Ping(ctx); err != nil {
		return err
	}
	var mu sync.Mutex // masters are walked over side by side
	var failure error
	_, err := b.scan(ctx, walk{pattern: pattern, gentle: true, choose: func(ctx context.Context, keys []string) ([]string, error) {
		mu.Lock()
		defer mu.Unlock()
		if failure == nil {
			failure = visit(ctx, keys)
		}
		return nil, failure
	}})
	if failure != nil {
		return failure
	}
	return err
}

// Ping comes before each walk, which alone would not notice that the user is
// refused: the client reports a handshake that failed for commands by themselves,
// not for those in a pipeline.
func (b inspector) Ping(ctx context.Context) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	return b.call(ctx, b.layout.hash(""), redis.NewStatusCmd(context.Background(), "ping"))
}

func unavailable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, backend.ErrClosed) {
		return false
	}
	for _, ours := range []error{errFence, errReply, errUnsettled, errNoScripts} {
		if errors.Is(err, ours) {
			return false
		}
	}
	return isServerError(err)
}
