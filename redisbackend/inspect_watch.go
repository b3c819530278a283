package redisbackend

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

const (
	// watchEvery is how long nothing may be heard before the server is asked
	// whether it is there, and then before it is taken to be away.
	watchEvery = time.Second

	// watchAgain is how long Watch waits before it connects again.
	watchAgain = 500 * time.Millisecond
)

func (b inspector) Watch(ctx context.Context, only string, visit func(inspect.Change) error) error {
	w := &watch{inspector: b, only: only, visit: visit}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	for {
		err := w.listen(ctx)
		var ours errVisit
		switch {
		case errors.As(err, &ours):
			return ours.error
		case ctx.Err() != nil:
			return nil
		case w.last == nil:
			return err
		}
		if !w.lost {
			w.lost = true
			if err := visit(inspect.Change{Time: time.Now(), Kind: inspect.Interrupted}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchAgain):
		}
	}
}

// errVisit is an error of the caller's, which ends a watch.
type errVisit struct{ error }

// A watch holds what databases were at, to find out what changed. An announcement
// says just that something did.
type watch struct {
	inspector
	only  string
	visit func(inspect.Change) error
	last  map[string]inspect.Database // nil before the first look
	lost  bool                        // the connection, since the last look
}

// listen reports changes until the connection is lost or ctx is done.
func (w *watch) listen(ctx context.Context) error {
	sub := w.client.Subscribe(ctx)
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })()
	if err := sub.Subscribe(ctx, w.layout.channel()); err != nil {
		return err
	}
	if _, err := sub.ReceiveTimeout(ctx, w.options.Timeout); err != nil {
		return err
	}
	// From here on nothing is missed.
	if err := w.catchUp(ctx); err != nil {
		return err
	}
	w.lost = false
	if err := w.emit(inspect.Change{Kind: inspect.Listening}); err != nil {
		return err
	}
	asked := false
	for {
		message, err := sub.ReceiveTimeout(ctx, watchEvery)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && !asked {
			if err := sub.Ping(ctx); err != nil {
				return err
			}
			asked = true
			continue
		}
		if err != nil {
			return err
		}
		asked = false
		if m, ok := message.(*redis.Message); ok {
			if err := w.handle(ctx, m.Payload); err != nil {
				return err
			}
		}
	}
}

// catchUp takes in what databases are at, and reports what changed since the last
// look.
func (w *watch) catchUp(ctx context.Context) error {
	names := []string{w.only}
	if w.only == "" {
		names = nil
		err := w.visitKeys(ctx, w.layout.prefix+":*:@", func(_ context.Context, keys []string) error {
			for _, key := range keys {
				if name, ok := w.layout.databaseOf(key); ok {
					names = append(names, name)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for name := range w.last {
			names = append(names, name)
		}
		slices.Sort(names)
		names = slices.Compact(names)
	}
	databases, err := w.read(ctx, names)
	if err != nil {
		return err
	}
	first := w.last == nil
	if first {
		w.last = map[string]inspect.Database{}
	}
	for _, d := range databases {
		if first {
			w.last[d.Name] = d
		} else if err := w.report(d); err != nil {
			return err
		}
	}
	return nil
}

// handle acts on an announcement; see subscriber.handle. What it does not understand it
// leaves alone.
func (w *watch) handle(ctx context.Context, message string) error {
	parts := strings.Split(message, " ")
	if len(message) > longestMessage || len(parts) != 3 || parts[0] == "!" {
		return nil
	}
	version, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil || w.only != "" && parts[0] != announced(w.only) {
		return nil
	}
	name, ok := w.nameOf(parts[0])
	if !ok {
		if isDigest(parts[0]) { // of a database that is new
			return w.catchUp(ctx)
		}
		return nil
	}
	if parts[1] == "-" {
		w.last[name] = inspect.Database{Name: name}
		return w.emit(inspect.Change{Kind: inspect.Dropped, Database: name, All: true})
	}
	if d := w.last[name]; d.Kept && d.State.Epoch == backend.Token(parts[1]) && d.State.Version >= version {
		return nil // it was seen with a later one
	}
	databases, err := w.read(ctx, []string{name})
	if err != nil {
		return err
	}
	return w.report(databases[0])
}

// nameOf returns the name of the database that an announcement is about.
func (w *watch) nameOf(said string) (name string, ok bool) {
	switch {
	case w.only != "":
		return w.only, true
	case !isDigest(said):
		return unescape(said)
	}
	for name := range w.last {
		if announced(name) == said {
			return name, true
		}
	}
	return "", false
}

// report emits the differences between d and what the database was at.
func (w *watch) report(d inspect.Database) error {
	last := w.last[d.Name]
	w.last[d.Name] = d
	switch {
	case !d.Kept && !last.Kept:
		return nil
	case !d.Kept:
		return w.emit(inspect.Change{Kind: inspect.Dropped, Database: d.Name, All: true})
	case !last.Kept || last.State.Epoch != d.State.Epoch:
		return w.emit(inspect.Change{Kind: inspect.Renewed, Database: d.Name, All: true, Version: d.State.Version})
	}
	for _, c := range inspect.Changes(&last, &d) {
		c.Database, c.Version = d.Name, cmp.Or(c.Version, d.State.Version)
		if err := w.emit(c); err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) emit(c inspect.Change) error {
	c.Time = time.Now()
	if err := w.visit(c); err != nil {
		return errVisit{err}
	}
	return nil
}
