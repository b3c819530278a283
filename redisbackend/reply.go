package redisbackend

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
)

// A reply is what a script tells of the hash of a database.
type reply struct {
	epoch   backend.Token
	version uint64
	fences  string // those that stand, one a line
	fields  []any  // the whole hash, nil if it is what the caller knows
}

// errReply says that a script, or somebody in its place, returned nonsense.
var errReply = errors.New("txcache: redis: unexpected reply of a script")

func parseReply(v any) (r reply, err error) {
	parts, ok := v.([]any)
	if !ok || len(parts) < 3 || len(parts) > 4 {
		return r, errReply
	}
	epoch, ok1 := parts[0].(string)
	version, ok2 := number(parts[1])
	fences, ok3 := parts[2].(string)
	if !ok1 || !ok2 || !ok3 || epoch == "" {
		return r, errReply
	}
	r = reply{epoch: backend.Token(epoch), version: version, fences: fences}
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

// state returns the state that the hash describes, without its Version.
// runUnknown says that the server that wrote it does not tell one run from another.
func (r *reply) state() (s *backend.State, runUnknown bool, err error) {
	s = &backend.State{Epoch: r.epoch}
	run := ""
	for i := 0; i < len(r.fields); i += 2 {
		field, ok1 := r.fields[i].(string)
		value, ok2 := r.fields[i+1].(string)
		if !ok1 || !ok2 || field == "" {
			return nil, false, errReply
		}
		switch {
		case field == "b":
			s.Base = backend.Token(value)
		case field == "r":
			run = value
		case field == "f":
			if err = fences(s, value); err != nil {
				return nil, false, err
			}
		case field[0] == 'c':
			name, ok := unescape(field[1:])
			if !ok || value == "" {
				return nil, false, errReply
			}
			s.Caches = append(s.Caches, backend.Generation{Cache: name, Token: backend.Token(value)})
		}
	}
	if s.Base == "" {
		return nil, false, errReply
	}
	slices.SortFunc(s.Caches, func(a, b backend.Generation) int { return cmp.Compare(a.Cache, b.Cache) })
	slices.Sort(s.Fenced)
	s.Fenced = slices.Compact(s.Fenced)
	id, born, _ := strings.Cut(run, "/")
	return s, id == "" || born == "", nil
}

// fences adds the fences of the field f to s: one a line, as scripts/database.lua
// describes them.
func fences(s *backend.State, lines string) error {
	for line := range strings.Lines(lines) {
		if _, ok := fenceTTL(line); !ok {
			return errReply
		}
		parts := strings.Fields(line)
		s.AllFenced = s.AllFenced || parts[3] == "1"
		for _, part := range parts[4:] {
			if name, ok := unescape(part); ok { // else no cache has that name
				s.Fenced = append(s.Fenced, name)
			}
		}
	}
	return nil
}
