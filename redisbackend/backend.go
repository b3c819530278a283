package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/limits"
)

// Options are the settings of a Backend. The zero value is useful.
type Options struct {
	// Prefix is the first part of every key, one for each deployment on a
	// server, of at most 8192 bytes. Default "txcache".
	Prefix string

	// Duration is the time to live of a value that has none of its own, a
	// millisecond or more. Default 12 hours.
	Duration time.Duration

	// Timeout is how long a call may wait for the server, connecting included,
	// a millisecond or more. What is sent or asked for in several requests,
	// because it is much, may take as long for each: some hundred kilobytes, a
	// part of a large value, or 256 values. Default 700 ms.
	Timeout time.Duration

	// LargestValue is how many bytes a value may have; a larger one is not kept,
	// and its Set says so. One of more than 64 kB is kept in parts of that size,
	// which go over a connection of their own, one at a time. Default 64 MB, at
	// most 512 MB.
	LargestValue int

	// Channel lets Sync rely on announced changes instead of asking the server
	// each time. What another process changed may then stay unknown for as
	// long as a message takes; for 2 seconds if the messages silently cease;
	// and for 10 seconds whatever becomes of them. SyncAged tells how long ago
	// the server was asked.
	Channel bool

	// Lease lets Sync return for a Term what the server has answered, without asking, and
	// exact all the same: a process that changes the database, by any Backend, waits
	// until this one has acknowledged that it no longer uses an earlier state, or its term is
	// over. A fence of keys ends no term: a State shows them as fenced until the process has the
	// next one, which it asks for in the background. It is used where Sync is called often. Not together with Channel.
	Lease bool

	// Term is for how long, with Lease, an answer is used: from 1 ms to 10
	// seconds, and at most half of Wait. Default half of Wait.
	Term time.Duration

	// Wait is for how long, at most, a change waits for a process with Lease
	// that does not acknowledge: from 2 ms to 20 seconds, and the same in all
	// processes of a deployment. A process without Lease sets it if others have
	// it. Default 0, which stands for 2 seconds, and in a process without Lease says that no
	// other has it.
	//
	// A process of which both clocks stand still (a virtual machine that is paused, and whose
	// wall clock is set later) for longer than Wait without Term may use what is no longer right
	// for so long.
	Wait time.Duration

	// Logger is told when the server becomes unreachable, when it is back, and
	// what garbage was removed. Default slog.Default().
	Logger *slog.Logger
}

// A Backend keeps generations and values in Redis. It implements
// [backend.Backend] and [backend.Values], and is safe for concurrent use.
type Backend struct {
	client  redis.UniversalClient
	cluster *redis.ClusterClient // the client, if it is one
	owned   bool                 // Close closes the client
	layout  layout
	options Options
	started time.Time // the origin of now
	wall    int64     // the origin of clocks for the wall clock: the same moment, in Unix nanoseconds
	self    string    // names this process as a member

	requests       atomic.Uint64 // the number of the last that was to register the process
	expectsMembers atomic.Bool   // there are processes with Options.Lease

	// dials counts the connections that were made. What the process learnt of a
	// database before the last of them must be checked by a script. uncounted
	// says that connections cannot be counted: then a script checks every time.
	dials     atomic.Uint64
	uncounted bool

	warnedScripts atomic.Bool // the log has it that the server runs no scripts
	warnedPTTL    atomic.Bool // the log has it that the user may not run PTTL

	bounded bool // the client's own time limits are not above that of Options

	onlyValues bool // it is that of a Values, so the generations are not here

	databases  sync.Map   // of name to *dbInfo
	longNames  sync.Map   // of what is announced for a long name to that name, of these
	naming     sync.Mutex // for changing those two
	versions   atomic.Uint64
	links      links
	waiters    *sync.Pool // of *waiter: each call needs one, for as long as it waits
	timers     *sync.Pool // of *time.Timer
	sizes      sizes
	subscriber subscriber
	garbage    garbage
	counters   counters

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed against goroutines
	closed atomic.Bool
	tasks  sync.WaitGroup
}

var (
	_ backend.Backend = (*Backend)(nil)
	_ backend.Aged    = (*Backend)(nil)
	_ backend.Timed   = (*Backend)(nil)
	_ backend.Swapper = (*Backend)(nil)
	_ backend.Bounded = (*Backend)(nil)
)

// New returns a Backend over client: a [*redis.Client], also of Sentinel, a
// [*redis.ClusterClient], or what wraps one of them; no Ring, which has no
// authority for a key while a shard is away. It does not talk to the server.
//
// The client stays the caller's: Close leaves it open, and its own options
// hold. For the limits of Options to be effective they should be MaxRetries -1,
// DialerRetries 1, ContextTimeoutEnabled, a short DialTimeout and ReadTimeout,
// and no routing to replicas, which is refused where it can be seen. Close may
// wait for a call under way as long as the client does. A proxy that keeps the
// client's connection while it changes servers hides what Backend must see.
func New(client redis.UniversalClient, opts *Options) (*Backend, error) {
	return newBackend(client, opts, false)
}

