package redisbackend

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// A breaker answers for a server that cannot be used. It has two states and no
// trial by users: a probe in the background closes it, so that no request pays
// for finding out. That is what sets it apart from the usual libraries, which
// let a caller through.
type breaker struct {
	cause atomic.Pointer[error] // nil while closed
}

// refusal returns why calls are refused, nil if they are not.
func (k *breaker) refusal() error {
	if err := k.cause.Load(); err != nil {
		return notSent{*err}
	}
	return nil
}

// A notSent error is the answer to what is not sent because of an earlier one.
type notSent struct{ error }

func (r notSent) Unwrap() error        { return r.error }
func (r notSent) Is(target error) bool { return target == backend.ErrNotSent }

// trip opens the breaker and reports whether it was closed.
func (k *breaker) trip(err error) bool { return k.cause.CompareAndSwap(nil, &err) }

func (k *breaker) close() { k.cause.Store(nil) }

// isServerError reports whether err says that the server, not a command, is the
// trouble: it was not reached, or it answered that it cannot serve now.
func isServerError(err error) bool {
	if err == nil || errors.Is(err, redis.Nil) {
		return false
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return true
	}
	for _, prefix := range []string{
		"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "BUSY ",
		"NOAUTH", "WRONGPASS", "ERR max number of clients",
	} {
		if strings.HasPrefix(reply.Error(), prefix) {
			return true
		}
	}
	return false
}

// isRefusal reports whether err is a server's answer to one command, which says nothing of others:
// without enough replicas, for instance, it takes no writes.
func isRefusal(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !isServerError(err)
}

// isConnectionLost reports whether a connection that had been made was lost, which a new
// one may well repair.
func isConnectionLost(err error) bool {
	if err == nil {
		return false
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
