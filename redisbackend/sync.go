package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// A syncCall is one request for the state of a database, for all callers of Sync
// that came before it was sent.
type syncCall struct {
	done      chan struct{}
	state     *backend.State // both are set before done is closed
	err       error
	tries     int
	refreshes bool          // nobody waits for it, and a term goes on
	sent      time.Duration // when, by Backend.now
}

// maxTries bounds how often the server is asked anew because epochs changed
// while it was answering.
const maxTries = 16

var errUnsettled = errors.New("txcache: redis: the database keeps starting new epochs")

// Sync returns the state of name. It asks the server, except where Options say
// otherwise, and shares the request with other callers (P3): one is on its way
// at a time, and serves those who called before it was sent.
func (b *Backend) Sync(ctx context.Context, name string) (*backend.State, error) {
	state, _, err := b.SyncAged(ctx, name)
	return state, err
}

// SyncAged is Sync, and tells how long ago the server was asked for a state
// that announcements have not contradicted since. They may have been lost, so
// that is what the state is known to be as new as.
func (b *Backend) SyncAged(ctx context.Context, name string) (state *backend.State, age time.Duration, err error) {
	if err := b.usable(ctx); err != nil {
		return nil, 0, err
	}
	db := b.info(name)
	if b.options.Lease {
		if t := db.current(b); t != nil { // P3: the call has begun
			if t.begins.Load() < mostAhead {
				t.begins.Add(1)
			}
			return t.state, 0, nil
		}
	}
	if b.options.Channel {
		if k := db.last.Load(); k != nil {
			if age, ok := b.fresh(k); ok {
				return k.state, age, nil
			}
		}
	}
	state, err = b.sync(ctx, db)
	return state, 0, err
}

// sync asks the server.
func (b *Backend) sync(ctx context.Context, db *dbInfo) (*backend.State, error) {
	if err := b.links.of(db.hash).breaker.refusal(); err != nil {
		return nil, err // rather than wait for a request that is stuck
	}
	c, first := db.join()
	if first {
		b.beginSync(db, c, b.mayBlock(ctx))
	}
	if err := b.links.of(db.hash).await(ctx, db.hash, c.done); err != nil {
		return nil, err
	}
	return c.state, c.err
}

// join returns the call to wait for, and whether the caller must begin it.
func (db *dbInfo) join() (c *syncCall, first bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.asking == nil {
		db.asking = &syncCall{done: make(chan struct{})}
		return db.asking, true
	}
	if db.next == nil {
		db.next = &syncCall{done: make(chan struct{})}
	}
	return db.next, false
}

// beginSync sends c, which nobody can join any more.
func (b *Backend) beginSync(db *dbInfo, c *syncCall, inline bool) {
	start := b.requestStart(db)
	c.sent = start.at
	if b.options.Lease && !c.refreshes {
		if t := start.db.current(b); t != nil { // it began while the caller was on its way
			db.finish(b, c, t.state, nil)
			return
		}
		if b.register(&start) {
			b.runSync(db, c, &start, inline)
			return
		}
	}
	b.readSync(db, c, start, inline)
}

// readSync asks for the state without registering the process.
func (b *Backend) readSync(db *dbInfo, c *syncCall, start requestStart, inline bool) {
	if start.last == nil || start.expired != "" || start.last.runUnknown || start.last.dials != start.dials || b.uncounted {
		b.runSync(db, c, &start, inline)
		return
	}
	// A plain read tells whether anything changed, for little more than a PING.
	cmd := redis.NewSliceCmd(context.Background(), start.last.read...)
	b.links.of(db.hash).start(&request{key: db.hash, cmds: []redis.Cmder{cmd}, finish: func(err error) {
		switch {
		case err != nil:
			db.finish(b, c, nil, err)
		case b.dials.Load() == start.dials:
			// A reply over a connection made since would have raised dials.
			if state := b.learnPlain(&start, cmd.Val()); state != nil {
				db.finish(b, c, state, nil)
				return
			}
			fallthrough
		default:
			b.runSync(db, c, nil, false)
		}
	}}, inline)
}

// plainEntries is how many entries of the log a plain read asks for: those of one
// commit, or of two.
const plainEntries = 2

// syncArgs returns the plain read of a process that knows the log up to the entry seq.
func syncArgs(hash string, seq uint64) []any {
	args := []any{"hmget", hash, "e", "f", "s"}
	for i := range uint64(plainEntries) {
		args = append(args, "w"+strconv.FormatUint(seq+1+i, 10))
	}
	return args
}

