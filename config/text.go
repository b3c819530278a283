package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/seed-dad15c92/txcache/internal/limits"
)

// hidden stands for what is not to be seen.
const hidden = "***"

// String returns the configuration in effect as TOML, the password and the
// credentials in the URI hidden. The sections that backends of one's own read
// are not shown, as nobody here knows what in them is secret.
func (c Config) String() string {
	c.Class, c.Prefix = literal(c.Class), literal(c.Prefix)
	c.Sync, c.Outage = Sync(literal(string(c.Sync))), Outage(literal(string(c.Outage)))
	keys := make([]string, len(c.ContextIgnoredKeys))
	for i, key := range c.ContextIgnoredKeys {
		keys[i] = literal(key)
	}
	c.ContextIgnoredKeys = keys
	if c.Sync == SyncLease {
		c.Redis.Wait = cmp.Or(c.Redis.Wait, limits.DefaultWait)
		c.Redis.Term = cmp.Or(c.Redis.Term, c.Redis.Wait/2)
	}
	c.Memory = cmp.Or(c.Memory, defaultMemory)
	c.Redis, c.SQL = c.Redis.safe(), c.SQL.safe()
	return encode(map[string]any{"cache": c})
}

// String returns the configuration as the table [cache.redis], the password and
// the credentials in the URI hidden.
func (r Redis) String() string {
	return encode(map[string]any{"cache": map[string]any{"redis": r.safe()}})
}

// safe returns r as a file may show it.
func (r Redis) safe() Redis {
	if at, wrong := locate(r.URI); wrong == "" {
		r.URI = literal(at.shown)
	} else if r.URI != "" {
		r.URI = hidden
	}
	if r.Password != "" {
		r.Password = hidden
	}
	if r.LargestValue == 0 {
		r.LargestValue = defaultLargestValue
	}
	for _, s := range []*string{&r.CAFile, &r.CertFile, &r.KeyFile, &r.ServerName, &r.Username} {
		*s = literal(*s)
	}
	return r
}

func encode(v any) string {
	var b strings.Builder
	e := toml.NewEncoder(&b)
	e.Indent = ""
	e.Encode(v) // cannot fail: TOML has all these types, and a Builder takes everything
	return b.String()
}

// The methods below have value receivers, as String has, so that no way of
// printing a value or a pointer goes around them.

// GoString returns String, for %#v.
func (c Config) GoString() string { return c.String() }

// GoString returns String, for %#v.
func (r Redis) GoString() string { return r.String() }

// Format writes String, whatever the verb: those that a Stringer does not
// cover, such as %d, would show the fields. Only %p and %w, which are wrong for
// a Config and refused by go vet, do not come here and do show them.
func (c Config) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// Format writes String, whatever the verb.
func (r Redis) Format(s fmt.State, _ rune) { io.WriteString(s, r.String()) }

// LogValue returns String, for package slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// LogValue returns String, for package slog.
func (r Redis) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON returns String as a JSON string: a handler of slog marshals what
// it finds within other values.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// MarshalJSON returns String as a JSON string.
func (r Redis) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }
