// Shop is a service with a cache: shops of several tenants, each with a database
// of its own, behind one HTTP server. The tour of it is docs/shop.md.
//
//	go run .                                       # over SQLite: as many servers as you like, and nothing else
//	go run . -postgres postgres://localhost/shop
//	go run . -config redis.toml                    # values that servers share
//	go run . load -servers 2                       # load them, and check every answer
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/seed-dad15c92/txcache/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program. It returns the exit code: 2 for a wrong command line.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	slog.SetDefault(slog.New(slog.NewTextHandler(errs, nil)))
	command := serveCommand
	if len(args) > 0 && args[0] == "load" {
		command, args = loadCommand, args[1:]
	}
	switch err := command(ctx, args, out, errs); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintln(errs, err)
		return 1
	}
}

// errUsage is the error of a wrong command line, of which the user was told.
var errUsage = errors.New("shop: wrong command line")

// parse parses args and refuses what is left over.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(flags.Output(), "%s: unexpected argument %q\n", flags.Name(), flags.Arg(0))
		return errUsage
	}
	return nil
}

// serviceFlags are those that say what a service is made of, for both commands.
func serviceFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.postgres, "postgres", "", "keep the shops in this PostgreSQL database, a `URL`, each in a schema; without it in SQLite")
	flags.Func("config", "configure the cache from this TOML `file`; without one it is of class sql, in the databases of the shops", func(path string) (err error) {
		o.cache, err = config.Load(path)
		return err
	})
}

func serveCommand(ctx context.Context, args []string, _, errs io.Writer) error {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.SetOutput(errs)
	var o options
	serviceFlags(flags, &o)
	names := flags.String("tenants", "shop-a,shop-b,shop-c", "`names` of the shops")
	listen := flags.String("listen", "localhost:8080", "serve at this `address`")
	flags.StringVar(&o.data, "data", filepath.Join(os.TempDir(), "txcache-shop"), "the `folder` of the SQLite files")
	if err := parse(flags, args); err != nil {
		return err
	}
	o.tenants = strings.Split(*names, ",")
	s, err := openShop(ctx, o)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return errors.Join(fmt.Errorf("shop: %w", err), s.close())
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, name := range o.tenants {
		slog.Info("open", "shop", "http://"+net.JoinHostPort(name+".localhost", port)+"/api/products")
	}
	slog.Info("open", "page", "http://"+net.JoinHostPort("localhost", port)+"/debug/txcache/")
	err = errors.Join(serve(ctx, l, s.handler), s.close())
	slog.Info("closed")
	return err
}
