package postgrestest_test

import (
	"net"
	"os"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/postgrestest"
)

func TestServerLivesAsLongAsItsTest(t *testing.T) {
	var s *postgrestest.Server
	t.Run("while it lives", func(t *testing.T) {
		s = postgrestest.Start(t)
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if want := "postgres://postgres@" + s.Addr + "/shop?sslmode=disable"; s.URI("shop") != want {
			t.Errorf("URI is %q, want %q", s.URI("shop"), want)
		}
	})
	if s == nil {
		t.Skip("no PostgreSQL, as the inner test says")
	}
	if conn, err := net.Dial("tcp", s.Addr); err == nil {
		conn.Close()
		t.Error("it still takes connections")
	}
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
}
