package command

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache"
)

// A clearResult is the answer of clear.
type clearResult struct {
	Database string   `json:"database"`
	Caches   []string `json:"caches"`
	All      bool     `json:"all"`
}

func (p *program) clearCommand() *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:   "clear DATABASE CACHE...",
		Short: "Clear caches of a database, as a transaction does",
		Long: `Clear clears caches of a database in the way that a transaction does which commits:
through a fence, announced to every server. It costs the same for any number of
values.

A database or a cache that is not known is refused, as its name may be misspelt:
one that was never cleared by name and of which the server keeps no value. --force
clears it all the same.

With class sql a clear is a row that is inserted by a transaction of its own:
transactions that begin from then on see it, on every server. There a cache is
known that was ever cleared by name, or a key of which was deleted.

It fails if the clear cannot be announced, also with outage = "commit": a clear
that would be tried again later is lost when this command ends.`,
		Example: `  txcache --config cache.toml clear shop users roles
  txcache --config cache.toml clear shop --all`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: p.completes(math.MaxInt - 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := clearResult{Database: args[0], Caches: args[1:], All: all}
			switch {
			case slices.Contains(args, ""):
				return usage("the name of a database or cache cannot be empty")
			case all && len(r.Caches) > 0:
				return usage("either name caches or give --all")
			case !all && len(r.Caches) == 0:
				return usage("name the caches to clear, or give --all for all caches of the database")
			}
			return p.clear(cmd.Context(), r, force)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "clear all caches of the database")
	cmd.Flags().BoolVar(&force, "force", false, "clear what is not known, too")
	return cmd
}

func (p *program) clear(ctx context.Context, r clearResult, force bool) error {
	err := p.change(ctx, "cleared", "clears it", r.Database, r.Caches, force, func(s *txcache.Store, _ keeper) error {
		if r.All {
			return s.ClearAll(ctx, r.Database)
		}
		return s.Clear(ctx, r.Database, r.Caches...)
	})
	if err != nil {
		return err
	}
	return p.print(r, func(w io.Writer) {
		if r.All {
			fmt.Fprintf(w, "Cleared all caches of %s.\n", quoted(r.Database))
			return
		}
		fmt.Fprintf(w, "Cleared %s of %s.\n", names(r.Caches), quoted(r.Database))
	})
}
