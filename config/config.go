// Package config reads the configuration of a cache from a strict TOML file.
//
// A file says all that it says correctly, or it is refused: an unknown key, a
// wrong type, a duration without a unit or settings that cannot go together
// are errors that name the file, the line, the key, what was found and what was
// expected. All of them are reported at once, one a line, in the order of the
// file. No error and no textual form of a [Config] shows a password.
//
// In every string of the file, ${NAME} stands for the environment variable
// NAME, which must be set; a literal ${ is written $${. In the user, the password
// and the query of the URI of Redis it stands for just that, whatever characters
// it has: nothing in it needs an encoding. Keys are case-sensitive.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"time"
)

// The classes of the backends that come with txcache. Each can also be given
// as the import path of its package.
const (
	ClassMemory = "memory"
	ClassRedis  = "redis"
	ClassSQL    = "sql"
)

const modulePath = "github.com/seed-dad15c92/txcache/"

var builtin = []string{
	ClassMemory, modulePath + "memorybackend",
	ClassRedis, modulePath + "redisbackend",
	ClassSQL, modulePath + "sqlbackend",
}

// A Config is the whole configuration of a store. It comes from [Load], [Parse]
// or [Default]; the zero Config is not valid. One that was made from Default by
// changing fields is as good as one from a file, but has no sections.
//
// Its fields may be read by several goroutines at once, as long as none changes
// them. Printing it hides the password and the credentials in the URI. An
// unexported field of another struct should hold it by pointer: package fmt
// prints such fields without asking them. Likewise it asks nobody for %p and %w.
type Config struct {
	// Class names the backend: ClassMemory (the default), ClassRedis, ClassSQL, or what
	// a backend of one's own was registered as.
	Class string `toml:"class"`

	// Prefix is the first part of every key outside of the process, one for
	// each deployment, of at most 8192 bytes. Default "txcache".
	Prefix string `toml:"prefix"`

	// Size is how many values the process keeps for each cache and database:
	// 1 or more; the largest int stands for no limit. Default 1024.
	Size int `toml:"size"`

	// OverlaySize is how many values of one cache a transaction keeps to itself
	// until it ends. Default 0, which is 65536, or the cache's size if that is more.
	OverlaySize int `toml:"overlay_size"`

	// Memory is how much the values in the process may take, of all databases together,
	// by an estimate. Default "", which stands for "25%".
	Memory Memory `toml:"memory"`

	// Sync says how servers learn of each other's clears. Default SyncBegin.
	Sync Sync `toml:"sync"`

	// Outage says what becomes of a commit whose clear cannot be announced.
	// Default OutageRefuse.
	Outage Outage `toml:"outage"`

	// ContextIgnoredKeys are the keys of a user context that make no
	// difference to any cache. Default none.
	ContextIgnoredKeys []string `toml:"context_ignored_keys,omitempty"`

	// Sizes is Size for single caches, by name. Default none.
	Sizes map[string]int `toml:"sizes,omitempty"`

	// Redis is the configuration of the Redis backend. It is checked whatever
	// the class is, so that changing the class is all it takes to change.
	Redis Redis `toml:"redis"`

	// SQL is the configuration of class "sql". It is checked whatever the class is; only
	// that class needs it.
	SQL SQL `toml:"sql,omitempty"`

	doc *document // what the file says; nil without a file
}

// Default returns the configuration of an empty file. The caller owns it.
func Default() *Config {
	return &Config{
		Class:  ClassMemory,
		Prefix: "txcache",
		Size:   1024,
		Sync:   SyncBegin,
		Outage: OutageRefuse,
		Sizes:  map[string]int{},
		Redis: Redis{
			URI:         "redis://localhost:6379/0",
			Duration:    12 * time.Hour,
			Fence:       time.Minute,
			Near:        true,
			DialTimeout: 200 * time.Millisecond,
			Timeout:     500 * time.Millisecond,
		},
	}
}

// Load reads the file at path. Besides the errors of [Parse] it returns those
// of opening the file, for errors.Is.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("txcache: %w", err)
	}
	defer f.Close()
	return Parse(f, path)
}

// maxFile bounds what Parse reads, in bytes: a caller that gives it a device or a
// database dump gets an error rather than an exhausted memory.
const maxFile = 256 << 10

// Parse reads a configuration from r. The name stands for the file in errors.
//
// Where the file is not TOML, its first syntax error is returned; else an error
// that joins all problems found in it, each a line of its own.
func Parse(r io.Reader, name string) (*Config, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("txcache: %s: %w", name, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("txcache: %s: the file is too large for a configuration; expected at most %d bytes", name, maxFile)
	}
	doc, found, err := newDocument(bytes.TrimPrefix(text, []byte("\ufeff")), name)
	if err != nil {
		return nil, err
	}

	c := Default()
	c.doc = doc
	file := struct {
		Cache *Config `toml:"cache"`
	}{c}
	d := decoder{problems: found, takes: c.takes, elsewhere: allKeys()}
	d.decode(doc.root, reflect.ValueOf(&file).Elem())
	wrong := c.problems()
	if slices.Contains(builtin, c.Class) {
		for _, n := range doc.sections {
			p := d.unknown(n, keysOf(reflect.TypeFor[Config]()))
			p.keys = append(p.keys, "cache.class")
			wrong = append(wrong, p)
		}
	}
	d.problems = append(d.problems, wrong.about(d.problems)...)
	if err := doc.error(d.problems); err != nil {
		return nil, err
	}
	return c, nil
}

// takes keeps a table of [cache] that no field knows for Section.
func (c *Config) takes(n *node) bool {
	if n.parent != c.doc.root.table["cache"] || n.table == nil {
		return false
	}
	c.doc.sections = append(c.doc.sections, n)
	return true
}

// Validate reports every value that cannot be, and every two that cannot go
// together, by key, each in a line of its own. Load and Parse have called it; a
// caller that opens a Config that may not come from them must call it again.
func (c *Config) Validate() error {
	var errs []error
	for _, p := range c.problems() {
		errs = append(errs, fmt.Errorf("txcache: %s", p))
	}
	return errors.Join(errs...)
}
