package redisbackend

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
)

// An Entry is the place of one value, read back from its name on the server.
type Entry struct {
	Database, Cache string
	Schema          string        // a fingerprint of the shape of the cache's values
	Token           backend.Token // the cache's generation
	Key             string        // the canonical form of key and user context, "" if Digest is not

	// Digest stands for a key that is too long to be kept in a name: SHA-256
	// in unpadded base64url.
	Digest string

	name string // on the server
}

// Is reports whether the entry is that of key, whether or not it is readable.
func (e *Entry) Is(key string) bool {
	if e.Digest == "" {
		return e.Key == key
	}
	sum := sha256.Sum256([]byte(key))
	return e.Digest == base64.RawURLEncoding.EncodeToString(sum[:])
}

// database returns which database key is the hash of.
func (l layout) database(key string) (name string, ok bool) {
	rest, ok1 := strings.CutPrefix(key, l.prefix+":")
	rest, ok2 := strings.CutSuffix(rest, ":@")
	if !ok1 || !ok2 {
		return "", false
	}
	return unescape(rest)
}

// entry takes the key of a value, or of a part of it, apart; it undoes value. It
// reports false for any other key.
func (l layout) entry(key string) (e Entry, ok bool) {
	rest, ok := strings.CutPrefix(key, l.prefix+":")
	if !ok {
		return e, false
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 4 {
		return e, false
	}
	cache, schema, ok := strings.Cut(parts[1], "@")
	if !ok {
		return e, false
	}
	e.name = key
	text := parts[3]
	if isPart(key) {
		text = text[:strings.LastIndexByte(text, '!')]
		text = text[:max(0, strings.LastIndexByte(text, '!'))]
	}
	text, digested := strings.CutPrefix(text, "!")
	if digested {
		e.Digest, text = text, ""
	}
	var token string
	for _, p := range []struct {
		to   *string
		part string
	}{{&e.Database, parts[0]}, {&e.Cache, cache}, {&e.Schema, schema}, {&token, parts[2]}, {&e.Key, text}} {
		if *p.to, ok = unescape(p.part); !ok {
			return e, false
		}
	}
	e.Token = backend.Token(token)
	return e, true
}
