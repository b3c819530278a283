package redisbackend

import (
	"errors"
	"io"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
)

// The error of a question that follows a change which was carried out does not
// say that nothing was sent.
func TestAfterwardsSomethingWasSent(t *testing.T) {
	var k breaker
	k.trip(io.EOF)
	err := k.refusal()
	if !errors.Is(err, backend.ErrNotSent) || !errors.Is(err, io.EOF) {
		t.Errorf("refusal is %v; want ErrNotSent with the reason", err)
	}
	if err := afterwards(err); errors.Is(err, backend.ErrNotSent) || !errors.Is(err, io.EOF) {
		t.Errorf("afterwards it is %v; want the reason alone", err)
	}
	if err := afterwards(backend.ErrClosed); err != backend.ErrClosed {
		t.Errorf("afterwards it is %v; want what it was", err)
	}
}
