package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

const (
	// benchValues is how many values a benchmark keeps, for each client.
	benchValues = 100

	// benchSize is the length of each, in bytes.
	benchSize = 100
)

// A benchResult is the answer of bench.
type benchResult struct {
	Database   string            `json:"database"`
	Clients    int               `json:"clients"`
	Operations []operationResult `json:"operations"`
}

type operationResult struct {
	Name   string  `json:"name"`
	Count  int64   `json:"count"`
	Second float64 `json:"per_second"`
	P50    float64 `json:"p50_ms"`
	P90    float64 `json:"p90_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

func (p *program) benchCommand() *cobra.Command {
	var duration time.Duration
	var clients int
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what this Redis gives this library",
		Long: `Bench measures, with the library itself, what a service would get here:

  begin         a transaction begins: the state is made sure of
  near hit      a value is found within the process
  remote hit    a value is found on the server
  fill          a read-only transaction sets a value that it has loaded, and ends
  clear         a transaction clears a cache and commits: fence, commit, clear
  delete        a transaction deletes a key of a cache and commits likewise

It uses a database of its own, which it drops at the end by a walk over all keys of
the server. Meanwhile it keeps the server as busy as its clients can.`,
		Example:           `  txcache --config cache.toml bench --clients 16 --duration 30s`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if clients < 1 || clients > 10_000 {
				return usage("--clients is %d; it must be between 1 and 10000", clients)
			}
			if duration < 10*time.Millisecond {
				return usage("--duration is %v; it must be 10ms at least", duration)
			}
			return p.bench(cmd.Context(), clients, duration)
		},
	}
	cmd.Flags().DurationVar(&duration, "duration", 10*time.Second, "take about so long altogether")
	cmd.Flags().IntVar(&clients, "clients", 4, "goroutines that work at the same time")
	return cmd
}

func (p *program) bench(ctx context.Context, clients int, duration time.Duration) error {
	p.cleaning.Store(true) // it drops its database also when it is interrupted
	defer p.cleaning.Store(false)
	near, err := p.benchStore(ctx, false)
	if err != nil {
		return err
	}
	remote, err := p.benchStore(ctx, true)
	if err != nil {
		return errors.Join(err, near.Close())
	}
	r := benchResult{Database: "txcache bench " + string(backend.NewToken()), Clients: clients}
	if err := near.Sync(ctx, r.Database); err != nil {
		return errors.Join(err, near.Close(), remote.Close())
	}
	err = p.benchOver(ctx, near, remote, &r, duration)
	err = errors.Join(err, near.Close(), remote.Close())
	// Only now is nothing on its way any more that would bring the database back.
	if left := p.leave(ctx, r.Database); left != nil {
		left = fmt.Errorf("the database %s was left behind; drop it: %w", quoted(r.Database), left)
		if err == nil {
			return left
		}
		fmt.Fprintln(p.messages, left)
	}
	if err != nil {
		return err
	}
	return p.print(r, r.write)
}

// leave drops a database, also after Ctrl-C, but does not try for ever.
func (p *program) leave(ctx context.Context, database string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return p.operate(ctx, func(s *txcache.Store, _ keeper) error { return s.Drop(ctx, database) })
}

// benchOver measures in the database of r and adds what it finds.
func (p *program) benchOver(ctx context.Context, near, remote *txcache.Store, r *benchResult, duration time.Duration) error {
	operations, err := benchOperations(ctx, near, remote, r.Database, r.Clients)
	if err != nil {
		return err
	}
	var done atomic.Int64
	defer p.progress("Measuring", done.Load)()
	for _, o := range operations {
		result, err := measure(ctx, o, r.Clients, duration/time.Duration(len(operations)))
		if err != nil {
			return err
		}
		r.Operations = append(r.Operations, result)
		done.Add(result.Count)
	}
	return nil
}

// benchStore opens a store, with values near, or on the server alone.
func (p *program) benchStore(ctx context.Context, remote bool) (*txcache.Store, error) {
	b, opts, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	opts.NoNear, opts.CommitOnOutage, opts.Sizes = remote, false, nil
	s, err := txcache.New(b, opts)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return s, nil
}

var errLost = errors.New("a value that was set is not there; the server may be out of memory")

// benchOperations fills caches and returns what is to be measured on them.
func benchOperations(ctx context.Context, near, remote *txcache.Store, database string, clients int) ([]operation, error) {
	size := &txcache.CacheOptions{ContextFree: true, Size: 2 * benchValues * clients}
	var caches []*txcache.Cache[string, string]
	for _, c := range []struct {
		store *txcache.Store
		name  string
	}{{near, "values"}, {remote, "values"}, {near, "filled"}, {near, "cleared"}, {near, "deleted"}} {
		cache, err := txcache.NewCache[string, string](c.store, c.name, size)
		if err != nil {
			return nil, err
		}
		caches = append(caches, cache)
	}
	nearValues, remoteValues, filled, cleared, deleted := caches[0], caches[1], caches[2], caches[3], caches[4]
	value := string(make([]byte, benchSize))
	key := func(client, i int) string { return strconv.Itoa(client) + "." + strconv.Itoa(i%benchValues) }

	err := near.View(ctx, database, func(tx *txcache.Tx) error {
		for client := range clients {
			for i := range benchValues {
				nearValues.Set(tx, key(client, i), value)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	hit := func(s *txcache.Store, cache *txcache.Cache[string, string]) (func(context.Context, int, int) error, error) {
		tx, err := s.BeginReadOnly(ctx, database)
		return func(ctx context.Context, client, i int) error {
			if _, ok := cache.Get(ctx, tx, key(client, i)); !ok {
				return because(ctx, errLost)
			}
			return nil
		}, err
	}
	nearHit, err := hit(near, nearValues)
	if err != nil {
		return nil, err
	}
	remoteHit, err := hit(remote, remoteValues)
	if err != nil {
		return nil, err
	}
	return []operation{
		{"begin", func(ctx context.Context, _, _ int) error {
			tx, err := near.BeginReadOnly(ctx, database)
			if err != nil {
				return err
			}
			if tx.SyncedAt().IsZero() {
				return because(ctx, unavailableError{errors.New("the server could not be reached in time")})
			}
			return tx.Rollback()
		}},
		{"near hit", nearHit},
		{"remote hit", remoteHit},
		{"fill", func(ctx context.Context, client, i int) error {
			return near.View(ctx, database, func(tx *txcache.Tx) error {
				filled.Set(tx, key(client, i), value)
				return nil
			})
		}},
		{"clear", func(ctx context.Context, _, _ int) error {
			return near.Update(ctx, database, cleared.Clear)
		}},
		{"delete", func(ctx context.Context, client, i int) error {
			return near.Update(ctx, database, func(tx *txcache.Tx) error { return deleted.Delete(tx, key(client, i)) })
		}},
	}, nil
}

func (r *benchResult) write(w io.Writer) {
	fmt.Fprintf(w, "%d clients, values of %d bytes\n\n", r.Clients, benchSize)
	t := table{{"OPERATION", "COUNT", "PER SECOND", "P50", "P90", "P99", "MAX"}}
	ms := func(f float64) string { return strconv.FormatFloat(f, 'f', 4, 64) + " ms" }
	for _, o := range r.Operations {
		t.row(o.Name, strconv.FormatInt(o.Count, 10), strconv.FormatFloat(o.Second, 'f', 0, 64), ms(o.P50), ms(o.P90), ms(o.P99), ms(o.Max))
	}
	t.write(w)
}
