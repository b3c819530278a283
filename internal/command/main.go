// Package command is the program for those who operate services that use txcache. Two
// main packages are made of it: cmd/txcache, and cmd/txcache-sql, a module of its
// own, which has the drivers of SQL databases as well.
package command

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// Main runs the command line of the process, as the program of that name, and ends
// the process.
func Main(name string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the process at once
	os.Exit(Run(ctx, name, os.Args[1:], Terminal{
		In: os.Stdin, Out: os.Stdout, Messages: os.Stderr,
		Asks:  term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
		Shows: term.IsTerminal(int(os.Stderr.Fd())),
	}))
}

// A Terminal is where a command reads and writes.
type Terminal struct {
	In       io.Reader
	Out      io.Writer // results
	Messages io.Writer // all else
	Asks     bool      // somebody can be asked: In and Messages are a terminal
	Shows    bool      // Messages are a terminal, which can show progress
}

// Run runs a command line, as the program of that name, and returns the exit code.
func Run(ctx context.Context, name string, args []string, t Terminal) int {
	p := &program{name: name, in: t.In, out: t.Out, messages: t.Messages, asks: t.Asks, shows: t.Shows}
	return p.run(ctx, args)
}
