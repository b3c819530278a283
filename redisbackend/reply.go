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
	fields  []any  // the whole hash, nil if the caller need not have it
	since   []any  // the entries of the log that the caller lacks, nil if it lacks none, or must have the whole

	serial     uint64 // of the last registration; 0 if a script was not asked
	upTo       uint64 // up to which serial number a change has to wait for members
	members    uint64 // how many others it has to wait for
	unknown    bool   // it has to wait for members that the hash does not know, too
	registered bool   // the request has registered the process
}

// errReply says that a script, or somebody in its place, returned nonsense.
var errReply = errors.New("txcache: redis: unexpected reply of a script")

func parseReply(v any) (r reply, err error) {
	parts, ok := v.([]any)
	if !ok || len(parts) != 8 && len(parts) != 10 {
		return r, errReply
	}
	epoch, ok1 := parts[0].(string)
	version, ok2 := number(parts[1])
	fences, ok3 := parts[2].(string)
	serial, ok4 := number(parts[3])
	upTo, ok5 := number(parts[4])
	members, ok6 := number(parts[5])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || epoch == "" || serial == 0 {
		return r, errReply
	}
	r = reply{
		epoch: backend.Token(epoch), version: version, fences: fences,
		serial: serial, upTo: upTo, members: members, unknown: parts[6] == "1", registered: parts[7] == "1",
	}
	if len(parts) == 10 {
		more, ok := parts[9].([]any)
		switch {
		case ok && parts[8] == "since":
			r.since = more
		case ok && parts[8] == "whole" && len(more)%2 == 0:
			r.fields = more
		default:
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
func (r *reply) state() (s *backend.State, log *logReader, runUnknown bool, err error) {
	s, log = &backend.State{Number: r.version, Epoch: r.epoch}, newLogReader()
	run := ""
	for i := 0; i < len(r.fields); i += 2 {
		field, ok1 := r.fields[i].(string)
		value, ok2 := r.fields[i+1].(string)
		if !ok1 || !ok2 || field == "" {
			return nil, nil, false, errReply
		}
		switch {
		case field == "b":
			s.Base = backend.Token(value)
		case field == "r":
			run = value
		case field == "f":
			if err = fences(s, value); err != nil {
				return nil, nil, false, err
			}
		case field == "s", field[0] == 'o', field[0] == 'w':
			if !log.take(field, value) {
				return nil, nil, false, errReply
			}
		case field[0] == 'c':
			name, ok := unescape(field[1:])
			if !ok || value == "" {
				return nil, nil, false, errReply
			}
			s.Caches = append(s.Caches, backend.Generation{Cache: name, Token: backend.Token(value)})
		}
	}
	if s.Base == "" {
		return nil, nil, false, errReply
	}
	slices.SortFunc(s.Caches, func(a, b backend.Generation) int { return cmp.Compare(a.Cache, b.Cache) })
	if !log.deletes(s, r.version) {
		return nil, nil, false, errReply
	}
	id, born, _ := strings.Cut(run, "/")
	return s, log, id == "" || born == "", nil
}

// stateSince returns last with what has changed since, without its Version. seq is the
// last entry of the log that last shows, and then the last that the state shows.
func (r *reply) stateSince(last *backend.State, seq uint64) (*backend.State, uint64, error) {
	s := *last
	s.Version, s.Number = 0, r.version
	s.Fenced, s.FencedKeys, s.AllFenced = nil, nil, false
	before := last.Number
	for _, v := range r.since {
		text, ok := v.(string)
		if !ok {
			return nil, 0, errReply
		}
		e, ok := parseEntry(text)
		if !ok || e.version <= before || e.version > r.version {
			return nil, 0, errReply
		}
		e.applyTo(&s)
		before = e.version
		seq++
	}
	if err := fences(&s, r.fences); err != nil {
		return nil, 0, err
	}
	return &s, seq, nil
}

// fences gives s the fences of the field f: one a line, as scripts/database.lua
// describes them.
func fences(s *backend.State, lines string) error {
	for line := range strings.Lines(lines) {
		if _, ok := fenceTTL(line); !ok {
			return errReply
		}
		parts := strings.Fields(line)
		s.AllFenced = s.AllFenced || parts[3] == "1"
		for _, part := range parts[4:] {
			keys, ok := fenced(part)
			switch {
			case !ok: // no cache has that name
			case keys.Hashes == nil:
				s.Fenced = append(s.Fenced, keys.Cache)
			default:
				s.FencedKeys = append(s.FencedKeys, keys)
			}
		}
	}
	slices.Sort(s.Fenced)
	s.Fenced = slices.Compact(s.Fenced)
	return nil
}

// fenced returns what an item of a fence names: a cache, or, if it has hashes, keys.
func fenced(item string) (keys backend.Keys, ok bool) {
	name, hashes, ok := parseDeletes(item)
	if !ok {
		name = item
	}
	slices.Sort(hashes)
	keys.Hashes = slices.Compact(hashes)
	keys.Cache, ok = unescape(name)
	return keys, ok
}
