package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
)

// An Outage is a backend that keeps values, and fails or hangs when told to.
type Outage struct {
	*Values

	mu   sync.Mutex
	down bool // everything fails

	// What follows is changed within Be.
	NoClears  bool   // clears fail
	Only      string // those of this database, if it is set
	Hang      bool   // clears wait for their context
	AfterSync func() // called once, when the next Sync has its answer
}

// NewOutage returns one in which nothing fails yet.
func NewOutage() *Outage { return &Outage{Values: NewValues()} }

// Be changes what fails.
func (o *Outage) Be(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

// SetDown makes everything fail, or nothing.
func (o *Outage) SetDown(down bool) { o.Be(func() { o.down = down }) }

func (o *Outage) refuse() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return errors.New("connection refused")
	}
	return nil
}

func (o *Outage) Sync(ctx context.Context, database string) (*backend.State, error) {
	if err := o.refuse(); err != nil {
		return nil, err
	}
	state, err := o.Values.Sync(ctx, database)
	o.mu.Lock()
	after := o.AfterSync
	o.AfterSync = nil
	o.mu.Unlock()
	if after != nil {
		after()
	}
	return state, err
}

func (o *Outage) Fence(ctx context.Context, database string, f backend.Fence) error {
	if err := o.refuse(); err != nil {
		return err
	}
	return o.Values.Fence(ctx, database, f)
}

func (o *Outage) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if err := o.refuse(); err != nil {
		return nil, err
	}
	o.mu.Lock()
	hang, refused := o.Hang, o.NoClears && (o.Only == "" || o.Only == database)
	o.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if refused {
		return nil, fmt.Errorf("no clear of %s", database)
	}
	return o.Values.Clear(ctx, database, f)
}

func (o *Outage) Drop(ctx context.Context, database string) error {
	if err := o.refuse(); err != nil {
		return err
	}
	return o.Values.Drop(ctx, database)
}
