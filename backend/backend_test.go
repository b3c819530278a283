package backend_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

func TestStateTellsTheTokenOfEachCache(t *testing.T) {
	three := &backend.State{Base: "base", Caches: []backend.Generation{{"B", "1"}, {"a", "2"}, {"é", "3"}}}
	tests := []struct {
		name  string
		state *backend.State
		cache string
		want  backend.Token
	}{
		{"none was cleared", &backend.State{Base: "base"}, "a", "base"},
		{"the first", three, "B", "1"},
		{"the middle one", three, "a", "2"},
		{"the last", three, "é", "3"},
		{"before the first", three, "A", "base"},
		{"between", three, "b", "base"},
		{"after the last", three, "日", "base"},
		{"a prefix", three, "", "base"},
		{"zero State", &backend.State{}, "a", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.state.Token(test.cache); got != test.want {
				t.Errorf("Token(%q) = %q, want %q", test.cache, got, test.want)
			}
		})
	}
}

func TestStateTellsWhichCachesAreFenced(t *testing.T) {
	some := &backend.State{Fenced: []string{"B", "a", "é"}}
	all := &backend.State{AllFenced: true}
	tests := []struct {
		name  string
		state *backend.State
		cache string
		want  bool
	}{
		{"no fence", &backend.State{}, "a", false},
		{"the first", some, "B", true},
		{"the middle one", some, "a", true},
		{"the last", some, "é", true},
		{"another case", some, "b", false},
		{"a longer name", some, "aa", false},
		{"cleared, not fenced", &backend.State{Caches: []backend.Generation{{"a", "1"}}}, "a", false},
		{"a fence on all", all, "a", true},
		{"a fence on all and on others", &backend.State{AllFenced: true, Fenced: []string{"b"}}, "a", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.state.IsFenced(test.cache); got != test.want {
				t.Errorf("IsFenced(%q) = %t, want %t", test.cache, got, test.want)
			}
		})
	}
}

func TestNewTokenIsShortLowerCaseText(t *testing.T) {
	for range 100 {
		token := string(backend.NewToken())
		if len(token) != 26 || strings.Trim(token, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
			t.Fatalf("NewToken() = %q, want 26 digits and lower-case letters", token)
		}
	}
}

func TestNewTokenIsNeverTheSame(t *testing.T) {
	const workers, each = 8, 5000
	made := make([][]backend.Token, workers)
	// In a bubble the clock stands still: only the random bits tell tokens apart.
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		for i := range workers {
			all.Go(func() {
				for range each {
					made[i] = append(made[i], backend.NewToken())
				}
			})
		}
		all.Wait()
	})
	tokens := slices.Concat(made...)
	slices.Sort(tokens)
	if n := len(slices.Compact(tokens)); n != workers*each {
		t.Errorf("%d tokens of one millisecond, %d of them different", workers*each, n)
	}
}

func TestNewTokenSortsByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tokens []backend.Token
		for _, d := range []time.Duration{0, time.Millisecond, time.Millisecond, time.Second, time.Hour, 40 * 365 * 24 * time.Hour} {
			time.Sleep(d)
			tokens = append(tokens, backend.NewToken())
		}
		if !slices.IsSorted(tokens) {
			t.Errorf("tokens in the order in which they were made: %q, want them sorted", tokens)
		}
	})
}

// Put keeps the caches sorted, each once, and the slice of the state that it was copied from.
func TestPutAgainstAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	for range 200 {
		state, want := backend.State{Base: "base"}, map[string]backend.Token{}
		for step := range 30 {
			changed := map[string]backend.Token{}
			for range random.IntN(5) {
				changed[string(rune('a'+random.IntN(12)))] = backend.Token(fmt.Sprint(step))
			}
			var list []backend.Generation
			for _, cache := range slices.Sorted(maps.Keys(changed)) {
				list = append(list, backend.Generation{Cache: cache, Token: changed[cache]})
			}
			before, kept := state, slices.Clone(state.Caches)
			state.Put(list)
			if !slices.Equal(before.Caches, kept) {
				t.Fatalf("Put(%v) changed the caches of the state before from %v to %v", list, kept, before.Caches)
			}
			maps.Copy(want, changed)
			if len(state.Caches) != len(want) || !slices.IsSortedFunc(state.Caches, func(a, b backend.Generation) int { return strings.Compare(a.Cache, b.Cache) }) {
				t.Fatalf("after Put(%v) the caches are %v, want %v, sorted", list, state.Caches, want)
			}
			for cache, token := range want {
				if got := state.Token(cache); got != token {
					t.Fatalf("after Put(%v) %q is at %q, want %q", list, cache, got, token)
				}
			}
		}
	}
}
