// Prove shows, in two minutes or so, that txcache keeps its promises, to a reader
// who does not believe it.
//
//	go run ./internal/prove           # all of it
//	go run ./internal/prove -table    # the tables of docs/guarantees.md
//
// It plays the same random histories (package history) on caches as they are
// commonly built and on txcache, and counts the hits that violate a promise: a
// checker that finds nothing anywhere would prove nothing. Then it plays others
// in which calls to the backend fail, are lost, and answer too late, and its memory
// goes. At last it takes guards of the protocol out of txcache, and shows that
// the tests notice.
//
// Its exit status is 1 if txcache violates anything, if one of the other caches
// does not, or if a guard is not missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/baseline"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

func main() {
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the first history")
	steps := flag.Int("steps", 2_000_000, "of the histories on txcache; those on the others have a tenth")
	table := flag.Bool("table", false, "print the tables of docs/guarantees.md, from seed 1, and do nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	prove := func() error { return everything(ctx, os.Stdout, *seed, *steps) }
	if *table {
		prove = func() error { return schemes(ctx, os.Stdout, 1, *steps) }
	}
	if err := prove(); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

func everything(ctx context.Context, out io.Writer, seed uint64, steps int) error {
	fmt.Fprintf(out, "1. The same histories on caches as they are commonly built, and on txcache (seed %d).\n   Violations per million hits:\n\n", seed)
	failure := schemes(ctx, out, seed, steps)

	fmt.Fprintf(out, "\n2. Histories with faults of the backend, on txcache.\n")
	failure = errors.Join(failure, faults(ctx, out))

	fmt.Fprintf(out, "\n3. Guards of the protocol taken out of txcache, and the tests that notice.\n\n")
	guards := command(ctx, "go", "run", "./internal/guards", "-quick")
	guards.Stdout = out
	if err := guards.Run(); err != nil {
		failure = errors.Join(failure, fmt.Errorf("guards: %w", err))
	}
	if failure == nil {
		fmt.Fprintf(out, "\nNo violation by txcache, some by each of the others, no guard without a test.\n")
	}
	return failure
}

// schemes plays the same histories on every scheme, and on txcache, and then others on
// those that keep generations in the database.
func schemes(ctx context.Context, out io.Writer, seed uint64, steps int) error {
	err := compare(ctx, out, baseline.Measure, subject.Memory(), history.Options{Seed: seed}, steps)
	fmt.Fprintln(out)
	open, faults := subject.Enlisted(false, true)
	crowded := history.Options{Seed: seed, World: history.CrowdedWorld()}
	crowded.World.Faults, crowded.World.Goroutines = faults, 1 // the schemes do not keep what is loaded beside a delete of another key
	return errors.Join(err, compare(ctx, out, baseline.MeasureEnlisting, open, crowded, steps))
}

// compare writes the table of some schemes, and of txcache over a backend.
func compare(ctx context.Context, out io.Writer, measure func(context.Context, history.Options) ([]baseline.Result, error), open history.Open, o history.Options, steps int) error {
	o.Steps = steps / 10
	results, err := measure(ctx, o)
	if err != nil {
		return err
	}
	var failures []error
	rows := make([]row, 0, len(results)+1)
	for _, r := range results {
		rows = append(rows, row{r.Name, r.Practice, r.Report})
		if violations(r.Report) == 0 {
			failures = append(failures, fmt.Errorf("%s violates nothing, so the checker does not see enough", r.Name))
		}
	}
	o.Steps, o.Count = steps, true
	own, err := history.Check(ctx, open, o)
	if err != nil {
		return err
	}
	if violations(own) > 0 {
		failures = append(failures, fmt.Errorf("txcache violates promises; go test -run TestNoHistoryViolatesAPromise ./acceptance/histories tells how, with TXCACHE_SEED=%d", o.Seed))
	}
	rows = append(rows, row{"**txcache**", "this library", own})
	return errors.Join(append(failures, write(out, rows))...)
}

// so is how the tests say what they have checked so far.
var so = regexp.MustCompile(`so far (\d+) hits altogether, (\d+) of them with faults`)

// faults runs the histories with faults, which need a clock of their own and are
// tests therefore.
func faults(ctx context.Context, out io.Writer) error {
	test := command(ctx, "go", "test", "-count=1", "-run=^TestNoFaultOfAnAuthorityViolatesAPromise$", "-v", ".")
	test.Env = append(os.Environ(), "TXCACHE_HISTORY=4")
	text, err := test.Output()
	if err != nil {
		fmt.Fprintf(out, "%s\n", text)
		return fmt.Errorf("histories with faults: %w", err)
	}
	hits := 0
	for _, match := range so.FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(match[2])) // it matched digits
		hits = max(hits, n)
	}
	if hits == 0 {
		return errors.New("histories with faults: nothing was checked")
	}
	_, err = fmt.Fprintf(out, "   %d hits checked, 0 violations\n", hits)
	return err
}

func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

func violations(r history.Report) (n int) {
	for _, count := range r.Violations {
		n += count
	}
	return n
}
