package backendtest_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func TestCheckRefusesAnAuthorityThatCannotBeTested(t *testing.T) {
	open := func(context.Context) (backend.Backend, error) { return memorybackend.New(), nil }
	tests := []struct {
		name      string
		authority backendtest.Authority
		want      string
	}{
		{"no Open", backendtest.Authority{}, "Open is nil"},
		{"negative lease", backendtest.Authority{Open: open, Lease: -1, Advance: time.Sleep}, "negative"},
		{"negative staleness", backendtest.Authority{Open: open, Staleness: -1, Advance: time.Sleep}, "negative"},
		{"a lease without time", backendtest.Authority{Open: open, Lease: 1}, "no Advance"},
		{"staleness without time", backendtest.Authority{Open: open, Staleness: 1}, "no Advance"},
		{"Open fails", backendtest.Authority{Open: func(context.Context) (backend.Backend, error) {
			return nil, errors.New("connection refused")
		}}, "connection refused"},
		{"Open returns nothing", backendtest.Authority{Open: func(context.Context) (backend.Backend, error) {
			return nil, nil
		}}, "neither"},
		{"Open panics", backendtest.Authority{Open: func(context.Context) (backend.Backend, error) {
			panic("no address")
		}}, "no address"},
		{"Open ends its goroutine", backendtest.Authority{Open: func(context.Context) (backend.Backend, error) {
			runtime.Goexit()
			return nil, nil
		}}, "ended its goroutine"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := backendtest.Rules()[0].Check(t.Context(), test.authority)
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, backendtest.ErrSkipped) {
				t.Errorf("Check returned %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestCheckSkipsWhatDoesNotApply(t *testing.T) {
	for _, rule := range backendtest.Rules() {
		about, _, _ := strings.Cut(rule.Name, "-")
		if about != "lease" && about != "value" && about != "values" {
			continue
		}
		t.Run(rule.Name, func(t *testing.T) {
			err := rule.Check(t.Context(), backendtest.Authority{
				Open: func(context.Context) (backend.Backend, error) { return memorybackend.New(), nil },
			})
			if !errors.Is(err, backendtest.ErrSkipped) {
				t.Errorf("Check of a backend without leases and values returned %v, want ErrSkipped", err)
			}
		})
	}
}

// A backend that does not count is given clears in place of deletes, so the rules about
// these do not apply to it; it keeps all others.
func TestABackendThatDoesNotCountNeedsNoDeletes(t *testing.T) {
	skipped := 0
	for _, rule := range backendtest.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			err := check(t, rule, 0, func(b *broken) {
				altered(b, func(s *backend.State) { s.Number, s.Deletes, s.FencedKeys = 0, nil, nil })
			})
			if errors.Is(err, backendtest.ErrSkipped) {
				skipped++
				if !strings.Contains(err.Error(), "does not count") {
					t.Errorf("the rule is skipped for another reason: %v", err)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	if skipped < 15 {
		t.Errorf("%d rules are skipped, want all of those about numbers and deletes", skipped)
	}
}

func TestRulesHaveNamesAndReasons(t *testing.T) {
	seen := map[string]bool{}
	for _, rule := range backendtest.Rules() {
		if seen[rule.Name] || strings.Trim(rule.Name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			t.Errorf("the name %q is not lower-case words joined by hyphens, or not unique", rule.Name)
		}
		if len(rule.Why) < 40 {
			t.Errorf("the rule %s has no reason: %q", rule.Name, rule.Why)
		}
		seen[rule.Name] = true
	}
}

func TestRunChecksAFreshAuthorityForEachRule(t *testing.T) {
	opened := 0
	backendtest.Run(t, func(*testing.T) backendtest.Authority {
		opened++
		a := newAuthority()
		return backendtest.Authority{Open: func(context.Context) (backend.Backend, error) { return a.open(), nil }}
	})
	if want := len(backendtest.Rules()); opened != want {
		t.Errorf("Run opened %d authorities, want %d", opened, want)
	}
}
