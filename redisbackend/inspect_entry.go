package redisbackend

import (
	"context"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// databaseOf returns which database key is the hash of.
func (l layout) databaseOf(key string) (name string, ok bool) {
	rest, ok1 := strings.CutPrefix(key, l.prefix+":")
	rest, ok2 := strings.CutSuffix(rest, ":@")
	if !ok1 || !ok2 {
		return "", false
	}
	return unescape(rest)
}

// entry takes the key of a value, or of a part of it, apart; it undoes value. It
// reports false for any other key.
func (l layout) entry(key string) (e inspect.Entry, ok bool) {
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
	e.Name = key
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

func (b inspector) Entries(ctx context.Context, database, cache string, visit func(*inspect.Entry) error) error {
	pattern := b.layout.pattern(database)
	if cache != "" {
		pattern = b.layout.prefix + ":" + escape(database) + ":" + escape(cache) + "@*"
	}
	return b.visitKeys(ctx, pattern, func(_ context.Context, keys []string) error {
		for _, key := range keys {
			if e, ok := b.layout.entry(key); ok {
				if err := visit(&e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
