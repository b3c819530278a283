package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A keysResult is the answer of keys.
type keysResult struct {
	Database   string      `json:"database"`
	Cache      string      `json:"cache"`
	Generation string      `json:"generation"`
	Keys       []keyResult `json:"keys"`
	More       bool        `json:"more"` // there are others, after the last of Keys
}

type keyResult struct {
	Key    string `json:"key"` // as get takes it
	Kind   string `json:"kind"`
	Values int    `json:"values"` // one for each shape and user context
}

// mostKeys bounds what keys holds in memory.
const mostKeys = 100_000

func (p *program) keysCommand() *cobra.Command {
	var limit int
	var after string
	cmd := &cobra.Command{
		Use:   "keys DATABASE CACHE",
		Short: "List the keys of a cache",
		Long: `Keys lists the keys under which the server keeps values of a cache, in the
generation that services read now, sorted, in the form that get takes: i64.42 is the
int64 42, s.42 the string. Structs and long strings are kept as a digest (k#…, s#…);
Cache.KeyText tells a service which digest is that of a key.

It lists --limit keys; where there are more it says so, and --after the last one
goes on from there. Each time it walks over all keys of the server, gently.`,
		Example: `  txcache --config cache.toml keys shop users
  txcache --config cache.toml keys shop users --limit 1000 --after i64.42 --json`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: p.completes(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > mostKeys {
				return usage("--limit is %d; it must be between 1 and %d", limit, mostKeys)
			}
			return p.keys(cmd.Context(), args[0], args[1], after, limit)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "list so many keys")
	cmd.Flags().StringVar(&after, "after", "", "go on after this `key`")
	return cmd
}

func (p *program) keys(ctx context.Context, database, cache, after string, limit int) error {
	return p.inspect(ctx, func(b inspect.Inspector) error {
		token, err := generation(ctx, b, database, cache)
		if err != nil {
			return err
		}
		r := keysResult{Database: database, Cache: cache, Generation: string(token), Keys: []keyResult{}}
		l := listing{limit: limit, values: map[string]map[string]bool{}}
		any := false
		err = b.Entries(ctx, database, cache, func(e *inspect.Entry) error {
			if any = true; e.Token == token {
				if key := keyOf(e); key > after {
					l.add(key, e)
				}
			}
			return nil
		})
		if err != nil {
			return backendError(ctx, err)
		}
		if !any {
			if err := checkKnown(ctx, b, database, cache); err != nil {
				return err
			}
		}
		l.cut()
		for _, key := range l.sorted() {
			r.Keys = append(r.Keys, keyResult{Key: key, Kind: kindOf(key), Values: len(l.values[key])})
		}
		r.More = l.left
		return p.print(r, r.write)
	})
}

// generation returns the token of the generation of a cache that services read.
func generation(ctx context.Context, b inspect.Inspector, database, cache string) (backend.Token, error) {
	d, err := b.Database(ctx, database)
	switch {
	case err != nil:
		return "", backendError(ctx, err)
	case !d.Kept:
		return "", fmt.Errorf("the server keeps no generations of %s: it is new, was dropped, or lost them%s", quoted(database), meant(ctx, b, database))
	}
	return d.State.Token(cache), nil
}

// A listing is the first keys of many: never more than twice the limit.
type listing struct {
	limit  int
	values map[string]map[string]bool // the schemas and user contexts of each
	last   string                     // no key after it is taken
	left   bool                       // some were not
}

func (l *listing) add(key string, e *inspect.Entry) {
	if l.left && key > l.last {
		return
	}
	if l.values[key] == nil {
		if len(l.values) >= 2*l.limit {
			l.cut()
			l.add(key, e)
			return
		}
		l.values[key] = map[string]bool{}
	}
	l.values[key][e.Schema+" "+e.Key] = true
}

func (l *listing) sorted() []string { return slices.Sorted(maps.Keys(l.values)) }

// cut leaves the first keys.
func (l *listing) cut() {
	keys := l.sorted()
	if len(keys) <= l.limit {
		return
	}
	l.left, l.last = true, keys[l.limit-1]
	for _, key := range keys[l.limit:] {
		delete(l.values, key)
	}
}

func (r *keysResult) write(w io.Writer) {
	fmt.Fprintf(w, "Cache %s of %s, generation %s\n", quoted(r.Cache), quoted(r.Database), quoted(r.Generation))
	if len(r.Keys) == 0 {
		fmt.Fprintln(w, "It has no keys here.")
		return
	}
	fmt.Fprintln(w)
	t := table{{"KEY", "TYPE", "VALUES"}}
	for _, k := range r.Keys {
		t.row(quoted(k.Key), k.Kind, strconv.Itoa(k.Values))
	}
	t.write(w)
	if r.More {
		fmt.Fprintf(w, "\nThere are more; to go on, give --after %s\n", quoted(r.Keys[len(r.Keys)-1].Key))
	}
}

// keyOf returns the key of e in the form that get takes, without the user context.
func keyOf(e *inspect.Entry) string {
	if e.Digest != "" {
		return "!" + e.Digest
	}
	if rest, ok := strings.CutPrefix(e.Key, "~"); ok {
		if end := strings.LastIndexByte(rest, '~'); end >= 0 {
			return rest[:end]
		}
	}
	return e.Key
}

// kindOf says what a key is by how its canonical form begins.
func kindOf(key string) string {
	if strings.HasPrefix(key, "!") {
		return "long, as a digest"
	}
	kinds := map[string]string{
		"b": "bool", "s": "string", "i": "int", "u": "uint", "f": "float", "c": "complex",
		"ip": "netip.Addr", "ipport": "netip.AddrPort", "ipnet": "netip.Prefix",
	}
	end := strings.IndexAny(key, ".#")
	switch {
	case key == "nil":
		return "nil"
	case end < 0:
		return "unknown"
	case key[end] == '#' && key[:end] == "k":
		return "struct or array, as a digest"
	case key[end] == '#':
		return "string, as a digest"
	}
	name, bits := key[:end], strings.TrimLeft(key[:end], "abcdefghijklmnopqrstuvwxyz")
	if kind, ok := kinds[strings.TrimSuffix(name, bits)]; ok {
		return kind + bits
	}
	return "unknown"
}
