package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// A flight is one request for the state of a database, for all who asked for
// it before it was sent.
type flight struct {
	done  chan struct{}
	state *backend.State // both are set before done is closed
	err   error
	tries int
	sent  time.Duration // when, by Backend.now
}

// mostTries bounds how often the server is asked anew because epochs changed
// while it was answering.
const mostTries = 16

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
	db := b.database(name)
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
func (b *Backend) sync(ctx context.Context, db *database) (*backend.State, error) {
	if err := b.links.of(db.hash).breaker.refusal(); err != nil {
		return nil, err // rather than wait for a flight that is stuck
	}
	f, first := db.board()
	if first {
		b.launch(db, f, b.patient(ctx))
	}
	if err := b.links.of(db.hash).await(ctx, db.hash, f.done); err != nil {
		return nil, err
	}
	return f.state, f.err
}

// board returns the flight to wait for, and whether the caller is to launch it.
func (db *database) board() (f *flight, first bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.flying == nil {
		db.flying = &flight{done: make(chan struct{})}
		return db.flying, true
	}
	if db.waiting == nil {
		db.waiting = &flight{done: make(chan struct{})}
	}
	return db.waiting, false
}

// launch sends f, which nobody can join any more.
func (b *Backend) launch(db *database, f *flight, here bool) {
	m := b.moment(db)
	f.sent = m.at
	if m.last == nil || m.last.standing || m.last.vague || m.last.dials != m.dials || b.blind {
		b.ask(db, f, &m, here)
		return
	}
	// A plain read tells whether anything changed, for little more than a PING.
	cmd := redis.NewStringCmd(context.Background(), "hget", db.hash, "e")
	b.links.of(db.hash).start(&request{key: db.hash, cmds: []redis.Cmder{cmd}, finish: func(err error) {
		switch {
		case err != nil:
			db.land(b, f, nil, err)
		case b.dials.Load() == m.dials && cmd.Val() == m.last.head:
			// A reply over a connection made since would have raised dials.
			if state := b.confirm(&m); state != nil {
				db.land(b, f, state, nil)
				return
			}
			fallthrough
		default:
			b.ask(db, f, nil, false)
		}
	}}, here)
}

// ask runs the script that makes sure of the hash and returns it.
func (b *Backend) ask(db *database, f *flight, m *moment, here bool) {
	if m == nil {
		now := b.moment(db)
		m = &now
	}
	b.run(db, opSync, m, nil, here, func(state *backend.State, err error) {
		switch {
		case err != nil || state != nil:
			db.land(b, f, state, err)
		case f.tries >= mostTries:
			db.land(b, f, nil, errUnsettled)
		default:
			f.tries++
			b.ask(db, f, nil, false)
		}
	})
}

// land gives f its result and launches those who came too late for it.
func (db *database) land(b *Backend, f *flight, state *backend.State, err error) {
	f.state, f.err = state, err
	b.counters.syncs.Add(1)
	b.counters.syncTime.Add(int64(b.now() - f.sent))
	db.mu.Lock()
	next := db.waiting
	db.flying, db.waiting = next, nil
	db.mu.Unlock()
	close(f.done)
	if next != nil {
		b.launch(db, next, false)
	}
}

// run sends the script with the operation op, at the moment m, and learns from its reply. Then it calls
// finish with the newest State, or with nil where there is no telling.
func (b *Backend) run(db *database, op operation, m *moment, args []any, here bool, finish func(*backend.State, error)) {
	l := b.links.of(db.hash)
	var epoch, version string
	if m.last != nil {
		epoch, version = string(m.last.state.Epoch), strconv.FormatUint(m.last.version, 10)
	}
	all := append([]any{
		string(backend.NewToken()), b.layout.channel(), db.announced, epoch, version, m.overdue, string(op),
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
			err = b.refused(cmd.Err())
		}
		if err != nil {
			finish(nil, err)
			return
		}
		reply, err := parseReply(cmd.Val())
		if err != nil {
			finish(nil, err)
			return
		}
		state, err := b.learn(m, &reply)
		if err != nil {
			b.discard(db, finish)
			return
		}
		finish(state, nil)
	}
	l.start(r, here)
}

// errNoScripts is no outage: it will not pass by itself.
var errNoScripts = errors.New("txcache: redis: the server runs no scripts (EVAL), without which nothing works; docs/redis.md says which servers are fit")

// refused returns what a caller is told of a script that the server has not run.
func (b *Backend) refused(err error) error {
	if !redis.HasErrorPrefix(err, "unknown command") && !redis.HasErrorPrefix(err, "unsupported command") {
		return fmt.Errorf("txcache: redis: %w", err)
	}
	if !b.scriptless.Swap(true) {
		b.options.Logger.Error(errNoScripts.Error())
	}
	return errNoScripts
}

// discard makes the next script start a new epoch, with the fences that stand,
// as the hash holds what no script wrote (P6). Then it calls finish with nil.
func (b *Backend) discard(db *database, finish func(*backend.State, error)) {
	cmd := redis.NewIntCmd(context.Background(), "hdel", db.hash, "e")
	b.links.of(db.hash).start(&request{key: db.hash, cmds: []redis.Cmder{cmd}, finish: func(err error) {
		if err == nil {
			err = cmd.Err()
		}
		finish(nil, afterwards(err))
	}}, false)
}
