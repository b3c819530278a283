package mariadbtest_test

import (
	"net"
	"os"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
)

func TestServerLivesAsLongAsItsTest(t *testing.T) {
	var s *mariadbtest.Server
	t.Run("while it lives", func(t *testing.T) {
		s = mariadbtest.Start(t)
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if want := "root@tcp(" + s.Addr + ")/shop"; s.DSN("shop") != want {
			t.Errorf("DSN is %q, want %q", s.DSN("shop"), want)
		}
	})
	if s == nil {
		t.Skip("no MariaDB, as the inner test says")
	}
	if conn, err := net.Dial("tcp", s.Addr); err == nil {
		conn.Close()
		t.Error("it still takes connections")
	}
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
}
