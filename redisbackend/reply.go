package redisbackend

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A reply is what a script tells of the hash of a database.
type reply struct {
	clock   time.Duration // of the server, since 1970
	epoch   backend.Token
	version uint64
	fields  []any // the whole hash, nil if it is what the caller knows
}

// errReply says that a script, or somebody in its place, returned nonsense.
var errReply = errors.New("txcache: redis: unexpected reply of a script")

func parseReply(v any) (r reply, err error) {
	parts, ok := v.([]any)
	if !ok || len(parts) < 3 || len(parts) > 4 {
		return r, errReply
	}
	clock, ok1 := number(parts[0])
	epoch, ok2 := parts[1].(string)
	version, ok3 := number(parts[2])
	if !ok1 || !ok2 || !ok3 || epoch == "" || clock > 1<<52 {
		return r, errReply
	}
	r = reply{clock: time.Duration(clock) * time.Millisecond, epoch: backend.Token(epoch), version: version}
	if len(parts) == 4 {
		if r.fields, ok = parts[3].([]any); !ok || len(r.fields)%2 != 0 {
			return r, errReply
		}
	}
	return r, nil
}

func number(v any) (uint64, bool) {
	text, ok := v.(string)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// state returns the state that the hash describes, without its Version, and
// the longest lease of a fence that stands.
func (r *reply) state() (s *backend.State, lease time.Duration, err error) {
	s = &backend.State{Epoch: r.epoch}
	for i := 0; i < len(r.fields); i += 2 {
		field, ok1 := r.fields[i].(string)
		value, ok2 := r.fields[i+1].(string)
		if !ok1 || !ok2 || field == "" {
			return nil, 0, errReply
		}
		switch {
		case field == "b":
			s.Base = backend.Token(value)
		case field == "f":
			if lease, err = fence(s, value); err != nil {
				return nil, 0, err
			}
		case field[0] == 'c':
			name, ok := unescape(field[1:])
			if !ok || value == "" {
				return nil, 0, errReply
			}
			s.Caches = append(s.Caches, backend.Generation{Cache: name, Token: backend.Token(value)})
		}
	}
	if s.Base == "" {
		return nil, 0, errReply
	}
	slices.SortFunc(s.Caches, func(a, b backend.Generation) int { return cmp.Compare(a.Cache, b.Cache) })
	slices.Sort(s.Fenced)
	s.Fenced = slices.Compact(s.Fenced)
	return s, lease, nil
}

// fence adds the fences of the field f to s: one a line, as scripts/open.lua
// describes them.
func fence(s *backend.State, lines string) (lease time.Duration, err error) {
	for line := range strings.Lines(lines) {
		parts := strings.Fields(line)
		if len(parts) < 4 {
			return 0, errReply
		}
		ms, ok := number(parts[2])
		if !ok || ms > 1<<43 {
			return 0, errReply
		}
		lease = max(lease, time.Duration(ms)*time.Millisecond)
		s.AllFenced = s.AllFenced || parts[3] == "1"
		for _, part := range parts[4:] {
			if name, ok := unescape(part); ok { // else no cache has that name
				s.Fenced = append(s.Fenced, name)
			}
		}
	}
	return lease, nil
}
