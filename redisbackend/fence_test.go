package redisbackend_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A process that does not know what the server's clock showed before, or that
// knows it wrongly, does not expire the fence of an owner that lives (P3).
func TestNoClockExpiresAFenceOfTheLiving(t *testing.T) {
	const quarter = 15 * time.Minute
	for _, c := range []struct {
		name string
		// set sets the server's clock around the moment at which the fence is placed
		// and a process meets the server, or the database, for the first time.
		before, between, after time.Duration
		meets                  string // the database that the process asks for before it asks for the fence's
	}{
		{name: "a new process, the clock is right"},
		{name: "a new process, the clock is ahead", between: quarter},
		{name: "a new process, the clock is behind", between: -quarter},
		{name: "a process that knows another database, the clock is ahead", between: quarter, meets: "other"},
		{name: "a process that knows another database, the clock is ahead later", after: quarter, meets: "other"},
		{name: "the clock was behind when the fence was placed", before: -quarter, between: quarter},
		{name: "the clock was behind when the fence was placed, and met", before: -quarter, after: quarter, meets: "other"},
		{name: "a little ahead, under every tolerance", between: 4 * time.Second, meets: "other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bubbleServer(t)
				offset := time.Duration(0)
				set := func(by time.Duration) {
					offset += by
					server.SetTime(time.Now().Add(offset))
				}
				owner := over(t, dialing(server), nil)
				f := fencing(mustSync(t, owner.Backend, "shop"), "a")
				f.Lease = 3 * time.Second
				set(c.before)
				if err := owner.Fence(t.Context(), "shop", f); err != nil {
					t.Fatal(err)
				}
				set(c.between)
				reader := over(t, dialing(server), nil)
				if c.meets != "" {
					mustSync(t, reader.Backend, c.meets)
				}
				set(c.after)
				for range 12 { // four times to live, in which the owner renews in time
					if s := mustSync(t, reader.Backend, "shop"); !s.IsFenced("a") || s.Token("a") != f.Caches[0].Token {
						t.Fatalf("the fence of a living owner has lapsed: %+v", s)
					}
					time.Sleep(f.Lease / 3)
					set(0)
					if err := owner.Fence(t.Context(), "shop", f); err != nil {
						t.Fatal(err)
					}
				}
				// The owner dies. The reader has looked at the last renewal, or does so now.
				mustSync(t, reader.Backend, "shop")
				time.Sleep(f.Lease - time.Nanosecond)
				if s := mustSync(t, reader.Backend, "shop"); !s.IsFenced("a") {
					t.Error("the fence has expired before its time to live has ended")
				}
				time.Sleep(time.Nanosecond)
				if s := mustSync(t, reader.Backend, "shop"); s.IsFenced("a") || s.Token("a") == f.Caches[0].Token || s.Token("a") == f.ID {
					t.Errorf("a time to live after the death of its owner the fence still stands, or was no clear: %+v", s)
				}
			})
		})
	}
}

// A process that is started after the death of an owner waits for its time to live, and no
// longer (P5).
func TestANewProcessWaitsForOneTimeToLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		owner := over(t, dialing(server), nil)
		f := fencing(mustSync(t, owner.Backend, "shop"), "a")
		if err := owner.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		owner.Close()
		time.Sleep(time.Hour)
		p := over(t, dialing(server), nil)
		if !mustSync(t, p.Backend, "shop").IsFenced("a") {
			t.Error("the fence has lapsed in the eyes of a process that cannot know for how long it has stood")
		}
		time.Sleep(f.Lease)
		if s := mustSync(t, p.Backend, "shop"); s.IsFenced("a") || s.Token("a") == f.Caches[0].Token {
			t.Errorf("after a time to live: %+v", s)
		}
	})
}

// Whatever the server's clock does, and however processes come and go: no fence of
// a living owner expires, and one of a dead owner does within its time to live of when a
// process has first looked at it.
func TestHistoriesOfClocks(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("TXCACHE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TXCACHE_SEED=%d", seed)
	for round := range 40 {
		synctest.Test(t, func(t *testing.T) { historyOfClocks(t, rand.New(rand.NewPCG(seed, uint64(round)))) })
	}
}

