package redisbackend_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// deleting returns a fence of keys of one cache, or of tags.
func deleting(cache string, hashes ...uint64) backend.Fence {
	slices.Sort(hashes)
	return backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Keys: []backend.Keys{{Cache: cache, Hashes: slices.Compact(hashes)}}}
}

func mustDelete(t testing.TB, b *redisbackend.Backend, name, cache string, hashes ...uint64) *backend.State {
	t.Helper()
	s, err := b.Clear(t.Context(), name, deleting(cache, hashes...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run returns n hashes from first on.
func run(first uint64, n int) []uint64 {
	hashes := make([]uint64, n)
	for i := range hashes {
		hashes[i] = first + uint64(i)
	}
	return hashes
}

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

// The keys of a fence whose owner died are deleted when its lease ends (P5).
func TestALeaseThatEndsDeletes(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		other := over(t, dialing(server), nil)
		before := settled(t, p)
		f := deleting("a", run(1, 4096)...)
		if err := other.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		fenced := mustSync(t, p.Backend, "shop")
		time.Sleep(f.Lease + time.Millisecond)
		s := mustSync(t, p.Backend, "shop")
		last, _ := s.Deletes.Of("a").Last(4096)
		neighbour, _ := s.Deletes.Of("a").Last(4097)
		if last <= fenced.Number || neighbour != 0 || len(s.FencedKeys) > 0 || s.Token("a") != before.Token("a") {
			t.Errorf("the key was deleted in %d, its neighbour in %d, in the state %d; the fenced one was at %d", last, neighbour, s.Number, fenced.Number)
		}
		if late := mustSync(t, other.Backend, "shop"); late.Number != s.Number {
			t.Errorf("another process is at %d, want %d", late.Number, s.Number)
		}
	})
}

// Keys of a fence that somebody has spoilt may be any (P5).
func TestSpoiltKeysOfAFence(t *testing.T) {
	for _, item := range []string{"a#", "a#1", "a#000000000000000X", "#0000000000000001x", "a@b#0000000000000001"} {
		inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
			before := settled(t, p)
			server.HSet("txcache:shop:@", "f", "id 1 60000 0 !x "+item)
			other := over(t, dialing(server), nil)
			if s := mustSync(t, other.Backend, "shop"); s.Base == before.Base || len(s.FencedKeys) > 0 {
				t.Errorf("%q: the state is %+v; want that of a clear of all", item, s)
			}
			if s := mustSync(t, p.Backend, "shop"); s.Base == before.Base {
				t.Errorf("%q: the process that was there finds %+v", item, s)
			}
		})
	}
}

// A script of an older release changes the hash and keeps no log.
func TestAnOlderReleaseKeepsNoLog(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		const hash = "txcache:shop:@"
		other := over(t, dialing(server), nil)
		first := mustDelete(t, other.Backend, "shop", "a", 1)
		settled(t, p)
		for i, clear := range []func(){
			func() { server.HSet(hash, "ca", "t1") }, // beside a log
			func() { // there never was a log
				keys, _ := server.HKeys(hash)
				for _, f := range keys {
					if f[0] == 's' || f[0] == 'w' || f[0] == 'o' {
						server.HDel(hash, f)
					}
				}
				server.HSet(hash, "ca", "t2")
			},
		} {
			now := mustSync(t, p.Backend, "shop")
			clear()
			server.HSet(hash, "e", fmt.Sprintf("%s %d", now.Epoch, now.Number+1))
			keys, _ := server.HKeys(hash)
			server.HSet(hash, "n", fmt.Sprint(len(keys)))
			// A follower that knew the log to its end must not believe that nothing is missing.
			s := mustSync(t, p.Backend, "shop")
			if want := backend.Token(fmt.Sprint("t", i+1)); s.Token("a") != want || s.Epoch != now.Epoch || s.Number <= now.Number {
				t.Errorf("the state is %+v; want the token %s", s, want)
			}
			if last, _ := s.Deletes.Of("a").Last(1); i == 0 && last < first.Number {
				t.Error("the delete of before is forgotten, and no floor stands for it")
			}
			d := mustDelete(t, other.Backend, "shop", "a", 2)
			if last, _ := mustSync(t, p.Backend, "shop").Deletes.Of("a").Last(2); last != d.Number {
				t.Errorf("the next delete is known as %d, want %d", last, d.Number)
			}
		}
	})
}

// What does not fit into the log any more raises the floor of its cache, and of no other.
func TestTheLogForgets(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		old := mustDelete(t, p.Backend, "shop", "a", 1)
		tag := mustDelete(t, p.Backend, "shop", "", 2)
		for i := range uint64(5) {
			mustDelete(t, p.Backend, "shop", "b", run(i*backend.MaxDeletes/4, backend.MaxDeletes/4)...)
		}
		newer := mustDelete(t, p.Backend, "shop", "b", 3)
		s := mustSync(t, over(t, dialing(server), nil).Backend, "shop")
		for cache, want := range map[string]uint64{"a": old.Number, "": tag.Number, "c": 0} {
			if got, _ := s.Deletes.Of(cache).Last(5); got != want {
				t.Errorf("the floor of %q is %d, want %d", cache, got, want)
			}
		}
		b := s.Deletes.Of("b")
		if last, _ := b.Last(3); b.Floor() == 0 || b.Floor() >= newer.Number || last != newer.Number {
			t.Errorf("the floor of b is %d, and 3 was deleted in %d; the last delete is %d", b.Floor(), last, newer.Number)
		}
		// More than the log holds, at once.
		huge := mustDelete(t, p.Backend, "shop", "c", run(0, backend.MaxDeletes+1)...)
		s = mustSync(t, over(t, dialing(server), nil).Backend, "shop")
		if got, _ := s.Deletes.Of("c").Last(1 << 60); got != huge.Number || s.Deletes.Of("b").Floor() != newer.Number {
			t.Errorf("the floors are %d and %d, want %d and %d", got, s.Deletes.Of("b").Floor(), huge.Number, newer.Number)
		}
		// A clear of all forgets the deletes. The floors stay, one for each cache.
		f := backend.Fence{ID: backend.NewToken(), All: true, Lease: time.Minute}
		if _, err := p.Clear(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		if s := mustSync(t, over(t, dialing(server), nil).Backend, "shop"); s.Deletes.Len() != 0 || s.Deletes.Of("c").Floor() == 0 || s.Deletes.Of("").Floor() == 0 {
			t.Errorf("after a clear of all there are deletes, or no floors: %+v", s.Deletes)
		}
		if keys, _ := server.HKeys("txcache:shop:@"); len(keys) != 10 {
			t.Errorf("the hash has the fields %q", keys)
		}
	})
}

// An entry that is lost when it has to be forgotten may have been of any key.
func TestALostEntryIsAClearOfAll(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		before := mustDelete(t, p.Backend, "shop", "a", 1)
		settled(t, p)
		server.HSet("txcache:shop:@", "w1", "spoilt")
		mustDelete(t, p.Backend, "shop", "b", run(0, backend.MaxDeletes)...)
		s := mustSync(t, over(t, dialing(server), nil).Backend, "shop")
		if s.Token("a") == before.Token("a") {
			t.Errorf("the delete is forgotten without a trace: %+v", s)
		}
	})
}

// What is announced by a delete is followed as any other change.
func TestAnAnnouncedDeleteIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p, _ := hearing(t, server)
		other := over(t, dialing(server), nil)
		for i := range uint64(5) {
			trusting(t, p, "shop")
			trips := p.Stats().RoundTrips
			d := mustDelete(t, other.Backend, "shop", "a", i)
			synctest.Wait()
			s := mustSync(t, p.Backend, "shop")
			if last, _ := s.Deletes.Of("a").Last(i); last != d.Number {
				t.Errorf("the delete is known as %d, want %d", last, d.Number)
			}
			if n := p.Stats().RoundTrips - trips; n != 1 && i > 0 {
				t.Errorf("it took %d round trips", n)
			}
			if again := mustSync(t, p.Backend, "shop"); again != s || p.Stats().RoundTrips-trips > 1 && i > 0 {
				t.Error("what was learnt is not relied on")
			}
		}
	})
}

// A lease that ends in the call of a clear is a delete of its own: who has cleared must not
// take both for the one that it made (P4).
func TestALeaseThatEndsInAClear(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		other := over(t, dialing(server), nil)
		began := settled(t, p).Number
		dead := deleting("a", 1)
		if err := other.Fence(t.Context(), "shop", dead); err != nil {
			t.Fatal(err)
		}
		mustSync(t, p.Backend, "shop")
		time.Sleep(dead.Lease + time.Millisecond)
		s := mustDelete(t, p.Backend, "shop", "a", 1)
		if last, before := s.Deletes.Of("a").Last(1); last != s.Number || before <= began || before >= last {
			t.Errorf("the key was deleted in %d, and before in %d, after %d; want two deletes", last, before, began)
		}
	})
}
