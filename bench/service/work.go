package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A measurement is what the clients of one process have seen.
type measurement struct {
	Reads, Writes []time.Duration // how long each request took
	Stale         int             // reads that returned a version older than one whose commit had returned before they began
	Asked         int64           // how often rows were read from PostgreSQL
}

// A client is a sequence of requests, made before it is played so that to choose rows
// takes no time of the service.
type client struct {
	reads  [][]int64
	writes []int64
	random *rand.Rand

	seen measurement
}

// sequence is after how many requests a client begins anew.
const sequence = 1000

func newClient(s Settings, seed uint64) *client {
	c := &client{random: rand.New(rand.NewPCG(seed, 17))}
	zipf := rand.NewZipf(c.random, s.Skew, 1, uint64(s.Rows-1))
	// Rows that are asked for as often are not neighbours in the table.
	choose := func() int64 { return int64(zipf.Uint64() * 7919 % uint64(s.Rows)) }
	change := choose
	if !s.Hot {
		change = func() int64 { return c.random.Int64N(int64(s.Rows)) }
	}
	for range sequence {
		var ids []int64
		for len(ids) < s.Read {
			if id := choose(); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		c.reads, c.writes = append(c.reads, ids), append(c.writes, change())
	}
	return c
}

// A load is the clients of a process.
type load struct {
	Settings
	service service
	db      *database
	newest  newest
	clients []*client
}

// fill reads all rows once.
func (l *load) fill(ctx context.Context) error {
	var next atomic.Int64
	return l.each(func(c *client) error {
		for {
			from := next.Add(int64(l.Read)) - int64(l.Read)
			var ids []int64
			for id := from; id < from+int64(l.Read) && id < int64(l.Rows); id++ {
				ids = append(ids, id)
			}
			if len(ids) == 0 {
				return nil
			}
			if _, err := l.service.read(ctx, ids); err != nil {
				return err
			}
		}
	})
}

// play has all clients at work, and counts the requests that end within the time that is
// measured.
func (l *load) play(ctx context.Context) (*measurement, error) {
	from := time.Now().Add(l.Warm)
	to := from.Add(l.Time)
	var before atomic.Int64
	timer := time.AfterFunc(l.Warm, func() { before.Store(l.db.asked.Load()) })
	defer timer.Stop()
	if err := l.each(func(c *client) error { return l.client(ctx, c, from, to) }); err != nil {
		return nil, err
	}
	all := &measurement{Asked: l.db.asked.Load() - before.Load()}
	for _, c := range l.clients {
		all.Reads, all.Writes = append(all.Reads, c.seen.Reads...), append(all.Writes, c.seen.Writes...)
		all.Stale += c.seen.Stale
	}
	return all, nil
}

// each runs fn for each client at the same time, and returns an error of one.
func (l *load) each(fn func(c *client) error) error {
	errs := make(chan error, len(l.clients))
	var group sync.WaitGroup
	for _, c := range l.clients {
		group.Go(func() {
			if err := fn(c); err != nil {
				errs <- err
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// client plays the requests of one client.
func (l *load) client(ctx context.Context, c *client, from, to time.Time) error {
	var known []int64
	for i := 0; ; i = (i + 1) % sequence {
		writes := c.random.Float64() < l.Writes
		start, stale := time.Now(), false
		if writes {
			id := c.writes[i]
			version, err := l.service.write(ctx, id)
			if err != nil {
				return err
			}
			l.newest.committed(id, version)
		} else {
			ids := c.reads[i]
			known = l.newest.note(known[:0], ids)
			rows, err := l.service.read(ctx, ids)
			if err != nil {
				return err
			}
			for j, id := range ids {
				r, ok := rows[id]
				if !ok || r.ID != id {
					return fmt.Errorf("row %d was read as %+v", id, r)
				}
				stale = stale || r.Version < known[j]
			}
		}
		switch end := time.Now(); {
		case end.After(to):
			return ctx.Err()
		case end.Before(from):
		case writes:
			c.seen.Writes = append(c.seen.Writes, end.Sub(start))
		default:
			c.seen.Reads = append(c.seen.Reads, end.Sub(start))
			if stale {
				c.seen.Stale++
			}
		}
	}
}
