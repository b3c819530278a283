package redisbackend

import (
	"context"
	"net"

	"github.com/redis/go-redis/v9"
)

// A dialHook counts the connections of a client before anything is sent on
// them, so that a reply that came over a new one is known to have.
type dialHook struct{ b *Backend }

func (h dialHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		h.b.revalidateAll()
		return conn, err
	}
}

func (dialHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (dialHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
