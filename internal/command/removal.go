package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A removalResult is the answer of drop and of sweep.
type removalResult struct {
	Database string `json:"database,omitempty"`
	Removed  uint64 `json:"removed"` // values
}

func (p *program) dropCommand() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "drop DATABASE",
		Short: "Forget all that is cached for a database",
		Long: `Drop forgets a database: transactions that begin from now on, on any server, begin
anew, and those that are open see nothing cached any more. Then it removes the
values, by a walk over all keys of the server that does not rest as others do.

With class sql drop deletes the rows of the database and begins a new epoch, in one
transaction: transactions that begin from then on, on any server, begin anew.

It asks for the name of the database to be typed, unless --yes is given. The data
of the service itself is not touched: what is dropped is loaded again. A database of
which the server keeps nothing is refused, as its name may be misspelt, unless
--force is given.`,
		Example: `  txcache --config cache.toml drop shop
  txcache --config cache.toml drop shop --yes --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completes(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usage("the name of a database cannot be empty")
			}
			if !yes {
				if err := p.confirm(cmd.Context(), args[0]); err != nil {
					return err
				}
			}
			return p.drop(cmd.Context(), args[0], force)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&force, "force", false, "drop it though the server keeps nothing of it")
	return cmd
}

// confirm has the name of the database typed.
func (p *program) confirm(ctx context.Context, database string) error {
	if !p.asks {
		return usage("there is no terminal to ask on; to drop %s without a question, give --yes", quoted(database))
	}
	fmt.Fprintf(p.messages, "All that is cached for %s will be forgotten, on every server.\nType its name to go on: ", quoted(database))
	// No context ends a read: one that goes on ends with the process.
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(p.in).ReadString('\n')
		answers <- answer{line, err}
	}()
	var a answer
	select {
	case a = <-answers:
	case <-ctx.Done():
		fmt.Fprintln(p.messages)
		return context.Cause(ctx)
	}
	if a.err != nil && !errors.Is(a.err, io.EOF) {
		return a.err
	}
	if strings.TrimRight(a.line, "\r\n") != database {
		return errors.New("that is not its name; nothing was dropped")
	}
	return nil
}

func (p *program) drop(ctx context.Context, database string, force bool) error {
	r := removalResult{Database: database}
	err := p.operate(ctx, func(s *txcache.Store, k keeper) error {
		if !force {
			switch err := k.checkKnown(ctx, database); {
			case err != nil && p.code(ctx, err) == exitFailed:
				return fmt.Errorf("%w\nnothing was dropped; --force drops it all the same", err)
			case err != nil:
				return err
			}
		}
		defer p.progress("Removing values", func() int64 { return int64(k.removed()) })()
		err := s.Drop(ctx, database)
		r.Removed = k.removed()
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("%w; the database may be dropped with values left to expire: repeat the command", context.Cause(ctx))
		}
		return k.failure(ctx, err)
	})
	if err != nil {
		return err
	}
	return p.print(r, func(w io.Writer) {
		if isSQL(p.cfg) {
			fmt.Fprintf(w, "Dropped %s.\n", quoted(database))
			return
		}
		fmt.Fprintf(w, "Dropped %s; %d values were removed.\n", quoted(database), r.Removed)
	})
}

func (p *program) sweepCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sweep",
		Short: "Remove the values of generations that are over",
		Long: `Sweep removes, for every database, the values that nobody reads any more, because
their cache was cleared or their database lost its generations. Services do so by
themselves when much of what the server holds is of that kind, and all of it
expires anyway.

It walks over all keys of the server and rests for as long as it works.`,
		Example:           `  txcache --config cache.toml sweep`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return p.inspect(ctx, func(b inspect.Inspector) error {
				end := p.progress("Removing values", func() int64 { return int64(b.Stats().Removed) })
				removed, err := b.Sweep(ctx)
				end()
				if err != nil {
					return backendError(ctx, err)
				}
				return p.print(removalResult{Removed: uint64(removed)}, func(w io.Writer) {
					fmt.Fprintf(w, "%d values were removed.\n", removed)
				})
			})
		},
	}
}

// progress shows on a terminal how far something is, until end is called. How
// much there is to do is not known.
func (p *program) progress(what string, done func() int64) (end func()) {
	if !p.shows {
		return func() {}
	}
	bar := progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(p.terminal),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100*time.Millisecond),
	)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			// What cannot be written to a terminal is not worth an error.
			_ = bar.Set64(done())
			select {
			case <-stop:
				_ = bar.Finish()
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}
