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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/bench/report"
)

func main() {
	if plan := os.Getenv(planVariable); plan != "" {
		os.Exit(serve(plan))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := asTest(func(t testing.TB) error { return run(ctx, t, os.Args[1:], os.Stdout, os.Stderr) })
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		stop()
		os.Exit(1)
	}
}

// Settings are what all variants have in common.
type Settings struct {
	Rows    int           // of the table
	Read    int           // rows that a request reads
	Writes  float64       // share of the requests that change a row
	Skew    float64       // exponent of Zipf's law, by which rows are chosen
	Hot     bool          // rows are changed as often as they are read; else each as often as the others
	Clients int           // of a service, each of which has one request at a time
	Pool    int           // connections to PostgreSQL, of a service
	Warm    time.Duration // how long a service runs before it is measured
	Time    time.Duration // how long it is measured
	Rounds  int           // how often each variant is measured
}

// run is the program: it starts servers for t, and tells of its progress on log.
func run(ctx context.Context, t testing.TB, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("service", flag.ContinueOnError)
	flags.SetOutput(log)
	s := Settings{Rows: 10_000, Read: 20, Writes: 0.05, Skew: 1.1}
	only := flags.String("only", "", "measure only variants whose name matches `regexp`, and PostgreSQL alone")
	flags.IntVar(&s.Clients, "clients", 64, "clients of a service, each of which has one request at a time")
	flags.IntVar(&s.Pool, "pool", 16, "connections to PostgreSQL, of all processes of a service")
	flags.DurationVar(&s.Time, "time", 5*time.Second, "how long a variant is measured in a round")
	flags.DurationVar(&s.Warm, "warm", 3*time.Second, "how long a service runs before it is measured")
	flags.IntVar(&s.Rounds, "rounds", 5, "rounds, in each of which each variant is measured once")
	folder := flags.String("o", "", "write service.md and its charts into this `folder`")
	quick := flags.Bool("quick", false, "a trial: one short round")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || s.Clients < 2 || s.Pool < 2 || s.Time <= 0 || s.Rounds < 1 {
		return errors.New("expected flags alone, with two clients and connections at least, a time above 0 and a round; see -h")
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if *quick {
		s.Time, s.Rounds = min(s.Time, time.Second), 1
	}
	stage, err := newStage(ctx, t, s)
	if err != nil {
		return err
	}
	p := page{settings: s, machine: report.ThisMachine(stage.redis.Version), postgres: stage.version}
	if average, err := os.ReadFile("/proc/loadavg"); err == nil {
		p.load, _, _ = strings.Cut(string(average), " ")
	}
	p.tables = []*table{
		{title: "Each row is changed as often as the others", chart: "service.svg"},
		{title: "Rows are changed as often as they are read", chart: "service-hot.svg", hot: true},
	}
	for _, t := range p.tables {
		for _, v := range variants {
			if v.Name == alone || wanted.MatchString(v.Name) {
				t.rows = append(t.rows, &row{variant: v})
			}
		}
	}
	for round := range s.Rounds {
		for _, t := range p.tables {
			for i := range t.rows {
				row := t.rows[(i+round)%len(t.rows)] // none always has the same neighbour in time
				m, err := stage.measure(ctx, row.variant, t.hot)
				if err != nil {
					return fmt.Errorf("%s: %w", row.variant.Name, err)
				}
				row.add(m, s.Time)
				fmt.Fprintf(log, "round %d of %d, %s: %-32s %v\n", round+1, s.Rounds, t.title, row.variant.Name, row.latest())
			}
		}
	}
	if *folder != "" {
		return p.writeFolder(*folder)
	}
	_, err = io.WriteString(out, p.text(false))
	return err
}
