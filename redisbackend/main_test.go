package redisbackend_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A Backend that is closed leaves no goroutine behind, and neither do its tests.
func TestMain(m *testing.M) {
	storetest.Beside()
	goleak.VerifyTestMain(m)
}
