package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnavailable = 3
	exitInterrupted = 130 // as shells have it for a process that Ctrl-C ended
)

// A program is one run of the command: where it reads and writes, and the flags
// that all commands have.
type program struct {
	name     string // of the program; default "txcache"
	in       io.Reader
	out      io.Writer // results
	messages io.Writer // all else
	asks     bool      // somebody can be asked: in and messages are a terminal
	shows    bool      // messages are a terminal, which can show progress
	terminal io.Writer // messages, for what moves the cursor

	config  string
	dialect string // these three describe class sql without a file
	dsn     string
	table   string
	json    bool
	verbose bool
	timeout time.Duration

	given    func(flag string) bool // on the command line
	command  string                 // the name of the one that runs
	database string                 // that it is given, "" if none
	cfg      *config.Config
	text     bytes.Buffer // of the file that cfg comes from
	started  bool         // the command line was understood
	cancel   context.CancelFunc
	cleaning atomic.Bool // what an interrupted command leaves behind is being removed
}

// grace is how long an interrupted command may take to end.
const grace = time.Second

// run carries out a command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	p.name = cmp.Or(p.name, "txcache")
	out := &checked{to: p.out}
	p.terminal = p.messages
	p.out, p.messages = escaper{out}, escaper{p.messages}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.messages)
	cmd, err, ended := p.execute(ctx, root)
	if !ended {
		fmt.Fprintf(p.messages, "%s: interrupted; what was under way may not have been done\n", p.name)
		return exitInterrupted
	}
	if p.cancel != nil {
		p.cancel()
	}
	if err == nil && out.err != nil {
		p.started = true // help and completions do without
		err = fmt.Errorf("the output could not be written: %w", out.err)
	}
	code := p.code(ctx, err)
	switch {
	case code == exitInterrupted:
		fmt.Fprintf(p.messages, "%s: interrupted\n", p.name)
		if more := err.Error(); more != context.Cause(ctx).Error() {
			fmt.Fprintln(p.messages, cause.Of(err))
		}
	case err != nil:
		fmt.Fprintf(p.messages, "%s: %v\n", p.name, cause.Of(err))
		if do := remedy(err); do != "" {
			fmt.Fprintln(p.messages, do)
		}
		if !p.started {
			if cmd.HasParent() {
				fmt.Fprintf(p.messages, "Usage: %s\n", cmd.UseLine())
			}
			fmt.Fprintf(p.messages, "See %s --help.\n", cmd.CommandPath())
		}
	}
	return code
}

// execute carries out the command line. An interrupted command that hangs, in a
// read that no context ends or a write to a pipe that nobody reads, is left to
// itself after a while: it ends with the process.
func (p *program) execute(ctx context.Context, root *cobra.Command) (cmd *cobra.Command, err error, ended bool) {
	done := make(chan struct{})
	var last *cobra.Command // not the results: one that is left to itself may still write
	var failed error
	go func() {
		defer close(done)
		last, failed = root.ExecuteContextC(ctx)
	}()
	select {
	case <-done:
		return last, failed, true
	case <-ctx.Done():
	}
	for {
		select {
		case <-done:
			return last, failed, true
		case <-time.After(grace):
			if !p.cleaning.Load() {
				return nil, nil, false
			}
		}
	}
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   p.name,
		Short: "Look after the caches of services that use txcache",
		Long: `Txcache checks a configuration, shows what Redis or the table of class sql keeps,
deletes, clears and drops, watches commits go by, and measures. It reads the
configuration file of the service. With --dialect it needs no file to look into a
database of class sql: the DSN is in the environment as TXCACHE_DSN, or in --dsn,
which others on the machine can see.

Results go to standard output, all else to standard error.

Exit codes: 0 done; 1 failed, or found something wrong; 2 the command line or the
configuration file is wrong; 3 the backend is unavailable; 130 interrupted.`,
		Example: `  txcache --config cache.toml check
  txcache --config cache.toml caches shop
  txcache --config cache.toml get shop users 42
  txcache --config cache.toml clear shop users roles`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: p.start,
	}
	flags := root.PersistentFlags()
	p.given = flags.Changed
	flags.StringVarP(&p.config, "config", "c", "cache.toml", "the configuration `file` of the service")
	flags.StringVar(&p.dialect, "dialect", "", "look into a database of class sql without a file: `postgres`, mysql or sqlite")
	flags.StringVar(&p.dsn, "dsn", "", "its `address`, with --dialect, as the driver takes it; default: "+environment+" in the environment, which others on this machine do not see")
	flags.StringVar(&p.table, "table", "", "its table of clears, with --dialect, when it has not the default `name`")
	flags.BoolVar(&p.json, "json", false, "print JSON: one document, or for watch one a line")
	flags.DurationVar(&p.timeout, "timeout", 0, "give up after this long, such as 30s; 0: when it takes as long as it takes")
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "show the library's log records")
	root.AddCommand(
		p.checkCommand(), p.databasesCommand(), p.cachesCommand(), p.keysCommand(), p.getCommand(),
		p.clearCommand(), p.deleteCommand(), p.clearTagsCommand(), p.dropCommand(), p.sweepCommand(), p.watchCommand(),
		p.benchCommand(), p.versionCommand(),
	)
	for _, c := range append(root.Commands(), root) {
		c.Example = strings.ReplaceAll(c.Example, "  txcache ", "  "+p.name+" ")
	}
	return root
}

// start is called when the command line was understood.
func (p *program) start(cmd *cobra.Command, args []string) error {
	if p.timeout < 0 {
		return errors.New("--timeout is negative")
	}
	p.started, p.command = true, cmd.Name()
	if len(args) > 0 {
		p.database = args[0]
	}
	if p.timeout > 0 {
		cause := fmt.Errorf("it was not done within --timeout %v", p.timeout)
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), p.timeout, cause)
		cmd.SetContext(ctx)
		p.cancel = cancel
	}
	return nil
}

// logger is what the library logs to.
func (p *program) logger() *slog.Logger {
	if p.verbose {
		return slog.New(slog.NewTextHandler(p.messages, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// An unavailableError says that the backend is not to be had.
type unavailableError struct{ error }

func (e unavailableError) Unwrap() error { return e.error }

// A usageError says that what the user wrote is wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// code returns the exit code that says what err means.
func (p *program) code(ctx context.Context, err error) int {
	var wrong usageError
	var away unavailableError
	switch {
	case err == nil:
		return exitOK
	case !p.started || errors.As(err, &wrong):
		return exitUsage
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &away), errors.Is(err, txcache.ErrUnavailable):
		return exitUnavailable
	}
	return exitFailed
}

// The client would write a line for each connection that fails; what matters of
// that is in the errors.
func init() { redis.SetLogger(&logging.VoidLogger{}) }
