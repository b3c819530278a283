package redisbackend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// Swap changes values that are as expected, in one round trip to each server
// unless they are many.
func (b *Backend) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	called := b.now()
	found := make([][]byte, len(swaps))
	for start := 0; start < len(swaps); {
		end, bytes := start, 0
		for end < len(swaps) && end-start < batchSize && (bytes <= batchBytes || end == start) {
			bytes += min(partSize, len(swaps[end].Old)) + min(partSize, len(swaps[end].New))
			end++
		}
		if err := b.swapSome(ctx, swaps[start:end], found[start:end], called); err != nil {
			return nil, err
		}
		start = end
	}
	return found, nil
}

// A swap is one call of the script: its arguments, and what it found.
type swap struct {
	name     string
	old, new []byte // as the server keeps them
	ms       int64
	cmd      *redis.Cmd
	found    []byte // as the server keeps it
}

// swapSome makes swaps in one round trip to each server, and fills found.
func (b *Backend) swapSome(ctx context.Context, swaps []backend.Swap, found [][]byte, called time.Duration) error {
	all := make([]*swap, len(swaps))
	for i := range swaps {
		s := &swaps[i]
		one := &swap{name: b.layout.value(&s.Key), old: stored(s.Old), new: s.New, ms: max(1, (b.ttl(s.TTL) - b.elapsed(called)).Milliseconds())}
		all[i] = one
		if divided(s.New) {
			if len(s.New) > b.options.LargestValue {
				return fmt.Errorf("txcache: redis: a value of %d bytes is larger than the largest that is kept, of %d", len(s.New), b.options.LargestValue)
			}
			var err error
			if one.new, err = b.put(ctx, one.name, s.New, one.ms); err != nil {
				return err
			}
		}
	}
	for i, one := range all { // the parts of all of them have been sent by now
		one.ms = max(1, (b.ttl(swaps[i].TTL) - b.elapsed(called)).Milliseconds())
	}
	if err := b.swapAll(ctx, all); err != nil {
		return err
	}
	for i, one := range all {
		switch {
		case !summarized(one.found):
			found[i] = one.found
			continue
		case bytes.Equal(one.found, one.old):
			found[i] = bytes.Clone(swaps[i].Old) // it was done
			continue
		}
		var err error
		if found[i], err = b.assemble(ctx, one.name, one.found); err == nil && found[i] != nil || one.old != nil {
			continue
		}
		// Parts are missing, so that there is nothing: what was to take the place
		// of nothing takes the place of what is left.
		one.old = one.found
		if err := b.swapAll(ctx, all[i:i+1]); err != nil {
			return err
		}
		if found[i] = nil; !bytes.Equal(one.found, one.old) {
			found[i] = one.found
		}
	}
	return nil
}

// swapAll runs the script for each of swaps. Its text is sent once to each
// server that does not know it, and by digest otherwise.
func (b *Backend) swapAll(ctx context.Context, swaps []*swap) error {
	for tries := 0; len(swaps) > 0; tries++ {
		names := make([]string, len(swaps))
		cmds := make([]redis.Cmder, len(swaps))
		sent := map[*link]bool{} // the text of the script
		bytes := 0
		for i, s := range swaps {
			command := swapScript.cached
			if tries > 0 {
				if l := b.links.of(s.name); !sent[l] {
					command, sent[l] = swapScript.command, true
				}
			}
			s.cmd = command(s.name, optional(s.old), optional(s.new), s.ms)
			names[i], cmds[i] = s.name, s.cmd
			bytes += len(s.old) + len(s.new)
		}
		if err := b.scatter(ctx, names, cmds, bytes/len(swaps)); err != nil {
			return err
		}
		var unknown []*swap // to the server
		for _, s := range swaps {
			text, err := s.cmd.Text()
			switch {
			case err == nil:
				s.found = []byte(text)
			case errors.Is(err, redis.Nil):
				s.found = nil
			case redis.HasErrorPrefix(err, "NOSCRIPT") && tries < maxTries:
				unknown = append(unknown, s)
			default:
				return fmt.Errorf("txcache: redis: %w", err)
			}
		}
		swaps = unknown
	}
	return nil
}

// optional tells data from nothing, for a script.
func optional(data []byte) string {
	if data == nil {
		return ""
	}
	return "+" + string(data)
}
