package command

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// impatience is how long somebody who asks for a completion waits for it.
const impatience = 2 * time.Second

// completes returns a function that completes the name of a database, and then of
// so many caches of it. What the server does not tell in time is not offered.
func (p *program) completes(caches int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) (names []string, _ cobra.ShellCompDirective) {
		if len(args) > caches {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), impatience)
		defer cancel()
		var found []string
		err := p.inspect(ctx, func(b inspect.Inspector) error {
			if len(args) == 0 {
				databases, err := b.Databases(ctx)
				for _, d := range databases {
					found = append(found, d.Name)
				}
				return err
			}
			d, err := b.Database(ctx, args[0])
			if err == nil {
				found, err = cachesOf(ctx, b, d)
			}
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, name := range found {
			// A name that a shell would have to quote is not for a completion.
			if strings.HasPrefix(name, begun) && name == quoted(name) && !slices.Contains(args[min(1, len(args)):], name) {
				names = append(names, name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
