package command

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
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
		if len(args) > 0 {
			p.database = args[0]
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), impatience)
		defer cancel()
		var found []string
		k, b, _, err := p.keeper(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if len(args) == 0 {
			found, err = k.databases(ctx)
		} else {
			found, err = k.caches(ctx, args[0])
		}
		if errors.Join(err, b.Close()) != nil {
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
