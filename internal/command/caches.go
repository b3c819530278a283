package command

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A cachesResult is the answer of caches.
type cachesResult struct {
	Database string        `json:"database"`
	Epoch    string        `json:"epoch"` // "" if its generations are not kept
	Version  uint64        `json:"version"`
	Sampled  bool          `json:"sampled"` // counts and sizes are extrapolated
	Looked   int64         `json:"looked"`  // at so many keys
	Keys     int64         `json:"keys"`    // that the server has
	Tags     int           `json:"tags"`    // clears of tags that are remembered
	Caches   []cacheResult `json:"caches"`
	Fences   []fenceResult `json:"fences"`
}

type cacheResult struct {
	Name       string `json:"name"`
	Generation string `json:"generation"`
	Fenced     bool   `json:"fenced"`
	Values     int64  `json:"values"`
	Bytes      int64  `json:"bytes"` // -1: the server does not tell
	Dead       int64  `json:"dead_values"`
	DeadBytes  int64  `json:"dead_bytes"`
	Deletes    int    `json:"deletes"` // of keys, that are remembered
	Floor      uint64 `json:"floor"`   // the version of the last delete that was forgotten, 0 if none was
}

type fenceResult struct {
	ID       string    `json:"id"`
	Deadline time.Time `json:"deadline"`
	All      bool      `json:"all"`
	Caches   []string  `json:"caches"`
	Keys     []keysOf  `json:"keys,omitempty"`
	Tags     []string  `json:"tags,omitempty"`
}

func (p *program) cachesCommand() *cobra.Command {
	var sample int64
	var exact bool
	cmd := &cobra.Command{
		Use:   "caches DATABASE",
		Short: "Count the values of each cache of a database, and their memory",
		Long: `Caches shows, for each cache of a database, the token of its generation, its values
with the memory they take, and how many values of generations that are over still
wait to be removed or to expire. A value whose key was deleted counts as the others
until it is overwritten. DELETES is how many keys have a delete that is remembered;
FLOOR, the version of the last delete that was forgotten: values that were filled
before it are not used.

It walks over keys of the server, gently, and asks for the size of some values of
each cache. Where the server has more keys than --sample, it looks at about so many
only and extrapolates; it says so. --exact looks at all and measures every value.

With class sql, where values are within each process, it shows the caches that were
cleared by name, or whose keys were deleted: the token of the generation, how often
the cache was cleared, how many keys have a delete that is remembered, and how
many groups of keys there are whose deletes are remembered together.`,
		Example: `  txcache --config cache.toml caches shop
  txcache --config cache.toml caches shop --exact --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completes(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case exact:
				sample = 0
			case sample <= 0:
				return usage("--sample is %d; it must be positive", sample)
			}
			return p.caches(cmd.Context(), args[0], sample)
		},
	}
	cmd.Flags().Int64Var(&sample, "sample", 100_000, "look at about so many keys")
	cmd.Flags().BoolVar(&exact, "exact", false, "look at all keys and measure every value")
	return cmd
}

func (p *program) caches(ctx context.Context, database string, sample int64) error {
	if cfg, err := p.load(); err == nil && isSQL(cfg) {
		return p.sqlCaches(ctx, cfg, database)
	}
	return p.inspect(ctx, func(b inspect.Inspector) error {
		census, err := b.Caches(ctx, database, sample)
		if err != nil {
			return backendError(ctx, err)
		}
		r := cachesResult{
			Database: database, Sampled: census.Sampled, Looked: census.Looked, Keys: census.Size,
			Caches: []cacheResult{}, Fences: []fenceResult{},
		}
		if d := census.Database; d.Kept {
			r.Epoch, r.Version = string(d.State.Epoch), d.State.Version
			for _, f := range d.Fences {
				keys, tags := split(f.Keys)
				r.Fences = append(r.Fences, fenceResult{string(f.ID), f.Deadline, f.All, append([]string{}, f.Caches...), keys, tags})
			}
		}
		deletes := remembered(&census.Database)
		r.Tags = deletes[""]
		for _, c := range census.Caches {
			of := cacheResult{
				Name: c.Name, Generation: string(c.Token), Fenced: c.Fenced,
				Values: c.Live.Values, Bytes: c.Live.Bytes, Dead: c.Dead.Values, DeadBytes: c.Dead.Bytes,
				Deletes: deletes[c.Name],
			}
			if d := census.Database; d.Kept {
				of.Floor = d.State.Deletes.Of(c.Name).Floor()
			}
			r.Caches = append(r.Caches, of)
		}
		return p.print(r, r.write)
	})
}

// remembered returns how many keys of each cache have deletes that the server
// remembers; those of the cache without a name are tags.
func remembered(d *inspect.Database) map[string]int {
	type key struct {
		cache string
		hash  uint64
	}
	seen, n := map[key]bool{}, map[string]int{}
	for _, deletion := range d.Deleted {
		for _, k := range deletion.Keys {
			for _, hash := range k.Hashes {
				if at := (key{k.Cache, hash}); !seen[at] {
					seen[at] = true
					n[k.Cache]++
				}
			}
		}
	}
	return n
}

func (r *cachesResult) write(w io.Writer) {
	if r.Epoch == "" {
		fmt.Fprintf(w, "The server keeps no generations of %s: it is new, was dropped, or lost them.\n", quoted(r.Database))
	} else {
		fmt.Fprintf(w, "Database %s, epoch %s, version %d\n", quoted(r.Database), quoted(r.Epoch), r.Version)
	}
	if r.Tags > 0 {
		fmt.Fprintf(w, "Clears of %d tags are remembered.\n", r.Tags)
	}
	if r.Sampled {
		fmt.Fprintf(w, "Sampled: extrapolated from %d of %d keys; a cache with few values may be missing. See --exact.\n", r.Looked, r.Keys)
	}
	if len(r.Caches) > 0 {
		fmt.Fprintln(w)
		t := table{{"CACHE", "GENERATION", "VALUES", "MEMORY", "DEAD VALUES", "DEAD MEMORY", "DELETES", "FLOOR", ""}}
		for _, c := range r.Caches {
			fenced := ""
			if c.Fenced {
				fenced = "fenced"
			}
			t.row(quoted(c.Name), quotedToken(c.Generation), strconv.FormatInt(c.Values, 10), size(c.Bytes),
				strconv.FormatInt(c.Dead, 10), size(c.DeadBytes), strconv.Itoa(c.Deletes), strconv.FormatUint(c.Floor, 10), fenced)
		}
		t.write(w)
	}
	if len(r.Fences) > 0 {
		fmt.Fprintln(w)
		t := table{{"FENCE", "UNTIL", "ON"}}
		for _, f := range r.Fences {
			of := counted(f.Keys, f.Tags)
			switch {
			case f.All:
				of = append([]string{"all"}, of...)
			case len(f.Caches) > 0:
				of = append([]string{names(f.Caches)}, of...)
			}
			t.row(quoted(f.ID), timeText(f.Deadline), strings.Join(of, ", "))
		}
		t.write(w)
	}
}
