package command

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A watchResult is one line of watch.
type watchResult struct {
	Time     time.Time `json:"time"`
	Event    string    `json:"event"`
	Database string    `json:"database,omitempty"`
	All      bool      `json:"all,omitempty"`
	Caches   []string  `json:"caches,omitempty"`
	Keys     []keysOf  `json:"keys,omitempty"`
	Tags     []string  `json:"tags,omitempty"` // hashes
	Version  uint64    `json:"version,omitempty"`
}

// A keysOf is keys of a cache, by their hashes: the server does not know more.
type keysOf struct {
	Cache  string   `json:"cache"`
	Hashes []string `json:"hashes"` // as 16 hexadecimal digits
}

// split returns keys and tags as a result has them.
func split(all []backend.Keys) (keys []keysOf, tags []string) {
	for _, k := range all {
		hashes := make([]string, len(k.Hashes))
		for i, h := range k.Hashes {
			hashes[i] = fmt.Sprintf("%016x", h)
		}
		if k.Cache == "" {
			tags = append(tags, hashes...)
		} else {
			keys = append(keys, keysOf{k.Cache, hashes})
		}
	}
	return keys, tags
}

// counted returns how many keys of which caches there are, and tags, for people.
func counted(keys []keysOf, tags []string) (parts []string) {
	of := func(n int, one string) string {
		if n == 1 {
			return "1 " + one
		}
		return strconv.Itoa(n) + " " + one + "s"
	}
	for _, k := range keys {
		parts = append(parts, of(len(k.Hashes), "key")+" of "+quoted(k.Cache))
	}
	if len(tags) > 0 {
		parts = append(parts, of(len(tags), "tag"))
	}
	return parts
}

func (p *program) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch [DATABASE]",
		Short: "Show clears, deletes and drops as they happen",
		Long: `Watch prints a line for each thing that happens to the caches of a database, or of
all: a fence before a commit that clears or deletes, the clear, the delete of keys
and of what bears tags, an unfence where the commit did not take place, a drop, a new epoch (the database is new, was dropped or has
lost its generations). It goes on until Ctrl-C, or for as long as --timeout says.

Of keys and tags the server knows hashes only: watch counts them, and --json has them.

Services announce all that whatever their sync says. Things that follow each other
closely may come as one line. If the server is lost, watch says so (gap), waits for
it, tells what changed meanwhile, and says when it is listening again (ready).`,
		Example: `  txcache --config cache.toml watch
  txcache --config cache.toml watch shop --json --timeout 1h`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completes(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, only := cmd.Context(), ""
			if len(args) > 0 {
				if only = args[0]; only == "" {
					return usage("the name of a database is not empty; to watch all, give none")
				}
			}
			return p.inspect(ctx, func(b inspect.Inspector) error {
				var unwritten error
				err := b.Watch(ctx, only, func(c inspect.Change) error {
					unwritten = p.event(c)
					return unwritten
				})
				switch {
				case unwritten != nil:
					return unwritten
				case ctx.Err() != nil:
					return nil // that is how a watch ends
				}
				return backendError(ctx, err)
			})
		},
	}
}

// event prints a change.
func (p *program) event(c inspect.Change) error {
	r := watchResult{Time: c.Time.UTC(), Event: string(c.Kind), Database: c.Database, All: c.All, Caches: c.Caches, Version: c.Version}
	r.Keys, r.Tags = split(c.Keys)
	if p.json {
		return json.NewEncoder(p.out).Encode(r)
	}
	parts := []string{r.Time.Format("15:04:05.000"), fmt.Sprintf("%-7s", r.Event)}
	if r.Database != "" {
		parts = append(parts, quoted(r.Database))
	}
	switch {
	case len(r.Caches) > 0 && r.All:
		parts = append(parts, "all, and by name "+names(r.Caches))
	case len(r.Caches) > 0:
		parts = append(parts, names(r.Caches))
	case r.All && c.Kind != inspect.Dropped && c.Kind != inspect.Renewed:
		parts = append(parts, "all caches")
	}
	if keys := counted(r.Keys, r.Tags); len(keys) > 0 {
		parts = append(parts, strings.Join(keys, ", "))
	}
	_, err := fmt.Fprintln(p.out, strings.TrimRight(strings.Join(parts, "  "), " "))
	return err
}
