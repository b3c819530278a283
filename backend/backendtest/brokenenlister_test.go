package backendtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
)

// brokenEnlister is an Enlister whose methods a test replaces.
type brokenEnlister struct {
	*enlistertest.Backend
	db     *enlistertest.DB
	state  func(ctx context.Context, q backend.Querier, database string) (*backend.State, error)
	exact  func(bool) bool
	record func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error)
	clear  func(ctx context.Context, database string, f backend.Fence) (*backend.State, error)
	drop   func(ctx context.Context, database string) error
	fence  func(ctx context.Context, database string, f backend.Fence) error
	close  func() error
}

func (b *brokenEnlister) State(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
	return b.state(ctx, q, database)
}

func (b *brokenEnlister) StateExact(ctx context.Context, q backend.Querier, database string) (*backend.State, bool, error) {
	s, exact, err := b.Backend.StateExact(ctx, q, database)
	return s, b.exact(exact), err
}

func (b *brokenEnlister) Sync(ctx context.Context, database string) (*backend.State, error) {
	if _, err := b.Backend.Sync(ctx, database); err != nil {
		return nil, err
	}
	tx := b.db.Begin(false)
	defer tx.Rollback()
	return b.state(ctx, tx, database)
}

func (b *brokenEnlister) Record(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
	return b.record(ctx, q, database, from, f)
}

func (b *brokenEnlister) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	return b.clear(ctx, database, f)
}

func (b *brokenEnlister) Drop(ctx context.Context, database string) error {
	return b.drop(ctx, database)
}

func (b *brokenEnlister) Fence(ctx context.Context, database string, f backend.Fence) error {
	return b.fence(ctx, database, f)
}

func (b *brokenEnlister) Close() error { return b.close() }

// changes makes the states of b others, the same of the same one.
func (b *brokenEnlister) changes(change func(s *backend.State)) {
	var mu sync.Mutex
	made := map[*backend.State]*backend.State{}
	b.state = func(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
		s, err := b.Backend.State(ctx, q, database)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		if made[s] == nil {
			clone := *s
			clone.Caches = slices.Clone(s.Caches)
			change(&clone)
			made[s] = &clone
		}
		return made[s], nil
	}
}

// enlisterVariant is an Enlister that breaks a rule; what completes "an Enlister whose".
type enlisterVariant struct {
	rule, what string
	breakIt    func(*brokenEnlister)
}

func trimmed(name string) string {
	if s := strings.TrimSpace(name); s != "" {
		return s
	}
	return name
}

func TestEveryRuleOfEnlistersFindsWhoBreaksIt(t *testing.T) {
	rules := map[string]backendtest.EnlisterRule{}
	for _, rule := range backendtest.EnlisterRules() {
		rules[rule.Name] = rule
		if len(rule.Why) < 40 {
			t.Errorf("the rule %s has no reason: %q", rule.Name, rule.Why)
		}
	}
	found := map[string]bool{}
	for _, v := range brokenEnlisters {
		t.Run(v.rule+"/"+strings.ReplaceAll(v.what, " ", "-"), func(t *testing.T) {
			rule, ok := rules[v.rule]
			if !ok {
				t.Fatalf("there is no rule %q", v.rule)
			}
			found[v.rule] = true
			db := enlistertest.New()
			err := rule.Check(t.Context(), underTest(db, func(r *enlistertest.Backend) backend.Enlister {
				b := &brokenEnlister{
					Backend: r, db: db, state: r.State, exact: func(exact bool) bool { return exact },
					record: r.Record, clear: r.Clear, drop: r.Drop, fence: r.Fence, close: r.Close,
				}
				v.breakIt(b)
				return b
			}))
			if err == nil || errors.Is(err, backendtest.ErrSkipped) {
				t.Fatalf("the rule %s let an Enlister pass whose %s: %v", v.rule, v.what, err)
			}
			if !strings.Contains(err.Error(), v.rule) || !strings.Contains(err.Error(), rule.Why) {
				t.Errorf("the error does not tell the rule and the reason: %v", err)
			}
			t.Log(err)
		})
	}
	for name := range rules {
		if !found[name] {
			t.Errorf("no broken Enlister shows that the rule %s can fail", name)
		}
	}
}
