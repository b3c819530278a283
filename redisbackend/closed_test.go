package redisbackend_test

import (
	"runtime"
	"testing"
	"weak"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// P10: a backend that was closed and is used no more is garbage at once: the next collection takes it away.
func TestAClosedBackendIsGarbage(t *testing.T) {
	server := miniredis.RunT(t)
	var old weak.Pointer[redisbackend.Backend]
	t.Run("used", func(t *testing.T) { // it is closed when this ends
		p := over(t, &redis.Options{Addr: server.Addr()}, nil)
		mustSync(t, p.Backend, "shop")
		if err := p.Set(t.Context(), []backend.Value{{Key: keyIn("c", "k"), Data: []byte("x")}}); err != nil {
			t.Error(err)
		}
		old = weak.Make(p.Backend)
	})
	runtime.GC()
	if old.Value() != nil {
		t.Error("it is still there")
	}
}