func historyOfClocks(t *testing.T, random *rand.Rand) {
	server := bubbleServer(t)
	offset := time.Duration(0)
	ttl := time.Duration(1+random.IntN(60)) * time.Second
	pause := func(d time.Duration) {
		time.Sleep(d)
		server.SetTime(time.Now().Add(offset))
	}
	owner := over(t, dialing(server), nil)
	type reader struct {
		*process
		met time.Time // when it has first looked at the fence that stands
	}
	var readers []*reader
	start := func() {
		p := &reader{process: over(t, dialing(server), nil)}
		if random.IntN(2) == 0 {
			mustSync(t, p.Backend, fmt.Sprint("other", random.IntN(2)))
		}
		readers = append(readers, p)
	}
	start()
	defer func() {
		for _, r := range readers {
			r.Close()
		}
	}()
	for range 4 { // fences
		f := fencing(mustSync(t, owner.Backend, "shop"), "a")
		f.Lease = ttl
		was := mustSync(t, owner.Backend, "shop").Token("a")
		renewed, alive := time.Now(), true
		if err := owner.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		for _, r := range readers {
			r.met = time.Time{}
		}
		end := time.Now().Add(time.Duration(random.Int64N(int64(5 * ttl))))
		for {
			switch random.IntN(6) {
			case 0:
				offset += time.Duration(random.Int64N(int64(30*time.Minute))) - 15*time.Minute
			case 1:
				start()
			case 2:
				if len(readers) > 1 {
					i := random.IntN(len(readers))
					readers[i].Close()
					readers = append(readers[:i], readers[i+1:]...)
				}
			}
			pause(time.Duration(random.Int64N(int64(ttl / 6))))
			if alive && time.Since(renewed) >= ttl/3 {
				if alive = time.Now().Before(end); alive {
					renewed = time.Now()
					if err := owner.Fence(t.Context(), "shop", f); err != nil {
						t.Fatal(err)
					}
				}
			}
			r := readers[random.IntN(len(readers))]
			s := mustSync(t, r.Backend, "shop")
			stands := s.IsFenced("a") && s.Token("a") == was
			switch now := time.Now(); {
			case !stands && now.Sub(renewed) < ttl:
				t.Fatalf("a fence has expired %v after it was renewed; its time to live is %v", now.Sub(renewed), ttl)
			case stands && !alive && !r.met.IsZero() && now.Sub(r.met) >= ttl:
				t.Fatalf("a fence still stands %v after a process has met it in its last form; its time to live is %v", now.Sub(r.met), ttl)
			case stands && !alive && r.met.IsZero():
				r.met = now
			}
			if !stands {
				break
			}
		}
	}
}

// A renewal that is delivered, in whatever millisecond by the server's clock, is
// seen by those who watch.
func TestARenewalInTheSameMillisecondIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		at := time.Now()
		server.SetTime(at)
		owner, reader := over(t, dialing(server), nil), over(t, dialing(server), nil)
		f := fencing(mustSync(t, owner.Backend, "shop"), "a")
		place := func(p *redisbackend.Backend) {
			if err := p.Fence(t.Context(), "shop", f); err != nil {
				t.Fatal(err)
			}
		}
		place(owner.Backend)
		mustSync(t, reader.Backend, "shop")
		time.Sleep(f.Lease * 2 / 3)
		server.SetTime(at) // the server's clock was set back to the same moment
		place(owner.Backend)
		time.Sleep(f.Lease * 2 / 3)
		if !mustSync(t, reader.Backend, "shop").IsFenced("a") {
			t.Error("a fence has lapsed that was renewed in the same millisecond of the server's clock")
		}
		if err := owner.Unfence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		place(owner.Backend) // again, as after a doubt
		if !mustSync(t, reader.Backend, "shop").IsFenced("a") {
			t.Error("a fence that was placed anew counts as seen before")
		}
	})
}

// A fence's line as programs wrote it that did not number renewals is understood.
func TestFencesOfBefore(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		before := mustSync(t, p.Backend, "shop")
		server.HSet("txcache:shop:@", "f", "0someid 1 1000 0 a")
		reader := over(t, dialing(server), nil)
		if s := mustSync(t, reader.Backend, "shop"); !s.IsFenced("a") || s.IsFenced("b") {
			t.Errorf("%+v, want a fenced", s)
		}
		time.Sleep(time.Second)
		s := mustSync(t, reader.Backend, "shop")
		if s.IsFenced("a") || s.Token("a") == before.Base || s.Token("b") != before.Base {
			t.Errorf("%+v, want a cleared and b not, after %+v", s, before)
		}
	})
}

// A fence of any time to live stands, for the process that placed it and for others, also
// after another change; or it is refused. (P5)
func TestAFenceOfAnyTimeToLiveStandsOrIsRefused(t *testing.T) {
	cfg := settings(redistest.Start(t).URI())
	b, other := open(t, cfg), open(t, cfg)
	for _, ttl := range []time.Duration{
		math.MinInt64, -1, 0, 1, time.Millisecond - 1, time.Second, time.Hour, 365 * 24 * time.Hour,
		999_999_999_999 * time.Millisecond, 1_000_000_000_000 * time.Millisecond, math.MaxInt64 - 1, math.MaxInt64,
	} {
		name := ttl.String()
		f := backend.Fence{ID: backend.NewToken(), Lease: ttl, Caches: []backend.Generation{{Cache: "c"}}}
		err := b.Fence(t.Context(), name, f)
		if taken := ttl >= time.Millisecond; taken != (err == nil) {
			t.Errorf("a fence of %v answers %v; want it to be taken: %v", ttl, err, taken)
		}
		if err != nil {
			continue
		}
		mustClear(t, other, name, "another cache")
		for who, b := range map[string]backend.Backend{"its owner": b, "another": other} {
			s, err := b.Sync(t.Context(), name)
			if err != nil || !s.IsFenced("c") || s.AllFenced {
				t.Errorf("to %s, a fence of %v does not stand: %+v, %v", who, ttl, s, err)
			}
		}
	}
}
