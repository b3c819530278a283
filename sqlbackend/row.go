package sqlbackend

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/seed-dad15c92/txcache/backend"
)

// mask makes sums ones of 62 bits, as those of backend.Sums.
const mask = 1<<62 - 1

// A sum is how many clears there were, and the sum of their numbers modulo 2⁶².
type sum struct{ n, numbers uint64 }

func (s sum) plus(t sum) sum { return sum{s.n + t.n, (s.numbers + t.numbers) & mask} }

func (s sum) minus(t sum) sum { return sum{s.n - t.n, (s.numbers - t.numbers) & mask} }

// token returns the token of a generation that was started by these clears.
func (s sum) token() backend.Token {
	b := strconv.AppendUint(nil, s.n, 36)
	return backend.Token(strconv.AppendUint(append(b, '-'), s.numbers, 36))
}

// sumOf returns the sum that a token is of, and whether it is of one.
func sumOf(t backend.Token) (s sum, ok bool) {
	n, numbers, ok := strings.Cut(string(t), "-")
	var err, err2 error
	s.n, err = strconv.ParseUint(n, 36, 64)
	s.numbers, err2 = strconv.ParseUint(numbers, 36, 64)
	return s, ok && err == nil && err2 == nil
}

// A place is a key of a cache, by its hash, or a group of its keys, by its number.
type place struct {
	cache string
	hash  uint64
	group bool
}

// A content is what a row, or several, have cleared and deleted.
type content struct {
	caches map[string]sum // "": all caches
	keys   map[place]uint64
	of     []int64 // tokens of rows that it is the sum of
}

func newContent() *content { return &content{caches: map[string]sum{}, keys: map[place]uint64{}} }

func (c *content) len() int { return len(c.caches) + len(c.keys) }

func (c *content) add(o *content) {
	for cache, s := range o.caches {
		c.caches[cache] = c.caches[cache].plus(s)
	}
	for at, number := range o.keys {
		c.keys[at] = (c.keys[at] + number) & mask
	}
}

func (c *content) subtract(o *content) {
	for cache, s := range o.caches {
		c.caches[cache] = c.caches[cache].minus(s)
	}
	for at, number := range o.keys {
		c.keys[at] = (c.keys[at] - number) & mask
	}
}

// A row is one of the table. Its content is parsed when it is needed.
type row struct {
	token  int64
	n      int64
	clears string

	parsed *content
	err    error
}

// sum returns what the row adds to the sum of a set of rows, by which a fold of them is known. A row counts at least once,
// whatever its n.
func (r *row) sum() sum {
	s := sum{1, uint64(r.token) & mask}
	if r.packed() && r.n > 1 {
		s.n = uint64(r.n)
	}
	return s
}

// packed reports whether the row is the sum of others.
func (r *row) packed() bool { return strings.HasPrefix(r.clears, "{") }

// content returns what is in the row, which must not be changed. One goroutine calls it at a time.
func (r *row) content() (*content, error) {
	if r.parsed == nil && r.err == nil {
		if r.packed() {
			r.parsed, r.err = parseSums(r.clears)
		} else {
			r.parsed, r.err = parseClears(r.clears, uint64(r.token)&mask)
		}
		if r.packed() && r.n < 1 {
			r.parsed, r.err = nil, errors.New("n is not positive")
		}
	}
	return r.parsed, r.err
}

// parseClears reads the row of one transaction: an array of the names of caches,
// and of objects that have the hashes of keys by cache.
func parseClears(text string, number uint64) (*content, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal([]byte(text), &elements); err != nil {
		return nil, err
	}
	if elements == nil {
		return nil, errors.New("null is no array")
	}
	c := newContent()
	for _, element := range elements {
		switch element[0] {
		case '"':
			var cache string
			if err := json.Unmarshal(element, &cache); err != nil {
				return nil, err
			}
			c.caches[cache] = c.caches[cache].plus(sum{1, number})
		case '{':
			var keys map[string][]string
			if err := json.Unmarshal(element, &keys); err != nil {
				return nil, err
			}
			for cache, hashes := range keys {
				for _, h := range hashes {
					hash, err := parseHash(h)
					if err != nil {
						return nil, err
					}
					at := place{cache, hash, false}
					c.keys[at] = (c.keys[at] + number) & mask
				}
			}
		default:
			return nil, fmt.Errorf("%.20s is neither the name of a cache nor keys", element)
		}
	}
	return c, nil
}

func parseHash(text string) (uint64, error) {
	if len(text) != 16 {
		return 0, fmt.Errorf("%.20q is no hash of 16 hexadecimal digits", text)
	}
	return strconv.ParseUint(text, 16, 64)
}

