package redisbackend

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	// probeEvery is how often the way of the announcements is tried out.
	probeEvery = time.Second

	// probeLasts is how long after a probe was sent its arrival is relied on.
	probeLasts = 2 * time.Second

	// maxStaleness bounds how long a State is used without asking, whatever the
	// announcements say: between the nodes of a cluster they can get lost.
	maxStaleness = 10 * time.Second

	// longestMessage is the length above which a message is not looked at.
	longestMessage = 16 << 10
)

// A subscriber listens to the announcements of changes.
//
// Each script that changes a database announces its version on a channel. A
// State that was asked for after the subscription was confirmed, and has seen
// all announcements since, is the newest, as long as they arrive. To know that
// they do, the process sends itself one each second. When the subscription is
// lost, when a message cannot be understood or a probe does not come back, all
// is asked for anew.
type subscriber struct {
	gaps      atomic.Uint64 // how often announcements may have been missed
	lastProbe atomic.Int64  // the monotonic time at which the last probe to arrive was sent
	feed      atomic.Int64  // how long the last probe was on its way
	self      string        // names this process in its probes
	kick      chan struct{} // asks for a probe at once
}

// start begins to listen, until the Backend is closed.
func (s *subscriber) start(b *Backend) {
	s.self = b.self
	s.kick = make(chan struct{}, 1)
	s.lastProbe.Store(int64(-probeLasts))
	b.spawn(func() { s.listen(b) })
	b.spawn(func() { s.probe(b) })
}

// fresh reports whether k can be used without asking the server, and how long
// ago k was asked for.
func (b *Backend) fresh(k *cachedState) (age time.Duration, ok bool) {
	if !k.unchanged || k.fenced || k.dials != b.dials.Load() || k.gaps != b.subscriber.gaps.Load() {
		return 0, false
	}
	now := b.now()
	age = now - k.askedAt
	return age, age < maxStaleness && b.subscriber.receiving(now)
}

// quick reports whether announcements arrive, and soon.
func (s *subscriber) quick(now time.Duration) bool {
	return s.receiving(now) && time.Duration(s.feed.Load()) <= quickFeed
}

// receiving reports whether announcements arrive.
func (s *subscriber) receiving(now time.Duration) bool {
	return now-time.Duration(s.lastProbe.Load()) < probeLasts
}

// gap notes that announcements may have been missed.
func (s *subscriber) gap() {
	s.gaps.Add(1)
	s.lastProbe.Store(int64(-probeLasts))
}

func (s *subscriber) listen(b *Backend) {
	wait := 50 * time.Millisecond
	for {
		if s.subscribe(b) {
			wait = 50 * time.Millisecond
		}
		s.gap()
		b.missed()
		if !b.pause(wait) {
			return
		}
		wait = min(2*wait, time.Second)
	}
}

// subscribe takes in announcements until they fail. It reports whether the
// subscription came about.
func (s *subscriber) subscribe(b *Backend) (confirmed bool) {
	sub := b.client.Subscribe(b.ctx)
	defer sub.Close()
	defer context.AfterFunc(b.ctx, func() { _ = sub.Close() })()
	channels := []string{b.layout.channel()}
	if b.options.Lease {
		channels = append(channels, b.layout.fences())
	}
	if err := sub.Subscribe(b.ctx, channels...); err != nil {
		return false
	}
	for {
		// Without a message, a probe at least, the connection is dead.
		message, err := sub.ReceiveTimeout(b.ctx, probeLasts)
		if err != nil {
			return confirmed
		}
		switch m := message.(type) {
		case *redis.Subscription:
			confirmed = true
			s.gap()
			select {
			case s.kick <- struct{}{}:
			default:
			}
		case *redis.Message:
			handle := s.handle
			if m.Channel != channels[0] {
				handle = s.handleFence
			}
			if !handle(b, m.Payload) {
				s.gaps.Add(1)
				b.missed()
			}
		}
	}
}

// probe sends this process messages of its own.
func (s *subscriber) probe(b *Backend) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-tick.C:
		case <-s.kick:
		}
		cmd := redis.NewIntCmd(b.ctx, "publish", b.layout.channel(), "! "+s.self+" "+strconv.FormatInt(int64(b.now()), 10))
		// A failure needs no notice: the probe does not arrive.
		_ = b.do(b.ctx, b.layout.hash(""), cmd)
	}
}

// handle acts on a message. It reports false for one that it does not understand.
func (s *subscriber) handle(b *Backend, message string) bool {
	if len(message) > longestMessage {
		return false
	}
	name, rest, _ := strings.Cut(message, " ")
	epoch, text, ok := strings.Cut(rest, " ")
	version, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil {
		return false
	}
	if name == "!" {
		if sent := int64(version); epoch == s.self && sent > s.lastProbe.Load() && time.Duration(sent) <= b.now() {
			s.feed.Store(int64(b.now()) - sent)
			s.lastProbe.Store(sent)
		}
		return true
	}
	if name, ok = b.nameOf(name); !ok {
		return false
	}
	b.invalidate(name, announcement{backend.Token(epoch), version})
	return true
}

// handleFence acts on what members are told of a fence: the database, the epoch, the version
// of the change that placed it, and the items, or "*" for one that is not of keys alone.
// It reports false for what it does not understand.
func (s *subscriber) handleFence(b *Backend, message string) bool {
	if len(message) > longestMessage {
		return false
	}
	parts := strings.SplitN(message, " ", 4)
	if len(parts) != 4 {
		return false
	}
	name, ok1 := b.nameOf(parts[0])
	placed, ok2 := number(parts[2])
	f := placedFence{announcement: announcement{backend.Token(parts[1]), placed}}
	ok3 := true
	if parts[3] != "*" {
		f.keys, f.digest, ok3 = fencedKeys(" " + parts[3]) // the scripts have the space in the items
	}
	if !ok1 || !ok2 || !ok3 {
		return false
	}
	b.hear(name, &f)
	return true
}
