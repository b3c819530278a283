package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// serverTime is how long the SCAN of a request may keep the server, and how long
	// its UNLINKs may: about, for what they did is only known afterwards.
	serverTime = time.Millisecond

	// A walk begins with small pages and batches. A page has bounds, for it also takes
	// room here and on the wire.
	minPage, maxPage = 128, 4096
	firstBatch       = 8

	// maxUnlink is how many keys an UNLINK may have: a server frees a string
	// where it stands, a quarter of a millisecond for each megabyte.
	maxUnlink = 16
)

// A walk goes over the keys of one node that match a pattern, and removes some.
// It has but one request on its way, of about a millisecond or two of the
// server's time: others are served in between, however large the server is.
type walk struct {
	b       *Backend
	pattern string
	gentle  bool // it rests for as long as it works
	repeat  bool // it looks for what came while it was under way

	// choose returns those keys that are to be removed, in the same array if it likes.
	choose func(ctx context.Context, keys []string) ([]string, error)

	node        redis.Cmdable
	multiKey    bool // an UNLINK may have several keys
	started     time.Time
	page, batch portion // of keys to look at, and to remove, in one request
	cursor      uint64
	ended       bool     // there is no page left
	found       []string // what is still to be removed
	removed     int

	early      int  // how many keys were looked at within the time limit of a call
	secondPass bool // they are being looked at once more
}

// scan lets a copy of w go over every master, and returns how many keys were
// removed.
func (b *Backend) scan(ctx context.Context, w walk) (removed int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	w.b, w.started = b, time.Now()
	w.page = portion{n: minPage, least: minPage, most: maxPage}
	w.batch = portion{n: firstBatch, least: 1, most: maxPage}
	// A cluster takes no keys of several slots in one command, and what wraps
	// a client may be one.
	_, w.multiKey = b.client.(*redis.Client)
	var total atomic.Int64
	run := func(ctx context.Context, node redis.Cmdable, w walk) error {
		w.node = node
		err := w.run(ctx)
		total.Add(int64(w.removed))
		return err
	}
	if b.cluster != nil {
		err = b.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return run(ctx, node, w) })
	} else {
		err = run(ctx, b.client, w)
	}
	if err != nil {
		err = fmt.Errorf("txcache: redis: %w", err)
	}
	return int(total.Load()), err
}

func (w *walk) run(ctx context.Context) error {
	for !w.ended || len(w.found) > 0 {
		start := time.Now()
		var keys []string
		err := w.b.withTimeout(ctx, func(ctx context.Context) (err error) {
			keys, err = w.step(ctx)
			return err
		})
		if err == nil && len(keys) > 0 {
			w.found, err = w.choose(ctx, keys)
		}
		if err == nil && w.gentle {
			err = restSince(ctx, start)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if w.ended && w.repeat && (w.removed > 0 || len(w.found) > 0) {
			w.ended, w.repeat, w.secondPass = false, false, true
		}
	}
	return nil
}

// step removes what it may of what was found and, if that is all of it, returns
// the next page of keys: in one round trip, for that is what it would mostly
// wait for. The server's own clock tells how long it was kept from others,
// however far away it is.
func (w *walk) step(ctx context.Context) (keys []string, err error) {
	now := w.found[:min(w.batch.n, len(w.found))]
	w.found = w.found[len(now):]
	pipe := w.node.Pipeline()
	begin := pipe.Time(ctx)
	w.unlink(ctx, pipe, now)
	middle := pipe.Time(ctx)
	end := middle
	var page *redis.ScanCmd
	if len(w.found) == 0 && !w.ended {
		page = pipe.Scan(ctx, w.cursor, w.pattern, int64(w.page.n))
		end = pipe.Time(ctx)
	}
	cmds, failed := pipe.Exec(ctx)
	spreadError(cmds, failed)
	removed := 0
	for _, cmd := range cmds {
		// A slot that is being moved is left to expire.
		if e := cmd.Err(); e != nil && !redis.HasErrorPrefix(e, "MOVED") && !redis.HasErrorPrefix(e, "ASK") {
			err = errors.Join(err, e)
			break
		}
		if c, ok := cmd.(*redis.IntCmd); ok {
			removed += int(c.Val())
		}
	}
	for _, key := range now { // a value in many parts is one
		if removed > 0 && isPart(key) {
			removed--
		}
	}
	w.removed += removed
	w.b.counters.removed.Add(uint64(removed))
	if err != nil {
		return nil, err
	}
	if len(now) == w.batch.n {
		w.batch.adapt(middle.Val().Sub(begin.Val()))
	}
	if page != nil {
		looked := w.page.n
		w.page.adapt(end.Val().Sub(middle.Val()))
		keys, w.cursor = page.Val()
		w.pageDone(looked)
	}
	return keys, nil
}

// pageDone takes note that a page was looked at, and whether it was the last. What
// was on its way when the walk began has come within the time limit of a call,
// so only what the walk had passed by then needs to be looked at again.
func (w *walk) pageDone(looked int) {
	w.ended = w.cursor == 0
	switch {
	case w.secondPass:
		w.early -= looked
		w.ended = w.ended || w.early <= 0
	case time.Since(w.started) <= w.b.options.Timeout:
		w.early += looked
	}
}

// unlink adds commands that remove keys. For small strings commands of one key
// cost the server twice the time. The more keys go together, the more are in a
// command: they were found to be small.
func (w *walk) unlink(ctx context.Context, pipe redis.Pipeliner, keys []string) {
	each := 1
	if w.multiKey {
		each = max(1, min(maxUnlink, w.batch.n/maxUnlink))
	}
	args := make([]any, 0, len(keys)+len(keys)/each+1)
	cmds := make([]redis.Cmder, 0, len(keys)/each+1)
	for len(keys) > 0 {
		first := len(args)
		args = append(args, "unlink")
		n := min(each, len(keys))
		for i := range n {
			args = append(args, &keys[i]) // a pointer needs no allocation
		}
		keys = keys[n:]
		cmds = append(cmds, redis.NewIntCmd(ctx, args[first:len(args):len(args)]...))
	}
	_ = pipe.BatchProcess(ctx, cmds...) // it is not closed
}

// A portion is how many keys are dealt with at once, so that it takes about as
// long as serverTime.
type portion struct{ n, least, most int }

// adapt takes note that a portion took so long.
func (p *portion) adapt(took time.Duration) {
	switch {
	case took > 2*serverTime:
		p.n = max(p.least, p.n/2)
	case took < serverTime/2:
		p.n = min(p.most, 2*p.n)
	}
}

// restSince waits for as long as has passed since start.
func restSince(ctx context.Context, start time.Time) error {
	timer := time.NewTimer(time.Since(start))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withTimeout calls f with the limit of a call.
func (b *Backend) withTimeout(ctx context.Context, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, b.options.Timeout)
	defer cancel()
	err := f(limited)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return errSlow
	}
	return err
}
