// Bench compares txcache with what else a Go program would use, and writes what
// came of it as tables, charts and raw figures.
//
//	go -C bench run . -o ../docs/benchmarks
//
// It starts a redis-server of its own if there is one on the PATH, and leaves
// out what needs one if there is none. Without -o the tables go to the standard
// output. How it measures is said in package measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/hitratio"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/bench/redisserver"
	"github.com/seed-dad15c92/txcache/bench/report"
	"github.com/seed-dad15c92/txcache/bench/workloads"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run is the program: it tells of its progress on log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	only := flags.String("only", "", "measure only what `regexp` matches, in section, name or peer")
	rounds := flags.Int("rounds", 21, "rounds of each pair")
	slice := flags.Duration("slice", 75*time.Millisecond, "time of one side in one round")
	folder := flags.String("o", "", "write README.md, charts and results.json into this `folder`")
	file := flags.String("json", "", "write the raw results to this `file`")
	quick := flags.Bool("quick", false, "a trial: few short rounds, small sizes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *rounds < 1 || *slice <= 0 {
		return errors.New("expected flags alone, with a round at least and a slice above 0; see -h")
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	env := workloads.Env{Scale: 1}
	options := measure.Options{Rounds: *rounds, Slice: *slice}
	if *quick {
		env.Scale, options = 0.02, measure.Options{Rounds: min(*rounds, 5), Slice: min(*slice, 10*time.Millisecond)}
	}

	server, err := redisserver.Start(ctx)
	switch {
	case err == nil:
		defer server.Close()
		env.Redis = server.Addr
	case errors.Is(err, redisserver.ErrNone):
		fmt.Fprintln(log, "without Redis:", err)
		server = &redisserver.Server{}
	default:
		return err
	}
	r := &report.Report{Machine: report.ThisMachine(server.Version), Options: options}
	if r.Results, err = compareAll(ctx, env, wanted, options, log); err != nil {
		return err
	}
	if r.HitRatios, err = hitRatios(wanted, *quick, log); err != nil {
		return err
	}
	if len(r.Results) == 0 && len(r.HitRatios) == 0 {
		return errors.New("nothing to measure")
	}
	if *file != "" {
		if err := r.WriteJSON(*file); err != nil {
			return err
		}
	}
	if *folder != "" {
		return r.WriteFolder(*folder)
	}
	return r.WriteMarkdown(out)
}

// compareAll measures the pairs that are wanted, each on an empty server.
func compareAll(ctx context.Context, env workloads.Env, wanted *regexp.Regexp, options measure.Options, log io.Writer) ([]*measure.Result, error) {
	var results []*measure.Result
	for _, p := range workloads.All(env) {
		if !wanted.MatchString(p.Section + "; " + p.Name + "; " + p.Peer.Name) {
			continue
		}
		if env.Redis != "" {
			if err := flush(ctx, env.Redis); err != nil {
				return nil, err
			}
		}
		result, err := measure.Compare(ctx, p, options)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(log, "%-75s %-32s %-32s %8.3f (%.3f–%.3f)\n", result.Title(), result.Subject.Name, result.Peer.Name, result.Ratio.Median, result.Ratio.Low, result.Ratio.High)
		results = append(results, result)
	}
	return results, nil
}

// hitRatios returns the hit ratios of eviction policies, if they are wanted.
func hitRatios(wanted *regexp.Regexp, quick bool, log io.Writer) ([]hitratio.Row, error) {
	if !wanted.MatchString(report.HitRatios) {
		return nil, nil
	}
	fmt.Fprintln(log, report.HitRatios)
	seeds := 5
	if quick {
		seeds = 1
	}
	return hitratio.Rows(seeds, "")
}

// flush empties the program's own server.
func flush(ctx context.Context, addr string) error {
	client := caches.NewClient(addr)
	defer client.Close()
	return client.FlushAll(ctx).Err()
}