// parseSums reads a packed row: an object that has for each cache its sum, and may have
// those of its keys and groups.
func parseSums(text string) (*content, error) {
	var caches map[string]packedCache
	if err := json.Unmarshal([]byte(text), &caches); err != nil {
		return nil, err
	}
	c := newContent()
	for cache, p := range caches {
		if p.sum != (sum{}) {
			c.caches[cache] = p.sum
		}
		for hash, number := range p.keys {
			h, err := parseHash(hash)
			if err != nil {
				return nil, err
			}
			c.keys[place{cache, h, false}] = number
		}
		if p.of != nil && cache != "" {
			return nil, fmt.Errorf("%.20q has the tokens of rows", cache)
		}
		c.of = append(c.of, p.of...)
		for group, number := range p.groups {
			g, err := strconv.ParseUint(group, 10, 64)
			if err != nil || g >= backend.Groups {
				return nil, fmt.Errorf("%.20q is no group", group)
			}
			c.keys[place{cache, g, true}] = number
		}
	}
	return c, nil
}

type packedCache struct {
	sum
	keys, groups map[string]uint64
	of           []int64
}

// UnmarshalJSON reads [n, sum], [n, sum, keys], [n, sum, keys, groups] or [n, sum, keys, groups, tokens].
func (p *packedCache) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) < 2 || len(parts) > 5 {
		return fmt.Errorf("a sum has %d parts", len(parts))
	}
	into := []any{&p.n, &p.numbers, &p.keys, &p.groups, &p.of}
	for i, part := range parts {
		if string(part) == "null" {
			return errors.New("a part of a sum is null")
		}
		if err := json.Unmarshal(part, into[i]); err != nil {
			return err
		}
	}
	if p.numbers > mask {
		return errors.New("a sum has more than 62 bits")
	}
	for _, numbers := range []map[string]uint64{p.keys, p.groups} {
		for _, number := range numbers {
			if number > mask {
				return errors.New("a sum has more than 62 bits")
			}
		}
	}
	return nil
}

// clearsOf returns what the row of a transaction has of f.
func clearsOf(f backend.Fence) string {
	b := []byte{'['}
	comma := func() {
		if len(b) > 1 {
			b = append(b, ',')
		}
	}
	if f.All {
		b = append(b, `""`...)
	} else {
		for _, g := range f.Caches {
			comma()
			b = appendString(b, g.Cache)
		}
	}
	if slices.ContainsFunc(f.Keys, func(k backend.Keys) bool { return len(k.Hashes) > 0 }) {
		comma()
		b = append(b, '{')
		first := true
		for _, k := range f.Keys {
			if len(k.Hashes) == 0 {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(appendString(b, k.Cache), ":["...)
			for i, hash := range k.Hashes {
				if i > 0 {
					b = append(b, ',')
				}
				b = fmt.Appendf(b, `"%016x"`, hash)
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	return string(append(b, ']'))
}

// pack returns c as a packed row has it, always in the same way.
func (c *content) pack() string {
	keys := map[string][]place{}
	for at, number := range c.keys {
		if number != 0 {
			keys[at.cache] = append(keys[at.cache], at)
		}
	}
	names := map[string]bool{}
	for cache, s := range c.caches {
		if s != (sum{}) {
			names[cache] = true
		}
	}
	for cache := range keys {
		names[cache] = true
	}
	if len(c.of) > 0 {
		names[""] = true
	}
	b := []byte{'{'}
	for _, cache := range slices.Sorted(maps.Keys(names)) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		s := c.caches[cache]
		b = fmt.Appendf(appendString(b, cache), ":[%d,%d", s.n, s.numbers)
		places, of := keys[cache], cache == "" && len(c.of) > 0
		if len(places) > 0 || of {
			slices.SortFunc(places, func(p, q place) int { return cmp.Compare(p.hash, q.hash) })
			b = c.appendPlaces(b, places, false, "%016x")
			if of || slices.ContainsFunc(places, func(p place) bool { return p.group }) {
				b = c.appendPlaces(b, places, true, "%d")
			}
		}
		if of {
			b = append(b, ",["...)
			for i, token := range c.of {
				if i > 0 {
					b = append(b, ',')
				}
				b = strconv.AppendInt(b, token, 10)
			}
			b = append(b, ']')
		}
		b = append(b, ']')
	}
	return string(append(b, '}'))
}

func (c *content) appendPlaces(b []byte, places []place, group bool, format string) []byte {
	b = append(b, ",{"...)
	first := true
	for _, at := range places {
		if at.group != group {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(fmt.Appendf(append(b, '"'), format, at.hash), '"', ':')
		b = strconv.AppendUint(b, c.keys[at], 10)
	}
	return append(b, '}')
}

// appendString appends s in JSON of ASCII characters, which no connection changes.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r < 0x7f:
			b = append(b, byte(r))
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		}
	}
	return append(b, '"')
}

func digest(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}
