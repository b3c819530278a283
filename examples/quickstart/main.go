// Quickstart tells in the terminal what txcache does: two servers, one
// database, and what each of them sees when. Every step is a real call, and what
// is printed is what came back. The exit code is 1 if that is ever not as told.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -config txcache.toml
//	go run ./examples/quickstart -config txcache.toml -follow 5m
//
// Without a configuration everything is in memory, and the two servers share
// one store, as the goroutines of a process do. With the configuration of a
// backend that processes share, each server has a store of its own, and tours
// that run at the same time meet in a last chapter. Class "sql" is shown by
// examples/shop, which has SQL databases: here the database is a map.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/seed-dad15c92/txcache/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program. It returns the exit code: 2 for a wrong command line.
func run(ctx context.Context, args []string, out, errors io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(errors)
	path := flags.String("config", "", "configure the cache from this TOML `file`; without one it is in memory")
	follow := flags.Duration("follow", 20*time.Second, "for `how long` to follow, after the tour, a counter that all running tours raise in turn; only where processes share the backend, 0 for not at all")
	ledger := flags.String("ledger", filepath.Join(os.TempDir(), "txcache-quickstart.ledger"), "the `file` that is the tours' common database while they follow")
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errors, "quickstart: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	cfg := config.Default()
	if *path != "" {
		var err error
		if cfg, err = config.Load(*path); err != nil {
			fmt.Fprintln(errors, err)
			return 1
		}
	}
	if inDatabase(cfg) {
		fmt.Fprintf(errors, "quickstart: class %q keeps the generations in the SQL database that is cached, and the database of this tour is a map; see it with: go -C examples/shop run . load -sql -servers 2\n", cfg.Class)
		return 1
	}
	if inProcess(cfg) {
		asked := false
		flags.Visit(func(f *flag.Flag) { asked = asked || f.Name == "follow" })
		if asked && *follow > 0 {
			fmt.Fprintf(errors, "quickstart: -follow needs a backend that processes share; class %q is of one process\n", cfg.Class)
			return 1
		}
		*follow = 0
	}
	n := &narrator{out: out}
	if err := tell(ctx, n, cfg, *follow, *ledger); err != nil {
		fmt.Fprintln(errors, err)
		return 1
	}
	if n.wrong > 0 {
		fmt.Fprintf(errors, "quickstart: %d observations were not as told\n", n.wrong)
		return 1
	}
	return 0
}

// tell opens the servers and tells the whole story.
func tell(ctx context.Context, n *narrator, cfg *config.Config, follow time.Duration, ledger string) (err error) {
	n.say("txcache quickstart: two servers, A and B, and one database.\nEvery line below is a real call, with what came back.")
	settle(n, cfg)
	a, b, err := openServers(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeServers(a, b)) }()

	s := newStory(n, a, b)
	// A state that cannot be had would make every read a miss, which is right
	// and would make a dull story.
	if err := a.store.Sync(ctx, s.database); err != nil {
		return err
	}
	chapters := []func(context.Context) error{
		s.privateUntilCommit, s.clear, s.rollback, s.oldTransaction,
		s.userContexts, s.savepoint, s.oneLoader, s.drop, s.statistics,
	}
	for _, chapter := range chapters {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	if follow > 0 {
		return followCounter(ctx, n, a, b, follow, ledger)
	}
	return nil
}
