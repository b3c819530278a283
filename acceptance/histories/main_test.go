package histories_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-dad15c92/txcache/internal/storetest"
)

func TestMain(m *testing.M) {
	storetest.Beside()
	goleak.VerifyTestMain(m)
}
