package redisbackend_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A Backend that is closed leaves no goroutine behind, and neither do its tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
