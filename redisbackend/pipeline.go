package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/redis/go-redis/v9"
)

// multiGet is how many values one MGET asks for, so that none keeps the server
// busy for long.
const multiGet = 250

// A get is the reading of one value.
type get struct {
	name string // the key
	data []byte // nil if the key holds no string
	err  error
}

// A pipeline is the commands of a batch. What the batch gets are a few MGETs, which cost the
// server, and the process, a fraction of as many GETs; in a cluster, where the keys may be of several
// slots, each is a GET.
type pipeline struct {
	cmds []redis.Cmder
	gets []*get
	many []*redis.SliceCmd  // MGETs
	each []*redis.StringCmd // or GETs
}

// pipeline returns the commands of batch.
func (l *link) pipeline(batch []*request) *pipeline {
	if len(batch) == 1 && len(batch[0].gets) == 0 {
		return &pipeline{cmds: batch[0].cmds}
	}
	p := &pipeline{}
	for _, r := range batch {
		if len(r.gets) == 0 {
			p.cmds = append(p.cmds, r.cmds...)
		}
	}
	for _, r := range batch { // after what others set, so that nothing is set between a value's time and the value
		if len(r.gets) > 0 {
			p.cmds, p.gets = append(p.cmds, r.cmds...), append(p.gets, r.gets...)
		}
	}
	if len(p.gets) < 2 || l.b.cluster != nil {
		for _, g := range p.gets {
			cmd := redis.NewStringCmd(context.Background(), "get", g.name)
			p.each, p.cmds = append(p.each, cmd), append(p.cmds, cmd)
		}
		return p
	}
	for some := range slices.Chunk(p.gets, multiGet) {
		args := make([]any, 1, 1+len(some))
		args[0] = "mget"
		for _, g := range some {
			args = append(args, g.name)
		}
		cmd := redis.NewSliceCmd(context.Background(), args...)
		p.many, p.cmds = append(p.many, cmd), append(p.cmds, cmd)
	}
	return p
}

// answer gives each get what the server has answered. It reports false if the server has refused an MGET.
func (p *pipeline) answer() (ok bool) {
	for i, cmd := range p.each {
		p.gets[i].data, p.gets[i].err = dataOf(cmd)
	}
	ok = true
	for i, cmd := range p.many {
		some := p.gets[i*multiGet : min((i+1)*multiGet, len(p.gets))]
		values, err := cmd.Result()
		if err != nil {
			ok, err = false, fmt.Errorf("txcache: redis: %w", err)
		}
		for j, g := range some {
			g.data, g.err = nil, err
			if j >= len(values) {
				continue
			}
			if text, is := values[j].(string); is && text != "" {
				g.data = unsafe.Slice(unsafe.StringData(text), len(text)) // nobody else has it, nor writes to it
			} else if is {
				g.data = []byte{}
			}
		}
	}
	return ok
}

// getApart gets what the requests of a batch ask for, with commands of its own for each request, as the server refuses
// the MGET of all. It does so over one key that its user may not read. They go in one pipeline: the others must not wait
// for a round trip of each. // P7
func (l *link) getApart(batch []*request) error {
	var apart []*pipeline
	var cmds []redis.Cmder
	for _, r := range batch {
		if len(r.gets) > 0 {
			p := l.pipeline([]*request{{gets: r.gets}})
			apart, cmds = append(apart, p), append(cmds, p.cmds...)
		}
	}
	if err := l.exec(cmds); err != nil {
		return err
	}
	for _, p := range apart {
		p.answer()
	}
	return nil
}

// dataOf returns the data of the reply to a GET.
func dataOf(cmd *redis.StringCmd) ([]byte, error) {
	data, err := cmd.Bytes()
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil, nil
	}
	return nil, fmt.Errorf("txcache: redis: %w", err)
}