// newBackend is New, and makes what a Values has.
func newBackend(client redis.UniversalClient, opts *Options, onlyValues bool) (*Backend, error) {
	if client == nil {
		return nil, errors.New("txcache: redisbackend: the client is nil")
	}
	started := time.Now()
	b := &Backend{client: client, started: started, wall: started.UnixNano(), self: string(backend.NewToken()), onlyValues: onlyValues}
	if opts != nil {
		b.options = *opts
	}
	if err := b.options.check(); err != nil {
		return nil, fmt.Errorf("txcache: redisbackend: %w", err)
	}
	switch c := client.(type) {
	case *redis.Ring:
		return nil, errors.New("txcache: redisbackend: a Ring cannot be used")
	case *redis.ClusterClient:
		if o := c.Options(); o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return nil, errors.New("txcache: redisbackend: the client must not read from replicas")
		}
		b.cluster, b.uncounted = c, true
	case *redis.Client:
		c.AddHook(dialHook{b})
	default:
		b.uncounted = true
	}
	b.expectsMembers.Store(b.options.Lease || b.options.Wait > 0)
	b.options.setDefaults()
	b.options.Channel = b.options.Channel && !onlyValues
	b.options.Lease = b.options.Lease && !onlyValues
	b.bounded = boundedClient(client, b.options.Timeout)
	b.layout = newLayout(b.options.Prefix)
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.links.init(b)
	// The runtime holds on to a pool beyond its use: so they are no parts of b.
	b.waiters = &sync.Pool{New: func() any { return newWaiter() }}
	b.timers = &sync.Pool{New: func() any { return newTimer() }}
	b.garbage.init()
	if b.options.Channel || b.options.Lease {
		b.subscriber.start(b)
	}
	return b, nil
}

// boundedClient reports whether a call of client ends within limit, or little more.
func boundedClient(client redis.UniversalClient, limit time.Duration) bool {
	c, ok := client.(*redis.Client)
	if !ok {
		return false
	}
	o := c.Options()
	within := func(d time.Duration) bool { return 0 < d && d <= limit }
	return within(o.DialTimeout) && within(o.ReadTimeout) && within(o.WriteTimeout) && o.MaxRetries <= 0 && o.DialerRetries <= 1
}

// check returns an error unless o can be used. Redis counts lifetimes by the
// millisecond, so that what lives for less could never be kept.
func (o *Options) check() error {
	for _, d := range []struct {
		name string
		is   time.Duration
	}{{"Duration", o.Duration}, {"Timeout", o.Timeout}} {
		if d.is != 0 && d.is < time.Millisecond {
			return fmt.Errorf("the option %s is %v; it must be %v at least, or 0 for the default", d.name, d.is, time.Millisecond)
		}
	}
	if err := o.checkLease(); err != nil {
		return err
	}
	if n := o.LargestValue; n < 0 || n > maxLargest {
		return fmt.Errorf("the option LargestValue is %d; it must be from 1 to %d, or 0 for the default", n, maxLargest)
	}
	return limits.Name("Options.Prefix", o.Prefix)
}

const (
	defaultLargest = 64_000_000  // unless Options say otherwise
	maxLargest     = 512_000_000 // that they may say; nothing larger is encoded
)

// checkLease checks what concerns Lease. A change waits for longer than a term lasts by as
// much as a term: for so long a clock may stand still, or be slow.
func (o *Options) checkLease() error {
	wait := o.Wait
	if wait == 0 {
		wait = limits.DefaultWait
	}
	switch {
	case o.Lease && o.Channel:
		return errors.New("the options Lease and Channel exclude each other")
	case wait < 2*time.Millisecond || wait > limits.LongestWait:
		return fmt.Errorf("the option Wait is %v; it must be from %v to %v, or 0 for the default", wait, 2*time.Millisecond, limits.LongestWait)
	case o.Term != 0 && (o.Term < time.Millisecond || o.Term > wait/2):
		return fmt.Errorf("the option Term is %v; it must be from %v to half of Wait, which is %v, or 0 for the default", o.Term, time.Millisecond, wait)
	}
	return nil
}

func (o *Options) setDefaults() {
	if o.Prefix == "" {
		o.Prefix = "txcache"
	}
	if o.Duration == 0 {
		o.Duration = 12 * time.Hour
	}
	if o.Timeout == 0 {
		o.Timeout = 700 * time.Millisecond
	}
	if o.Wait == 0 {
		o.Wait = limits.DefaultWait
	}
	if o.Term == 0 {
		o.Term = o.Wait / 2
	}
	if o.LargestValue == 0 {
		o.LargestValue = defaultLargest
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// TTL returns how long a value without a TTL of its own is kept.
func (b *Backend) TTL() time.Duration { return b.options.Duration }

// Close ends what the Backend does in the background and waits for it. It
// closes the connections of a Backend that came from Open.
func (b *Backend) Close() error {
	if b.options.Lease && !b.closed.Load() {
		b.leave()
	}
	b.mu.Lock()
	first := !b.closed.Swap(true)
	b.mu.Unlock()
	var err error
	if first {
		b.cancel()
		if b.owned {
			err = b.client.Close()
		}
	}
	b.tasks.Wait()
	return err
}

// spawn runs task in a goroutine that Close waits for. It reports false, and
// does nothing, if the Backend is closed.
func (b *Backend) spawn(task func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return false
	}
	b.tasks.Go(task)
	return true
}

// pause waits for d and reports whether the Backend is still open.
func (b *Backend) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.ctx.Done():
		return false
	}
}

func (b *Backend) usable(ctx context.Context) error {
	if b.closed.Load() {
		return backend.ErrClosed
	}
	return ctx.Err()
}

// now is a monotonic time.
func (b *Backend) now() time.Duration { return time.Since(b.started) }

// clocks returns now, and the same by the wall clock, which may be set. The monotonic clock
// stands still while the machine is suspended; the wall clock shows afterwards that time has passed.
func (b *Backend) clocks() (now, wall time.Duration) {
	t := time.Now()
	return t.Sub(b.started), time.Duration(t.UnixNano() - b.wall)
}

// revalidateAll makes a script check each database before what the process has
// learnt of it is used again.
func (b *Backend) revalidateAll() { b.dials.Add(1) }
