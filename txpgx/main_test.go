package txpgx_test

import (
	"os"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/postgrestest"
)

// All tests share one server, and each has a database of its own.
var server postgrestest.Shared

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }
