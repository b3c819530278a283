package redisbackend_test

import (
	"fmt"
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

// What an older release does not tell of how a fence was placed, or a newer one tells beyond, is no name of a cache: the
// keys are deleted when the lease ends, and nothing else (P11).
func TestAFenceOfAnotherReleaseDeletesItsKeysAlone(t *testing.T) {
	for _, placing := range []string{" !x", "", " !x/1/1", " !x/1/1/more", " !x/1/1more", " !/more"} {
		inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
			before := settled(t, p)
			server.HSet("txcache:shop:@", "f", "id 1 60000 0"+placing+" a#0000000000000001")
			other := over(t, dialing(server), nil)
			if s := mustSync(t, other.Backend, "shop"); len(s.FencedKeys) != 1 || len(s.Fenced) > 0 {
				t.Errorf("%q: the state is %+v; want a key that is fenced", placing, s)
			}
			time.Sleep(time.Minute + time.Millisecond)
			s := mustSync(t, other.Backend, "shop")
			last, _ := s.Deletes.Of("a").Last(1)
			if last == 0 || len(s.FencedKeys) > 0 || s.Base != before.Base || s.Epoch != before.Epoch || len(s.Caches) != len(before.Caches) {
				t.Errorf("%q: the state is %+v; want that of before with a deleted key", placing, s)
			}
		})
	}
}

// Keys of a fence that somebody has spoilt may be any (P5).
func TestSpoiltKeysOfAFence(t *testing.T) {
	for _, item := range []string{"a#", "a#1", "a#000000000000000X", "a#00000000000000001", "a#00000000000000000000000000000001", "#0000000000000001x", "a@b#0000000000000001"} {
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
		if keys, _ := server.HKeys("txcache:shop:@"); len(keys) != 11 {
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

// P4: a lease that ends in the call of a clear deletes under a number of its own, so that
// the caller of the clear does not take the two deletes for the one that it made.
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
