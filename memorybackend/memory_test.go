package memorybackend_test

import (
	"context"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func TestBackendKeepsEveryRule(t *testing.T) {
	backendtest.Run(t, func(*testing.T) backendtest.Authority {
		b := memorybackend.New()
		return backendtest.Authority{
			Open: func(context.Context) (backend.Backend, error) { return b, nil },
		}
	})
}
