package storetest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A Recorder is a memory backend that writes down the calls it gets, and fails
// those it is told to.
type Recorder struct {
	*memorybackend.Backend

	mu    sync.Mutex
	calls []string
	fail  map[string]error
}

// NewRecorder returns one that fails nothing.
func NewRecorder() *Recorder {
	return &Recorder{Backend: memorybackend.New(), fail: map[string]error{}}
}

// Call writes down a call of that name, and returns what it fails with. Tests note
// with it what they do between the calls of a store.
func (r *Recorder) Call(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, name)
	return r.fail[name]
}

// Failing makes calls of that name fail from now on; nil mends them.
func (r *Recorder) Failing(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail[name] = err
}

// Taken returns the calls since it was asked last, but for those of Sync.
func (r *Recorder) Taken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := slices.DeleteFunc(r.calls, func(c string) bool { return c == "Sync" })
	r.calls = nil
	return strings.Join(calls, " ")
}

func (r *Recorder) Sync(ctx context.Context, database string) (*backend.State, error) {
	if err := r.Call("Sync"); err != nil {
		return nil, err
	}
	return r.Backend.Sync(ctx, database)
}

func (r *Recorder) Fence(ctx context.Context, database string, f backend.Fence) error {
	if err := r.Call("Fence"); err != nil {
		return err
	}
	return r.Backend.Fence(ctx, database, f)
}

func (r *Recorder) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if err := r.Call("Clear"); err != nil {
		return nil, err
	}
	return r.Backend.Clear(ctx, database, f)
}

func (r *Recorder) Unfence(ctx context.Context, database string, f backend.Fence) error {
	if err := r.Call("Unfence"); err != nil {
		return err
	}
	return r.Backend.Unfence(ctx, database, f)
}
