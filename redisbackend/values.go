package redisbackend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// maxGets is how many MGETs go together.
const maxGets = 4

// Get returns the data kept under keys, in one round trip to each server unless
// it is much. A key that holds something else than a string holds nothing. With
// an error comes the data of the keys that were answered.
func (b *Backend) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	return b.get(ctx, keys, nil)
}

// get is Get, and GetTimed if left is not nil.
func (b *Backend) get(ctx context.Context, keys []backend.Key, left []time.Duration) ([][]byte, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	data := make([][]byte, len(keys))
	var first error
	for start := 0; start < len(keys); {
		// The keys of a call are of one cache, mostly, whose values are alike.
		size := b.sizes.of(keys[start].Cache)
		end := start + size.batch(len(keys)-start)
		var some []time.Duration
		if left != nil {
			some = left[start:end]
		}
		err := b.getSome(ctx, keys[start:end], data[start:end], some, size)
		if err != nil {
			if first == nil {
				first = err
			}
			if mustGiveUp(ctx, err) {
				return data, first
			}
		}
		start = end
	}
	for i := range data {
		if !summarized(data[i]) {
			continue
		}
		var err error
		if data[i], err = b.assemble(ctx, b.layout.value(&keys[i]), data[i]); err != nil {
			data[i] = nil
			if first == nil {
				first = err
			}
		}
	}
	return data, first
}

// mustGiveUp reports whether a call that has met err must not go on with the rest.
// Where a server is away the rest is refused at once, or is another server's.
func mustGiveUp(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, errBusy) || errors.Is(err, backend.ErrClosed)
}

// getSome gets keys in one round trip to each server.
func (b *Backend) getSome(ctx context.Context, keys []backend.Key, data [][]byte, left []time.Duration, size *size) (err error) {
	names, gets := make([]string, len(keys)), make([]get, len(keys))
	for i := range keys {
		names[i] = b.layout.value(&keys[i])
		gets[i].name = names[i]
	}
	var times []redis.Cmder
	if left != nil {
		times = pttls(names)
	}
	err = b.spread(ctx, names, func(r *request, i int) {
		if times != nil {
			r.cmds = append(r.cmds, times[i])
		}
		r.gets = append(r.gets, &gets[i])
		r.bytes += int(size.bytes.Load())
	})
	if err == nil && left != nil {
		err = b.readTimes(times, left)
	}
	for i := range gets {
		if err != nil {
			break
		}
		if left == nil || left[i] != gone { // what came since is looked up again
			data[i], err = gets[i].data, gets[i].err
		}
	}
	switch {
	case err == nil:
		size.observe(data)
	case len(keys) > 1 && errors.Is(err, os.ErrDeadlineExceeded):
		size.note(1, batchBytes) // each may be larger than was thought
	}
	return err
}

// Largest returns how long a value may be; a longer one is not kept.
func (b *Backend) Largest() int { return b.options.LargestValue }

// Set keeps values, in one round trip to each server unless it is much. Where
// some could not be kept it returns the first reason, and the others are kept
// all the same.
func (b *Backend) Set(ctx context.Context, values []backend.Value) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	called := b.now()
	var first error
	try := func(err error) bool {
		if err == nil {
			return true
		}
		if first == nil {
			first = err
		}
		return !mustGiveUp(ctx, err)
	}
	// Small values go first, and do not wait for large ones.
	large := 0
	for start := 0; start < len(values); {
		end, bytes := start, 0
		for end < len(values) && end-start < batchSize {
			if n := len(values[end].Data); divided(values[end].Data) {
				large++
			} else if bytes += n; bytes > batchBytes && end > start {
				break
			}
			end++
		}
		if !try(b.setSome(ctx, values[start:end], bytes, called)) {
			return first
		}
		start = end
	}
	for i := 0; large > 0; i++ {
		if v := &values[i]; divided(v.Data) {
			large--
			if !try(b.setLarge(ctx, v, called)) {
				return first
			}
		}
	}
	return first
}

