package redisbackend

import (
	"maps"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// The hash of a database has a log of its last changes, so that a process which is
// behind by a few asks for these, whatever the size of the hash; see
// scripts/database.lua. The log is also where the deletes are kept.

// A logEntry is what one change cleared and deleted.
type logEntry struct {
	version uint64               // of the change
	cleared []backend.Generation // sorted by name, each once
	deleted []backend.Keys       // sorted by cache, each cache once
}

// parseEntry undoes what the script writes into a field w<number>.
func parseEntry(text string) (e logEntry, ok bool) {
	version, items, found := strings.Cut(text, " ")
	if e.version, ok = number(version); !ok || !found {
		return e, false
	}
	cleared, deleted := map[string]backend.Token{}, map[string][]uint64{}
	for item := range strings.SplitSeq(items, " ") {
		if name, token, ok := strings.Cut(item, "@"); ok {
			cache, ok := unescape(name)
			if !ok || token == "" {
				return e, false
			}
			cleared[cache] = backend.Token(token) // the last counts, as in the hash
			continue
		}
		name, hashes, ok := parseDeletes(item)
		if !ok {
			return e, false
		}
		cache, ok := unescape(name)
		if !ok {
			return e, false
		}
		deleted[cache] = append(deleted[cache], hashes...)
	}
	for _, cache := range slices.Sorted(maps.Keys(cleared)) {
		e.cleared = append(e.cleared, backend.Generation{Cache: cache, Token: cleared[cache]})
	}
	for _, cache := range slices.Sorted(maps.Keys(deleted)) {
		slices.Sort(deleted[cache])
		e.deleted = append(e.deleted, backend.Keys{Cache: cache, Hashes: slices.Compact(deleted[cache])})
	}
	return e, true
}

// applyTo makes s, which nobody else knows, show e.
func (e *logEntry) applyTo(s *backend.State) {
	if len(e.cleared) > 0 {
		s.Put(e.cleared)
	}
	e.applyToDeletes(s)
}

// applyToDeletes is applyTo where the generations show e already.
func (e *logEntry) applyToDeletes(s *backend.State) {
	s.Deletes = s.Deletes.Forget(e.cleared...).Add(e.version, e.deleted...)
}

// hashLength is how many of hashDigits the hash of a key has in an item.
const (
	hashLength = 16
	hashDigits = "0123456789abcdef"
)

// parseDeletes takes the item <cache>#<hash>#<hash> apart. The cache's name stays
// escaped. It reports false for any other.
func parseDeletes(item string) (cache string, hashes []uint64, ok bool) {
	i := strings.IndexByte(item, '#')
	if i < 0 || (len(item)-i)%(1+hashLength) != 0 {
		return "", nil, false
	}
	hashes = make([]uint64, 0, (len(item)-i)/(1+hashLength))
	for rest := item[i:]; rest != ""; rest = rest[1+hashLength:] {
		hash := uint64(0)
		for _, digit := range []byte(rest[1 : 1+hashLength]) {
			n := strings.IndexByte(hashDigits, digit)
			if n < 0 {
				return "", nil, false
			}
			hash = hash<<4 | uint64(n)
		}
		if rest[0] != '#' {
			return "", nil, false
		}
		hashes = append(hashes, hash)
	}
	return item[:i], hashes, true
}

// appendDeletes appends an item for each of keys, each after a space.
func appendDeletes(text []byte, keys []backend.Keys) []byte {
	for _, k := range keys {
		if len(k.Hashes) == 0 {
			continue
		}
		text = appendEscaped(append(text, ' '), k.Cache)
		for _, hash := range k.Hashes {
			text = append(text, '#')
			for shift := 60; shift >= 0; shift -= 4 {
				text = append(text, hashDigits[hash>>shift&15])
			}
		}
	}
	return text
}

// A logMark is the field s: it says which entries the log has.
type logMark struct {
	version uint64 // of the last change that the log tells of
	head    uint64 // the last entry
	tail    uint64 // the last entry that was dropped
}

func parseMark(text string) (m logMark, ok bool) {
	parts := strings.Split(text, " ")
	if len(parts) != 4 {
		return m, false
	}
	var count uint64 // for scripts
	for i, n := range []*uint64{&m.version, &m.head, &m.tail, &count} {
		if *n, ok = number(parts[i]); !ok {
			return m, false
		}
	}
	return m, m.tail <= m.head
}

// A logReader takes the log out of a whole hash.
type logReader struct {
	mark    logMark
	entries map[uint64]logEntry
	floors  map[string]uint64
}

func newLogReader() *logReader {
	return &logReader{entries: map[uint64]logEntry{}, floors: map[string]uint64{}}
}

// take takes a field of the hash. It reports false for one that no script wrote.
func (l *logReader) take(field, value string) (ok bool) {
	switch field[0] {
	case 's':
		l.mark, ok = parseMark(value)
	case 'o':
		var cache string
		var floor uint64
		if cache, ok = unescape(field[1:]); ok {
			floor, ok = number(value)
		}
		l.floors[cache] = floor
	case 'w':
		var n uint64
		var e logEntry
		if n, ok = number(field[1:]); ok {
			e, ok = parseEntry(value)
		}
		l.entries[n] = e
	}
	return ok
}

// deletes gives s, a state of that version, the deletes. It reports false if the log is not
// what scripts leave. // P6
func (l *logReader) deletes(s *backend.State, version uint64) bool {
	if uint64(len(l.entries)) != l.mark.head-l.mark.tail {
		return false
	}
	oldest := version
	if len(l.entries) > 0 {
		oldest = l.entries[l.mark.tail+1].version
	}
	for cache, floor := range l.floors {
		if floor > oldest {
			return false
		}
		s.Deletes = s.Deletes.Raise(cache, floor)
	}
	last := uint64(0)
	for n := l.mark.tail + 1; n <= l.mark.head; n++ {
		e, ok := l.entries[n]
		if !ok || e.version <= last || e.version > version {
			return false
		}
		e.applyToDeletes(s)
		last = e.version
	}
	return true
}

// deleted returns what the changes deleted that the log tells of, in their order.
func (l *logReader) deleted() (list []inspect.Deletion) {
	for _, n := range slices.Sorted(maps.Keys(l.entries)) {
		if e := l.entries[n]; len(e.deleted) > 0 {
			list = append(list, inspect.Deletion{Version: e.version, Keys: e.deleted})
		}
	}
	return list
}
