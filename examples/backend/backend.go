// Package httpbackend is a backend of one's own, small and complete: an
// [Authority] keeps the generations of all databases in one process, and a
// [Backend] in each other one asks it over HTTP. Values stay in the processes
// that have loaded them.
//
// docs/writing-a-backend.md goes through it.
package httpbackend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
)

// Class is what class is in a configuration that chooses this backend.
const Class = "github.com/seed-dad15c92/txcache/examples/backend"

func init() { txcache.Register(Class, open) }

// open reads [cache.authority]. It does not connect: a service may start while
// the authority is away.
func open(_ context.Context, cfg *config.Config) (backend.Backend, error) {
	section := struct {
		URL     string        `toml:"url"`
		Timeout time.Duration `toml:"timeout"`
	}{URL: "http://localhost:7070", Timeout: 500 * time.Millisecond}
	if err := cfg.Section("authority", &section); err != nil {
		return nil, err
	}
	if section.Timeout <= 0 {
		return nil, errors.New(`cache.authority.timeout: expected a positive duration such as "500ms"`)
	}
	b, err := New(section.URL, &http.Client{
		Timeout:   section.Timeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute},
	})
	if err != nil {
		return nil, fmt.Errorf("cache.authority.url: %w", err)
	}
	return b, nil
}

// A Backend asks an Authority.
type Backend struct {
	base   string
	client *http.Client
	closed atomic.Bool

	mu       sync.Mutex
	known    map[string]known // by database
	versions uint64           // of states, as this Backend counts

	roundTrips, failures atomic.Uint64
}

// A known state is the newest, with its version as the authority counts in that life.
type known struct {
	life    backend.Token
	version uint64
	state   *backend.State
}

// New returns a Backend of the Authority at base, an http or https URL. The client
// is the Backend's own from then on, and limits how long a call takes.
func New(base string, client *http.Client) (*Backend, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("expected a URL such as http://localhost:7070, without user and password")
	}
	return &Backend{base: u.String(), client: client, known: map[string]known{}}, nil
}

// Sync returns the state of database. The answer is short where nothing has
// changed.
func (b *Backend) Sync(ctx context.Context, database string) (*backend.State, error) {
	return b.state(ctx, "sync", request{Database: database})
}

// Fence places f.
func (b *Backend) Fence(ctx context.Context, database string, f backend.Fence) error {
	_, err := b.call(ctx, "fence", request{Database: database, Fence: f})
	return err
}

// Clear starts new generations and removes f.
func (b *Backend) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	return b.state(ctx, "clear", request{Database: database, Fence: f})
}

// Unfence removes f.
func (b *Backend) Unfence(ctx context.Context, database string, f backend.Fence) error {
	_, err := b.call(ctx, "unfence", request{Database: database, Fence: f})
	return err
}

// Drop forgets database.
func (b *Backend) Drop(ctx context.Context, database string) error {
	_, err := b.call(ctx, "drop", request{Database: database})
	return err
}

// Close ends the connections that are not in use; the others end with their call.
func (b *Backend) Close() error {
	b.closed.Store(true)
	b.client.CloseIdleConnections()
	return nil
}

// Stats tells how many calls were made and how many have failed.
func (b *Backend) Stats() backend.Stats {
	return backend.Stats{RoundTrips: b.roundTrips.Load(), Failures: b.failures.Load()}
}

// state makes a call that is answered with a state. Where another life of the
// authority was met while the answer was on its way, there is no telling which of
// the two is the newer: then the authority is asked again.
func (b *Backend) state(ctx context.Context, name string, q request) (*backend.State, error) {
	for {
		b.mu.Lock()
		before := b.known[q.Database]
		b.mu.Unlock()
		q.Life, q.Known = before.life, before.version
		if before.state != nil {
			q.Epoch, q.Number = before.state.Epoch, before.state.Number
		}
		a, err := b.call(ctx, name, q)
		if err != nil {
			return nil, err
		}
		if a == nil && before.state == nil {
			return nil, errors.New("txcache: the authority answered without a state")
		}
		if state := b.learn(q.Database, before, a); state != nil {
			return state, nil
		}
		name = "sync"
	}
}

// learn takes in the answer to what was asked when before was known, and returns
// the newest state, nil if there is no telling. Answers may overtake each other,
// and a state that is known keeps its pointer.
func (b *Backend) learn(database string, before known, a *answer) *backend.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.known[database]
	if a == nil { // nothing has changed since before
		a = &answer{Life: before.life, State: &backend.State{Version: before.version}}
	}
	if a.Life != now.life && now.life != before.life {
		return nil
	}
	if a.Life == now.life && a.State.Version <= now.version {
		return now.state
	}
	state := *a.State
	b.versions++
	state.Version, state.Deletes = b.versions, a.deletes(before.state)
	b.known[database] = known{a.Life, a.State.Version, &state}
	return &state
}

// call makes one call. The answer is nil if it has no content.
func (b *Backend) call(ctx context.Context, name string, q request) (a *answer, err error) {
	if b.closed.Load() {
		return nil, backend.ErrClosed
	}
	b.roundTrips.Add(1)
	defer func() {
		if err != nil {
			b.failures.Add(1)
			err = fmt.Errorf("txcache: authority: %w", err)
		}
	}()
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+"/"+name, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	reply, err := b.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	defer io.Copy(io.Discard, io.LimitReader(reply.Body, maxRequest)) // so that the connection can be used again
	switch reply.StatusCode {
	case http.StatusNoContent:
		return nil, nil
	case http.StatusOK:
		a = new(answer)
		if err := json.NewDecoder(reply.Body).Decode(a); err != nil {
			return nil, err
		}
		if a.State == nil || a.Life == "" || q.Epoch == "" && !a.Whole {
			return nil, errors.New("the answer has no state")
		}
		return a, nil
	}
	return nil, errors.New(reply.Status)
}