// setSome keeps those of values that are not divided. Set was called when b.now
// was called.
func (b *Backend) setSome(ctx context.Context, values []backend.Value, size int, called time.Duration) error {
	// The data is copied because it may still be on its way when ctx ends. All
	// commands share what can be shared: this is the path of every commit.
	data := make([]byte, 0, size)
	names := make([]string, 0, len(values))
	args := make([]any, 0, 5*len(values))
	cmds := make([]redis.Cmder, 0, len(values))
	late := b.elapsed(called)
	var ttl time.Duration
	var ms any // ttl in milliseconds
	for i := range values {
		v := &values[i]
		if divided(v.Data) {
			continue
		}
		if d := b.ttl(v.TTL) - late; d != ttl {
			ttl, ms = d, d.Milliseconds()
		}
		if ttl < time.Millisecond {
			continue // it would be over before it could be read
		}
		name, from, first := b.layout.value(&v.Key), len(data), len(args)
		data = append(data, v.Data...)
		args = append(args, "set", name, data[from:], "px", ms)
		names = append(names, name)
		cmds = append(cmds, redis.NewStatusCmd(context.Background(), args[first:len(args):len(args)]...))
	}
	if len(cmds) == 0 {
		return nil
	}
	if err := b.scatter(ctx, names, cmds, size/len(cmds)); err != nil {
		return err
	}
	b.count(values)
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return fmt.Errorf("txcache: redis: %w", err)
		}
	}
	return nil
}

// setLarge keeps a value in parts, and then what stands for it: until all of
// them are there nobody finds it.
func (b *Backend) setLarge(ctx context.Context, v *backend.Value, called time.Duration) error {
	if len(v.Data) > b.options.LargestValue {
		return fmt.Errorf("txcache: redis: a value of %d bytes is larger than the largest that is kept, of %d", len(v.Data), b.options.LargestValue)
	}
	ms := (b.ttl(v.TTL) - b.elapsed(called)).Milliseconds()
	if ms < 1 {
		return nil
	}
	name := b.layout.value(&v.Key)
	text, err := b.put(ctx, name, v.Data, ms)
	if err != nil {
		return err
	}
	if ms = (b.ttl(v.TTL) - b.elapsed(called)).Milliseconds(); ms < 1 {
		return nil
	}
	cmd := redis.NewStatusCmd(context.Background(), "set", name, text, "px", ms)
	if err := b.links.of(name).values.do(ctx, &request{key: name, cmds: []redis.Cmder{cmd}, bytes: len(text)}); err != nil {
		return err
	}
	b.count([]backend.Value{*v})
	if err := cmd.Err(); err != nil {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	return nil
}

// ttl returns for how long a value with that TTL is kept.
func (b *Backend) ttl(ttl time.Duration) time.Duration { return cmp.Or(ttl, b.options.Duration) }

// elapsed returns for how long the call has been under way that was made when b.now
// returned called: so much less its values are kept for. Else what was set at the end
// of a long call would live for longer than its cache allows.
func (b *Backend) elapsed(called time.Duration) time.Duration {
	return (b.now() - called).Truncate(time.Millisecond)
}

// scatter sends each command, which carries so many bytes, to the server of its
// key, as spread does.
func (b *Backend) scatter(ctx context.Context, keys []string, cmds []redis.Cmder, bytes int) error {
	return b.spread(ctx, keys, func(r *request, i int) {
		r.cmds = append(r.cmds, cmds[i])
		r.bytes += bytes
	})
}

// spread sends what add puts into a request for each of names to the server of that key, to all servers
// at once. It has to do with values, or may fail as if.
func (b *Backend) spread(ctx context.Context, names []string, add func(r *request, i int)) error {
	if b.cluster == nil {
		r := &request{key: names[0]}
		for i := range names {
			add(r, i)
		}
		return b.links.first.values.do(ctx, r)
	}
	parts := map[*link]*request{}
	for i, name := range names {
		l := b.links.of(name).values
		if parts[l] == nil {
			parts[l] = &request{key: name}
		}
		add(parts[l], i)
	}
	var mu sync.Mutex
	var first error
	var all sync.WaitGroup
	for l, r := range parts {
		all.Go(func() {
			if err := l.do(ctx, r); err != nil {
				mu.Lock()
				defer mu.Unlock()
				first = errors.Join(first, err)
			}
		})
	}
	all.Wait()
	return first
}