// learnPlain takes note of the reply to a plain read, and returns the newest State. It
// returns nil where a script must be asked.
//
// That is as safe as a script, although nobody checks the run of the server, the
// number of fields or the leases. The connection is the one over which a script has checked the
// run, for the dials are the same, so the reply is from the same run of the
// server. There, and wherever a copy of the hash may come from, scripts of that run alone
// have written under its epoch: those of another start another. So a hash of
// this epoch with a later version is what scripts made of the state that is
// known; between the two are the entries of the log, which are all there if
// their numbers are, and if the log tells of all changes up to this version. What somebody else
// has spoilt is found as soon as a script is asked, at the latest with the next change, as
// before. Leases are looked after by the caller.
func (b *Backend) learnPlain(start *requestStart, fields []any) *backend.State {
	if len(fields) != 3+plainEntries {
		return nil
	}
	said, ok1 := fields[0].(string)
	fences, ok2 := fields[1].(string)
	mark, ok3 := fields[2].(string)
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	last := start.last
	if said == last.versionField && fences == "" && !last.fenced {
		return b.confirm(start)
	}
	epoch, text, _ := strings.Cut(said, " ")
	version, ok := number(text)
	if !ok || epoch != string(last.state.Epoch) || version < last.version {
		return nil
	}
	r := reply{epoch: last.state.Epoch, version: version, fences: fences}
	if version > last.version {
		log, ok := parseMark(mark)
		if !ok || log.version != version || log.tail > last.seq || log.head < last.seq || log.head-last.seq > plainEntries {
			return nil
		}
		r.since = fields[3 : 3+log.head-last.seq]
	}
	state, err := b.learn(start, &r)
	if err != nil {
		return nil // the script finds what is wrong
	}
	return state
}

// runSync runs the script that makes sure of the hash and returns it.
func (b *Backend) runSync(db *dbInfo, c *syncCall, start *requestStart, inline bool) {
	if start == nil {
		now := b.requestStart(db)
		start = &now
	}
	b.run(db, opSync, start, nil, inline, func(state *backend.State, _ *reply, err error) {
		switch {
		case err != nil && start.request > 0 && isRefusal(err):
			start.db.registerLater(b)
			b.readSync(db, c, b.requestStart(db), false)
		case err != nil || state != nil:
			db.finish(b, c, state, err)
		case c.tries >= maxTries:
			db.finish(b, c, nil, errUnsettled)
		default:
			c.tries++
			b.runSync(db, c, nil, false) // it does not register the process
		}
	})
}

// finish gives c its result, and begins the call of those who came too late for it.
func (db *dbInfo) finish(b *Backend, c *syncCall, state *backend.State, err error) {
	c.state, c.err = state, err
	b.counters.syncs.Add(1)
	b.counters.syncTimes.Count(b.now() - c.sent)
	db.mu.Lock()
	next := db.next
	db.asking, db.next = next, nil
	t := db.current(b)
	if next != nil && t != nil { // which is as good for them as for those who come now
		db.asking = nil
		next.state = t.state
		close(next.done)
		next = nil
	}
	db.refresh(b)
	db.mu.Unlock()
	close(c.done)
	if next != nil {
		b.beginSync(db, next, false)
	}
}

// run sends the script with the operation op, and learns from its reply. Then it
// calls finish with the newest State, or with nil where there is no telling which
// is the newest, and with the reply, nil where that was not understood.
func (b *Backend) run(db *dbInfo, op operation, start *requestStart, args []any, inline bool, finish func(*backend.State, *reply, error)) {
	l := b.links.of(db.hash)
	known := ""
	if start.last != nil {
		known = start.last.versionField + " " + strconv.FormatUint(start.last.seq, 10)
	}
	// A server that has not been told a password yet takes ten arguments and no more,
	// else its answer does not say that a password is missing: opSync has ten.
	all := append([]any{
		string(backend.NewToken()), b.layout.channel(), db.announced, known, start.expired,
		string(op) + " " + b.self + " " + strconv.FormatUint(start.request, 10) + " " + start.over,
	}, args...)
	cmd := databaseScript.cached(db.hash, all...)
	r := &request{key: db.hash, cmds: []redis.Cmder{cmd}}
	first := true
	r.finish = func(err error) {
		if err == nil && first && redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			first = false
			cmd = databaseScript.command(db.hash, all...)
			r.cmds[0] = cmd
			l.start(r, false)
			return
		}
		if err == nil && cmd.Err() != nil {
			err = b.scriptError(cmd.Err())
		}
		if err != nil {
			finish(nil, nil, err)
			return
		}
		reply, err := parseReply(cmd.Val())
		if err != nil {
			finish(nil, nil, err)
			return
		}
		state, err := b.learn(start, &reply)
		if err != nil {
			b.discard(db, finish)
			return
		}
		finish(state, &reply, nil)
	}
	l.start(r, inline)
}

// errNoScripts is no outage: it will not pass by itself.
var errNoScripts = errors.New("txcache: redis: the server runs no scripts (EVAL), without which nothing works; docs/redis.md says which servers are fit")

// scriptError returns the error of a script that the server has not run.
func (b *Backend) scriptError(err error) error {
	if !redis.HasErrorPrefix(err, "unknown command") && !redis.HasErrorPrefix(err, "unsupported command") {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	if !b.warnedScripts.Swap(true) {
		b.options.Logger.Error(errNoScripts.Error())
	}
	return errNoScripts
}

// discard makes the next script start a new epoch, with the fences that stand,
// as the hash holds what no script wrote (P6). Then it calls finish with nil.
func (b *Backend) discard(db *dbInfo, finish func(*backend.State, *reply, error)) {
	cmd := redis.NewIntCmd(context.Background(), "hdel", db.hash, "e")
	b.links.of(db.hash).start(&request{key: db.hash, cmds: []redis.Cmder{cmd}, finish: func(err error) {
		if err == nil {
			err = cmd.Err()
		}
		finish(nil, nil, afterwards(err))
	}}, false)
}
