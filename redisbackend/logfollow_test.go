package redisbackend_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/backend"
)

// A deleted model knows when each key was deleted last in the generation of its cache.
type deletedModel map[string]map[uint64]uint64

func (m deletedModel) add(number uint64, keys []backend.Keys) {
	for _, k := range keys {
		if m[k.Cache] == nil {
			m[k.Cache] = map[uint64]uint64{}
		}
		for _, h := range k.Hashes {
			m[k.Cache][h] = number
		}
	}
}

// check compares what s says of keys: each delete is there, unless the floor stands
// for it, and no key is deleted but for the floor.
func (m deletedModel) check(t *testing.T, whose string, s *backend.State, hashes []uint64) {
	t.Helper()
	for _, cache := range append(slices.Clone(modelCaches), "") {
		of := s.Deletes.Of(cache)
		for _, h := range hashes {
			last, before := of.Last(h)
			if true := m[cache][h]; last < true || last != true && last != of.Floor() || before > last || last > of.Latest() || last > s.Number {
				t.Fatalf("%s: %d was deleted from %q in %d and before in %d, floor %d, latest %d, state %d; in truth in %d", whose, h, cache, last, before, of.Floor(), of.Latest(), s.Number, true)
			}
		}
	}
}

var modelCaches = []string{"a", "b", "c d"}

// Whatever happens, a process that learns of it by differences knows what one
// knows that reads everything (P3, P4).
func TestDifferencesMakeTheWhole(t *testing.T) {
	t.Parallel()
	seeds := 4
	if testing.Short() {
		seeds = 2
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *miniredis.Miniredis, follower *process) {
				r := rand.New(rand.NewPCG(seed, 14))
				writer := over(t, dialing(server), nil)
				settled(t, follower)
				model, standing := deletedModel{}, []backend.Fence{}
				some := func() []uint64 {
					if r.IntN(24) == 0 {
						return run(r.Uint64N(5000), 4096)
					}
					return run(r.Uint64N(20), 1+r.IntN(3))
				}
				random := func() backend.Fence {
					s := mustSync(t, writer.Backend, "shop")
					f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute}
					for _, c := range append([]string{""}, modelCaches...) {
						switch {
						case r.IntN(3) == 0:
							f.Keys = append(f.Keys, backend.Keys{Cache: c, Hashes: some()})
						case c != "" && r.IntN(8) == 0:
							f.Caches = append(f.Caches, backend.Generation{Cache: c, Token: s.Token(c)})
						}
					}
					f.All = r.IntN(40) == 0
					return f
				}
				cleared := func(number uint64, f backend.Fence) {
					if f.All {
						clear(model)
					}
					for _, g := range f.Caches {
						delete(model, g.Cache)
					}
					model.add(number, f.Keys)
				}
				for range 100 {
					for range r.IntN(5) {
						switch f := random(); r.IntN(8) {
						case 0:
							if err := writer.Fence(t.Context(), "shop", f); err != nil {
								t.Fatal(err)
							}
							standing = append(standing, f)
						case 1:
							if len(standing) > 0 {
								if err := writer.Unfence(t.Context(), "shop", standing[0]); err != nil {
									t.Fatal(err)
								}
								standing = standing[1:]
							}
						case 2:
							if len(standing) == 0 {
								continue
							}
							f, standing = standing[0], standing[1:]
							fallthrough
						default:
							s, err := writer.Clear(t.Context(), "shop", f)
							if err != nil {
								t.Fatal(err)
							}
							cleared(s.Number, f)
						}
					}
					switch r.IntN(30) {
					case 0: // leases end
						mustSync(t, follower.Backend, "shop")
						time.Sleep(time.Minute + time.Millisecond)
						s := mustSync(t, follower.Backend, "shop")
						for _, f := range standing { // in the order of the lines, under one version
							if f.All {
								clear(model)
							}
							for _, g := range f.Caches {
								delete(model, g.Cache)
							}
						}
						for _, f := range standing {
							model.add(s.Number, f.Keys)
						}
						standing = nil
					case 1:
						if err := writer.Drop(t.Context(), "shop"); err != nil {
							t.Fatal(err)
						}
						clear(model)
						standing = nil
					}
					got := mustSync(t, follower.Backend, "shop")
					fresh := over(t, dialing(server), nil)
					whole := mustSync(t, fresh.Backend, "shop")
					_ = fresh.Close()
					if a, b := comparable(got), comparable(whole); a != b {
						t.Fatalf("by differences: %s\n  as the whole: %s", a, b)
					}
					hashes := append(run(0, 25), r.Uint64N(9100), r.Uint64N(9100), 1<<63)
					model.check(t, "by differences", got, hashes)
					model.check(t, "as the whole", whole, hashes)
				}
			})
		})
	}
}

