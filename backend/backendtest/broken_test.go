package backendtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
)

// broken is a server whose methods a test replaces.
type broken struct {
	*server
	sync    func(context.Context, string) (*backend.State, error)
	fence   func(context.Context, string, backend.Fence) error
	clear   func(context.Context, string, backend.Fence) (*backend.State, error)
	unfence func(context.Context, string, backend.Fence) error
	drop    func(context.Context, string) error
	close   func() error
	get     func(context.Context, []backend.Key) ([][]byte, error)
	set     func(context.Context, []backend.Value) error
	swap    func(context.Context, []backend.Swap) ([][]byte, error)
	timed   func(context.Context, []backend.Key) ([][]byte, []time.Duration, error)
	forget  func(database string) bool
}

func newBroken(s *server, breakIt func(*broken)) *broken {
	b := &broken{
		server: s, sync: s.Sync, fence: s.Fence, clear: s.Clear, unfence: s.Unfence,
		drop: s.Drop, close: s.Close, get: s.Get, set: s.Set, swap: s.Swap, timed: s.GetTimed, forget: s.Forget,
	}
	breakIt(b)
	return b
}

func (b *broken) Sync(ctx context.Context, database string) (*backend.State, error) {
	return b.sync(ctx, database)
}

func (b *broken) Fence(ctx context.Context, database string, f backend.Fence) error {
	return b.fence(ctx, database, f)
}

func (b *broken) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	return b.clear(ctx, database, f)
}

func (b *broken) Unfence(ctx context.Context, database string, f backend.Fence) error {
	return b.unfence(ctx, database, f)
}

func (b *broken) Drop(ctx context.Context, database string) error { return b.drop(ctx, database) }

func (b *broken) Close() error { return b.close() }

func (b *broken) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	return b.get(ctx, keys)
}

func (b *broken) Set(ctx context.Context, values []backend.Value) error { return b.set(ctx, values) }

func (b *broken) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	return b.swap(ctx, swaps)
}

func (b *broken) GetTimed(ctx context.Context, keys []backend.Key) ([][]byte, []time.Duration, error) {
	return b.timed(ctx, keys)
}

func (b *broken) Forget(database string) bool { return b.forget(database) }

// check runs one rule in a bubble on backends that breakIt has broken.
func check(t *testing.T, rule backendtest.Rule, staleness time.Duration, breakIt func(*broken)) (err error) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a := newAuthority()
		a.staleness = staleness
		under := a.underTest(func(s *server) backend.Backend { return newBroken(s, breakIt) })
		err = rule.Check(ctx, under)
		time.Sleep(2 * time.Hour) // lets calls return that Check gave up on
	})
	return err
}

func TestReferenceKeepsEveryRule(t *testing.T) {
	for _, staleness := range []time.Duration{0, 5 * time.Minute} {
		for _, rule := range backendtest.Rules() {
			t.Run(rule.Name+"/"+staleness.String(), func(t *testing.T) {
				if err := check(t, rule, staleness, func(*broken) {}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestEveryRuleFindsWhoBreaksIt(t *testing.T) {
	rules := map[string]backendtest.Rule{}
	for _, rule := range backendtest.Rules() {
		rules[rule.Name] = rule
	}
	found := map[string]bool{}
	for _, v := range slices.Concat(brokenStates, brokenFences, brokenClears, brokenLeases, brokenRestarts, brokenDrops, brokenNumbers, brokenDeletes, brokenKeyFences, brokenDifferences, brokenValues, brokenTimes, brokenSwaps, brokenForgets, brokenCalls) {
		t.Run(strings.ReplaceAll(v.what, " ", "-"), func(t *testing.T) {
			rule, ok := rules[v.rule]
			if !ok {
				t.Fatalf("there is no rule %q", v.rule)
			}
			found[v.rule] = true
			err := check(t, rule, 0, v.breakIt)
			if err == nil || errors.Is(err, backendtest.ErrSkipped) {
				t.Fatalf("the rule %s let a backend pass whose %s: %v", v.rule, v.what, err)
			}
			if !strings.Contains(err.Error(), v.rule) || !strings.Contains(err.Error(), rule.Why) {
				t.Errorf("the error does not tell the rule and the reason: %v", err)
			}
			t.Log(err)
		})
	}
	for name := range rules {
		if !found[name] {
			t.Errorf("no broken backend shows that the rule %s can fail", name)
		}
	}
}

// variant is a backend that breaks a rule; what completes "a backend whose".
type variant struct {
	rule    string
	what    string
	breakIt func(*broken)
}

// altered makes b return the States that change makes of the right ones. The
// same State always becomes the same one.
func altered(b *broken, change func(*backend.State)) {
	made := map[*backend.State]*backend.State{}
	alter := func(s *backend.State, err error) (*backend.State, error) {
		if err != nil {
			return nil, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if made[s] == nil {
			clone := *s
			clone.Caches, clone.Fenced = slices.Clone(s.Caches), slices.Clone(s.Fenced)
			clone.FencedKeys = slices.Clone(s.FencedKeys)
			change(&clone)
			made[s] = &clone
		}
		return made[s], nil
	}
	b.sync = func(ctx context.Context, database string) (*backend.State, error) {
		return alter(b.server.Sync(ctx, database))
	}
	b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
		return alter(b.server.Clear(ctx, database, f))
	}
}

// standing is the fences that stand in database.
func (b *broken) standing(database string) []backend.Fence {
	b.mu.Lock()
	defer b.mu.Unlock()
	var fences []backend.Fence
	for _, l := range b.leases[database] {
		fences = append(fences, l.fence)
	}
	return fences
}
