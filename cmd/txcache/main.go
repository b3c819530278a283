// Txcache is the command for those who operate services that use txcache: it
// checks a configuration, shows what Redis keeps, clears and drops, watches
// commits go by, and measures. It reads the configuration file of the service.
//
//	txcache --config cache.toml check
//	txcache --config cache.toml caches shop
//	txcache --config cache.toml clear shop users roles
//
// docs/cli.md shows every command with its output. This main package knows the
// built-in classes only: a backend of one's own is not linked into it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the process at once
	p := &program{
		in: os.Stdin, out: os.Stdout, messages: os.Stderr,
		asks:  term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
		shows: term.IsTerminal(int(os.Stderr.Fd())),
	}
	os.Exit(p.run(ctx, os.Args[1:]))
}
