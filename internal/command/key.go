package command

import (
	"net/netip"
	"reflect"
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
	list = add(list, word, signed[int])
	list = add(list, word, signed[int8])
	list = add(list, word, signed[int16])
	list = add(list, word, signed[int32])
	list = add(list, word, signed[int64])
	list = add(list, word, unsigned[uint])
	list = add(list, word, unsigned[uint8])
	list = add(list, word, unsigned[uint16])
	list = add(list, word, unsigned[uint32])
	list = add(list, word, unsigned[uint64])
	if word == "true" || word == "false" { // and not what else ParseBool takes
		list = add(list, word, strconv.ParseBool)
	}
	list = add(list, word, float[float32])
	list = add(list, word, float[float64])
	list = add(list, word, netip.ParseAddr)
	list = add(list, word, netip.ParseAddrPort)
	return add(list, word, netip.ParsePrefix)
}

// add appends the key that parse makes of word, if it is one.
func add[K comparable](list []candidate, word string, parse func(string) (K, error)) []candidate {
	if key, err := parse(word); err == nil && key == key { // NaN is no key
		list = append(list, candidate{reflect.TypeFor[K]().String(), text(key)})
	}
	return list
}

func signed[K int | int8 | int16 | int32 | int64](word string) (K, error) {
	i, err := strconv.ParseInt(word, 10, reflect.TypeFor[K]().Bits())
	return K(i), err
}

func unsigned[K uint | uint8 | uint16 | uint32 | uint64](word string) (K, error) {
	u, err := strconv.ParseUint(word, 10, reflect.TypeFor[K]().Bits())
	return K(u), err
}

func float[K float32 | float64](word string) (K, error) {
	f, err := strconv.ParseFloat(word, reflect.TypeFor[K]().Bits())
	return K(f), err
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
	text    string // the canonical form of the key, "" if it is not known
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
			return variant{kind: c.kind, text: c.text}, true
		}
		if e.Is("~" + c.text + "~") {
			return variant{kind: c.kind, context: true, text: c.text}, true
		}
		user, ok := strings.CutPrefix(e.Key, "~"+c.text+"~")
		if ok && len(user) == contextDigest && !strings.Contains(user, "~") {
			return variant{kind: c.kind, context: true, user: user, text: c.text}, true
		}
	}
	return variant{}, false
}
