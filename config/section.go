package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Section decodes the table [cache.<name>] into v, a pointer to a struct. It is
// how a backend of one's own reads its configuration, as strictly as the rest
// is read. Where the file has no such table, or there is no file, v is untouched
// and there is no error.
//
// A key is the toml tag of an exported field, or else the field's name in lower
// case. A key that the table does not have leaves its field as it is, so that
// v holds the defaults. Fields can be strings, booleans, numbers, durations,
// times, slices, maps with string keys, structs, pointers to those, any, and
// everything that implements [encoding.TextUnmarshaler]. After an error, which
// joins all problems found, v may have been changed in part.
//
// Section is safe for concurrent use.
func (c *Config) Section(name string, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("txcache: cache.%s: the section was to be decoded into a %T; expected a pointer to a struct", name, v)
	}
	if c.doc == nil {
		return nil
	}
	c.doc.mu.Lock()
	defer c.doc.mu.Unlock()
	c.doc.read[name] = true
	cache := c.doc.root.table["cache"]
	if cache == nil || cache.table[name] == nil {
		return nil
	}
	d := decoder{}
	d.decode(cache.table[name], target.Elem())
	return c.doc.error(d.problems)
}

// Unread returns an error for the first table of [cache] that is neither known
// here nor was read by [Config.Section]. The function that opens the backend must call it.
func (c *Config) Unread() error {
	if c.doc == nil {
		return nil
	}
	c.doc.mu.Lock()
	defer c.doc.mu.Unlock()
	names := slices.Sorted(maps.Keys(c.doc.read))
	names = append(names, "redis", "sizes", "sql")
	for _, n := range c.doc.sections {
		if !c.doc.read[n.name] {
			return c.doc.error(problems{new(decoder).unknown(n, names)})
		}
	}
	return nil
}