// comparable is all of a state but its version and deletes.
func comparable(s *backend.State) string {
	keys := slices.Clone(s.FencedKeys)
	slices.SortFunc(keys, func(a, b backend.Keys) int {
		return cmp.Or(cmp.Compare(a.Cache, b.Cache), slices.Compare(a.Hashes, b.Hashes))
	})
	return fmt.Sprintf("%d %s %s %v %v %t %x", s.Number, s.Epoch, s.Base, s.Caches, s.Fenced, s.AllFenced, keys)
}

// A process that is one or two changes behind asks for nothing but these, one that
// is more behind runs a script, and one that is far behind reads the whole.
func TestAProcessFollows(t *testing.T) {
	for _, c := range []struct {
		behind  int
		scripts int
	}{{0, 0}, {1, 0}, {2, 0}, {3, 1}, {1000, 1}, {1030, 1}} {
		t.Run(fmt.Sprint(c.behind), func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
				other := over(t, dialing(server), nil)
				mustClear(t, other.Backend, "shop", "a")
				settled(t, p)
				g := newGate(p.client)
				var last *backend.State
				for i := range c.behind {
					last = mustDelete(t, other.Backend, "shop", "a", uint64(i))
				}
				got := mustSync(t, p.Backend, "shop")
				if n := g.count("evalsha"); n != c.scripts || g.count("hmget") != 1 {
					t.Errorf("%d scripts and %d plain reads, want %d and 1", n, g.count("hmget"), c.scripts)
				}
				if last != nil && (got.Number != last.Number || got.Epoch != last.Epoch) {
					t.Errorf("the state is at %d, want %d", got.Number, last.Number)
				}
				for i := range c.behind {
					if n, _ := got.Deletes.Of("a").Last(uint64(i)); n == 0 {
						t.Fatalf("the delete of %d is not known", i)
					}
				}
			})
		})
	}
}

// A fence of keys is seen, looked after and lifted without scripts.
func TestFencedKeysAreFollowed(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		other := over(t, dialing(server), nil)
		settled(t, p)
		g := newGate(p.client)
		f := deleting("c d", run(1, 4096)...)
		f.Keys = append([]backend.Keys{{Hashes: []uint64{7}}}, f.Keys...)
		for range 3 { // placed and renewed
			if err := other.Fence(t.Context(), "shop", f); err != nil {
				t.Fatal(err)
			}
			s := mustSync(t, p.Backend, "shop")
			if got, want := comparable(&backend.State{FencedKeys: s.FencedKeys}), comparable(&backend.State{FencedKeys: f.Keys}); got != want {
				t.Fatalf("the fenced keys are %.200s, want %.200s", got, want)
			}
			if len(s.Fenced) > 0 || s.AllFenced {
				t.Fatalf("caches are fenced: %v", s.Fenced)
			}
			time.Sleep(50 * time.Second)
		}
		if n := g.count("evalsha"); n > 0 {
			t.Errorf("%d scripts were run, though nobody's lease has ended", n)
		}
		if _, err := other.Clear(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		s := mustSync(t, p.Backend, "shop")
		last, _ := s.Deletes.Of("c d").Last(4096)
		tag, _ := s.Deletes.Of("").Last(7)
		if len(s.FencedKeys) > 0 || last != s.Number || tag != s.Number {
			t.Errorf("%d fences stand, and the keys were deleted in %d and %d, want %d", len(s.FencedKeys), last, tag, s.Number)
		}
		if n := g.count("evalsha"); n > 0 {
			t.Errorf("%d scripts were run", n)
		}
	})
}
