package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A watchResult is one line of watch.
type watchResult struct {
	Time     time.Time `json:"time"`
	Event    string    `json:"event"`
	Database string    `json:"database,omitempty"`
	All      bool      `json:"all,omitempty"`
	Caches   []string  `json:"caches,omitempty"`
	Version  uint64    `json:"version,omitempty"`
}

func (p *program) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch [DATABASE]",
		Short: "Show clears and drops as they happen",
		Long: `Watch prints a line for each thing that happens to the caches of a database, or of
all: a fence before a commit that clears, the clear, an unfence where the commit
did not take place, a drop, a new epoch (the database is new, was dropped or has
lost its generations). It goes on until Ctrl-C, or for as long as --timeout says.

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
	_, err := fmt.Fprintln(p.out, strings.TrimRight(strings.Join(parts, "  "), " "))
	return err
}
