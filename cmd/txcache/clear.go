package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A clearResult is the answer of clear.
type clearResult struct {
	Database string   `json:"database"`
	Caches   []string `json:"caches"`
	All      bool     `json:"all"`
}

func (p *program) clearCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "clear DATABASE CACHE...",
		Short: "Clear caches of a database, as a transaction does",
		Long: `Clear clears caches of a database in the way that a transaction does which commits:
through a fence, announced to every server. It costs the same for any number of
values. A name that no cache has does no harm, and nobody notices either.

It fails if the clear cannot be announced, also with outage = "commit": a clear
that would be tried again later is lost when this command ends.`,
		Example: `  txcache --config cache.toml clear shop users roles
  txcache --config cache.toml clear shop --all`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
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
			return p.clear(cmd.Context(), r)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "clear all caches of the database")
	return cmd
}

func (p *program) clear(ctx context.Context, r clearResult) error {
	err := p.operate(ctx, func(s *txcache.Store, _ *redisbackend.Backend) error {
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
			fmt.Fprintf(w, "Cleared all caches of %s.\n", shown(r.Database))
			return
		}
		fmt.Fprintf(w, "Cleared %s of %s.\n", names(r.Caches), shown(r.Database))
	})
}
