package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// mostVariants is how many values get shows: a cache may keep one for each user.
const mostVariants = 100

// A getResult is the answer of get.
type getResult struct {
	Database   string        `json:"database"`
	Cache      string        `json:"cache"`
	Generation string        `json:"generation"`
	Current    bool          `json:"current"` // services read that generation
	Fenced     bool          `json:"fenced"`  // but nobody does as long as a fence stands
	Matched    int           `json:"matched"` // of which Values are the first
	Values     []valueResult `json:"values"`
}

type valueResult struct {
	Kind    string     `json:"kind"`    // the type of the key, or canonical
	Context bool       `json:"context"` // the value is for one user context
	User    string     `json:"user"`    // its digest, "" for the empty one
	Schema  string     `json:"schema"`
	Bytes   int        `json:"bytes"`
	State   string     `json:"state"`
	Fill    uint64     `json:"fill"`    // the version that the transaction began with which loaded it
	Deleted bool       `json:"deleted"` // since then, so services do not use it
	Fenced  bool       `json:"fenced"`  // nor as long as a fence stands on the key
	Expired bool       `json:"expired"`
	Expires *time.Time `json:"expires"` // null: when it is cleared, or removed
	Removed *time.Time `json:"removed"` // by the server; null: not known
	Error   string     `json:"error,omitempty"`
	Value   document   `json:"value"`
}

func (p *program) getCommand() *cobra.Command {
	var token string
	cmd := &cobra.Command{
		Use:   "get DATABASE CACHE KEY",
		Short: "Show the value under a key",
		Long: `Get shows what the server keeps under a key, in the generation that services read
now: one value for each shape of values (programs of different versions do not
read each other's), each kind of key that KEY can be, and each user context, which
are known by their digest only. It says so where a key is known to be absent from
the database, where a process is loading it, and where the key was deleted since the
value was filled. Whether a tag of the value was cleared, only services know.

KEY is text, a number, a boolean or an address; i64.42, the canonical form, is the
int64 42 and nothing else. A key that is a struct has a digest for its canonical
form, such as k#…: keys lists them, and Cache.KeyText tells a service that of a key.
Values that are structs are shown as arrays of their fields, and an any within a
struct as an array of two: the tag of its type, and the value.

It walks over all keys of the server, gently. Together with a user context a key
of more than about 50 characters is kept as a digest of both, such as !…, and is
found by that alone; keys lists them, too.`,
		Example: `  txcache --config cache.toml get shop users 42
  txcache --config cache.toml get shop translations 'en:Save' --json | jq .values[0].value`,
		Args:              cobra.ExactArgs(3),
		ValidArgsFunction: p.completes(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.get(cmd.Context(), args[0], args[1], args[2], backend.Token(token))
		},
	}
	cmd.Flags().StringVar(&token, "token", "", "look at the generation of this `token` instead of the present one")
	return cmd
}

func (p *program) get(ctx context.Context, database, cache, key string, token backend.Token) error {
	return p.inspect(ctx, func(b inspect.Inspector) error {
		d, err := b.Database(ctx, database)
		if err != nil {
			return backendError(ctx, err)
		}
		r := getResult{Database: database, Cache: cache, Values: []valueResult{}}
		if d.Kept {
			r.Current = token == "" || token == d.State.Token(cache)
			r.Fenced = d.State.IsFenced(cache)
			if token == "" {
				token = d.State.Token(cache)
			}
		}
		if token == "" {
			_, err := generation(ctx, b, database, cache)
			return err
		}
		r.Generation = string(token)
		list := candidates(key)
		found, matched, err := b.Find(ctx, database, cache, token, mostVariants, func(e *inspect.Entry) bool {
			_, ok := variantOf(e, list)
			return ok
		})
		if err != nil {
			return backendError(ctx, err)
		}
		r.Matched = matched
		now := time.Now()
		for i := range found {
			v, _ := variantOf(&found[i].Entry, list)
			value := valueOf(&found[i], v, now)
			if r.Current {
				value.Deleted, value.Fenced = marked(d.State, cache, v.text, value.Fill)
			}
			r.Values = append(r.Values, value)
		}
		if len(found) == 0 {
			if err := checkKnown(ctx, b, database, cache); err != nil {
				return err
			}
		}
		err = p.print(r, r.write)
		if len(found) == 0 {
			err = errors.Join(err, fmt.Errorf("nothing is kept under %s in cache %s of %s%s", quoted(key), quoted(cache), quoted(database), ofStruct(key)))
		}
		return err
	})
}

