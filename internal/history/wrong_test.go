package history_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/baseline"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

// A cache that always misses violates no promise; Quiet and Recover find it out.
func TestACacheThatNeverHitsIsCaught(t *testing.T) {
	if report, err := history.Check(t.Context(), never, history.Options{Seed: 1}); err != nil || report.Hits != 0 {
		t.Errorf("Check: %v, %v", report, err)
	}
	if _, err := history.Quiet(t.Context(), never); err == nil || !strings.Contains(err.Error(), "misses") {
		t.Errorf("Quiet: %v", err)
	}
	world := history.World{Faults: []history.Fault{{Name: "nothing happens", Befall: func(context.Context) {}}}}
	if _, _, err := history.Recover(t.Context(), never, world, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), "server 0 does not cache again") {
		t.Errorf("Recover: %v", err)
	}
}

// Recover tells how long it took; what is hit meanwhile is checked.
func TestRecoverFindsWhatFaultsDo(t *testing.T) {
	open, faults := baseline.VersionedLost.Faulty()
	var v *history.Violation
	if _, _, err := history.Recover(t.Context(), open, history.World{Faults: faults}, time.Second); !errors.As(err, &v) || v.Rule != history.Stale {
		t.Errorf("Recover of a wrong cache: %v", err)
	}
	slow := history.Fault{Name: "it takes a while", Befall: func(context.Context) {}}
	if _, fault, err := history.Recover(t.Context(), subject.Memory(), history.World{Faults: []history.Fault{slow}}, time.Second); err != nil || fault != slow.Name {
		t.Errorf("Recover: %q, %v", fault, err)
	}
}

func never(context.Context, int, []history.CacheSpec) ([]history.Server, error) {
	return []history.Server{misses{}, misses{}}, nil
}

func TestWrongAnswersAreCaught(t *testing.T) {
	for name, wrong := range map[string]history.Server{"commit hides the error": liar{}, "commit panics": brute{}} {
		t.Run(name, func(t *testing.T) {
			open := func(context.Context, int, []history.CacheSpec) ([]history.Server, error) {
				return []history.Server{wrong, wrong}, nil
			}
			_, err := history.Check(t.Context(), open, history.Options{Seed: 1})
			var v *history.Violation
			if !errors.As(err, &v) || v.Rule != history.Failed {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// A liar hides that a commit failed.
type liar struct{ misses }

func (l liar) Begin(context.Context, string, bool) (history.Tx, error) { return l, nil }
func (l liar) As(history.Who) history.Tx                               { return l }
func (l liar) CommitWith(ctx context.Context, commit func(context.Context) error) error {
	commit(ctx)
	return nil
}

// A brute panics.
type brute struct{ misses }

func (b brute) Begin(context.Context, string, bool) (history.Tx, error) { return b, nil }
func (b brute) CommitWith(context.Context, func(context.Context) error) error {
	panic("out of order")
}

// misses is a server, and a transaction of it, that caches nothing.
type misses struct{}

func (misses) Begin(context.Context, string, bool) (history.Tx, error) { return misses{}, nil }
func (misses) Drop(context.Context, string) error                      { return nil }
func (misses) Close() error                                            { return nil }
func (m misses) As(history.Who) history.Tx                             { return m }
func (misses) Get(context.Context, int, string) (v history.Value, ok bool) {
	return v, false
}
func (misses) GetMany(context.Context, int, []string) map[string]history.Value { return nil }
func (misses) Load(ctx context.Context, _ int, _ string, load func(context.Context) (history.Value, error)) (history.Value, error) {
	return load(ctx)
}
func (misses) LoadMany(ctx context.Context, _ int, keys []string, load func(context.Context, []string) (map[string]history.Value, error)) (map[string]history.Value, error) {
	slices.Sort(keys)
	return load(ctx, slices.Compact(keys))
}
func (misses) Set(int, string, history.Value)              {}
func (misses) SetAbsent(int, string)                       {}
func (misses) Clear(int) error                             { return nil }
func (misses) ClearAll() error                             { return nil }
func (misses) Delete(int, ...string) error                 { return nil }
func (misses) ClearTags(...string) error                   { return nil }
func (m misses) Savepoint(fn func(history.Tx) error) error { return fn(m) }
func (misses) CommitWith(ctx context.Context, commit func(context.Context) error) error {
	return commit(ctx)
}
func (misses) Rollback() error { return nil }
