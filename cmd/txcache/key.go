package main

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A candidate is a key that a word on the command line may stand for.
type candidate struct {
	kind string // the Go type of the key
	text string // its canonical form
}

// The kinds of keys that were given in their canonical form, and as the digest of
// key and user context under which a long one is kept.
const (
	canonical = "canonical"
	digested  = "digest"
)

// candidates returns every key that word may stand for: a cache of numbers and
// one of strings may both know 42. The canonical form itself, such as i64.42, is
// taken too: it names one kind, and is the only way to name a key that is kept as
// a digest.
func candidates(word string) []candidate {
	list := []candidate{{"string", text(word)}, {canonical, word}}
	list = append(list, integers(word)...)
	if word == "true" || word == "false" {
		list = append(list, candidate{"bool", text(word == "true")})
	}
	if f, err := strconv.ParseFloat(word, 32); err == nil && f == f {
		list = append(list, candidate{"float32", text(float32(f))})
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil && f == f {
		list = append(list, candidate{"float64", text(f)})
	}
	if a, err := netip.ParseAddr(word); err == nil {
		list = append(list, candidate{"netip.Addr", text(a)})
	}
	if a, err := netip.ParseAddrPort(word); err == nil {
		list = append(list, candidate{"netip.AddrPort", text(a)})
	}
	if a, err := netip.ParsePrefix(word); err == nil {
		list = append(list, candidate{"netip.Prefix", text(a)})
	}
	return list
}

func integers(word string) (list []candidate) {
	add := func(kind string, bits int, text func(int64) string) {
		if i, err := strconv.ParseInt(word, 10, bits); err == nil {
			list = append(list, candidate{kind, text(i)})
		}
	}
	add("int", strconv.IntSize, func(i int64) string { return text(int(i)) })
	add("int8", 8, func(i int64) string { return text(int8(i)) })
	add("int16", 16, func(i int64) string { return text(int16(i)) })
	add("int32", 32, func(i int64) string { return text(int32(i)) })
	add("int64", 64, func(i int64) string { return text(i) })
	unsigned := func(kind string, bits int, text func(uint64) string) {
		if u, err := strconv.ParseUint(word, 10, bits); err == nil {
			list = append(list, candidate{kind, text(u)})
		}
	}
	unsigned("uint", strconv.IntSize, func(u uint64) string { return text(uint(u)) })
	unsigned("uint8", 8, func(u uint64) string { return text(uint8(u)) })
	unsigned("uint16", 16, func(u uint64) string { return text(uint16(u)) })
	unsigned("uint32", 32, func(u uint64) string { return text(uint32(u)) })
	unsigned("uint64", 64, func(u uint64) string { return text(u) })
	return list
}

// text returns the canonical form of key, which must be stable.
func text[K comparable](key K) string {
	keys, err := canon.NewKeys[K]()
	if err != nil {
		return "" // none of the kinds above
	}
	return keys.Text(key)
}

// A variant is under which key, and for whom, a value is kept.
type variant struct {
	kind    string
	context bool   // the cache depends on the user context
	user    string // the digest of that, "" if it is empty
}

// contextDigest is the length of the digest of a user context.
const contextDigest = 43

// variantOf returns what e is of the candidates. A cache that depends on the user
// context puts a tilde before the key's text, and another one with a digest of
// the context behind it; no text begins with a tilde, and no digest has one.
func variantOf(e *inspect.Entry, list []candidate) (variant, bool) {
	for _, c := range list {
		if digest, ok := strings.CutPrefix(c.text, "!"); ok && c.kind == canonical && e.Digest != "" && e.Digest == digest {
			return variant{kind: digested}, true
		}
		if e.Is(c.text) {
			return variant{kind: c.kind}, true
		}
		if e.Is("~" + c.text + "~") {
			return variant{kind: c.kind, context: true}, true
		}
		user, ok := strings.CutPrefix(e.Key, "~"+c.text+"~")
		if ok && len(user) == contextDigest && !strings.Contains(user, "~") {
			return variant{kind: c.kind, context: true, user: user}, true
		}
	}
	return variant{}, false
}