// marked reports whether a value with that fill is not used, because its key was deleted
// or deletes were forgotten since, and whether a fence stands on the key. Of a key that is
// not known, it tells only what holds for all keys.
func marked(s *backend.State, cache, text string, fill uint64) (deleted, fenced bool) {
	deletes := s.Deletes.Of(cache)
	if text == "" {
		return fill < deletes.Floor(), false
	}
	hash := canon.Hash(text)
	last, _ := deletes.Last(hash)
	return fill < last, slices.ContainsFunc(s.FencedKeys, func(k backend.Keys) bool {
		return k.Cache == cache && slices.Contains(k.Hashes, hash)
	})
}

// ofStruct returns the end of an error about a key that looks like a struct's.
func ofStruct(key string) string {
	if strings.HasPrefix(key, "{") || strings.HasPrefix(key, "[") {
		return "; a struct is kept under a digest, which keys lists and Cache.KeyText tells"
	}
	return ""
}

func valueOf(f *inspect.Found, v variant, now time.Time) valueResult {
	r := valueResult{Kind: v.kind, Context: v.context, User: v.user, Schema: f.Schema, Bytes: len(f.Data), Fill: codec.Fill(f.Data)}
	if f.TTL >= 0 {
		removed := now.Add(f.TTL).UTC().Truncate(time.Second)
		r.Removed = &removed
	}
	state, value, expires, err := decode(f.Schema, f.Data)
	r.State, r.Value = state, document{value}
	if !expires.IsZero() {
		r.Expires, r.Expired = &expires, now.After(expires)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func (r *getResult) write(w io.Writer) {
	fmt.Fprintf(w, "Cache %s of %s, generation %s", quoted(r.Cache), quoted(r.Database), quoted(r.Generation))
	if !r.Current {
		fmt.Fprint(w, ", which is over: nobody reads it")
	}
	if r.Fenced {
		fmt.Fprint(w, "; a fence stands: nobody reads the cache now")
	}
	fmt.Fprintln(w)
	for _, v := range r.Values {
		who := "for everybody"
		switch {
		case v.User != "":
			who = "for the user context " + quoted(v.User)
		case v.Kind == digested:
			who = "for whoever it is"
		case v.Context:
			who = "for the empty user context"
		}
		kind := "of type " + v.Kind
		switch v.Kind {
		case canonical:
			kind = "in canonical form"
		case digested:
			kind = "as a digest"
		}
		fmt.Fprintf(w, "\nKey %s, %s, schema %s, %d bytes\n", kind, who, quoted(v.Schema), v.Bytes)
		switch {
		case v.Deleted:
			fmt.Fprintf(w, "Filled at version %d, deleted since: services do not use it\n", v.Fill)
		case v.Fenced:
			fmt.Fprintf(w, "Filled at version %d; a fence stands on the key: nobody reads it now\n", v.Fill)
		default:
			fmt.Fprintf(w, "Filled at version %d\n", v.Fill)
		}
		expired := ""
		if v.Expired {
			expired = ", expired"
		}
		if v.Expires != nil {
			fmt.Fprintf(w, "Expires %s%s\n", timeText(*v.Expires), expired)
		}
		if v.Removed != nil {
			fmt.Fprintf(w, "Removed by the server %s\n", timeText(*v.Removed))
		}
		switch v.State {
		case isAbsent:
			fmt.Fprintln(w, "Known to be absent: the database has nothing there")
		case isLoading:
			fmt.Fprintln(w, "Being loaded: a process has the lease")
		case isBroken:
			fmt.Fprintf(w, "Malformed, a miss for services: %s\n", v.Error)
		default:
			var text bytes.Buffer
			compact, err := v.Value.MarshalJSON()
			if err == nil {
				err = json.Indent(&text, compact, "", "  ")
			}
			if err != nil {
				fmt.Fprintf(w, "It cannot be shown: %v\n", err)
				continue
			}
			fmt.Fprintln(w, text.String())
		}
	}
	if more := r.Matched - len(r.Values); more > 0 {
		fmt.Fprintf(w, "\n%d more are not shown.\n", more)
	}
}
