// Guards takes the guards of the protocol away, one after another, and shows
// that the tests notice.
//
//	go run ./internal/guards              # all of them, in twenty minutes or so on two cores
//	go run ./internal/guards -quick       # one or two for each promise
//	go run ./internal/guards -only fence  # those whose name matches
//	go run ./internal/guards -list        # a table of them, in Markdown
//
// A [guard] is a piece of the code that keeps one of the promises of
// docs/design.md. The list, in the files called list_*.go, says of each what would
// happen without it, what the code looks like without it, and which tests must
// fail then. The tree is never changed: the compiler gets the changed files by
// an overlay, as `go help build` describes it.
//
// The command runs in the module, with the tools that the tests need, a
// redis-server among them. Its exit status is 1 if a guard was not missed by any
// test, if the list does not fit the code any more, or if the tests fail with
// all guards in place.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "guards:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("guards", flag.ExitOnError)
	list := flags.Bool("list", false, "print the guards as a table in Markdown, and remove none")
	only := flags.String("only", "", "remove only the guards whose name matches this regular expression")
	quick := flags.Bool("quick", false, "remove only the few guards that are marked as quick")
	jobs := flags.Int("j", 2, "how many guards to remove side by side")
	timeout := flags.Duration("timeout", time.Minute, "how long the tests of one guard may take")
	verbose := flags.Bool("v", false, "show what the tests print")
	_ = flags.Parse(args) // it exits

	matching, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var chosen []guard
	for _, g := range all() {
		if matching.MatchString(g.name) && (g.quick || !*quick) {
			chosen = append(chosen, g)
		}
	}
	if *list {
		return table(out, chosen)
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	c := &campaign{root: root, jobs: max(1, *jobs), timeout: *timeout, verbose: *verbose, out: out}
	return c.removeEach(ctx, chosen)
}
