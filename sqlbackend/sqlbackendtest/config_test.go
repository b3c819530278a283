package sqlbackendtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

func open(t *testing.T, section string) (*sqlbackend.Backend, error) {
	t.Helper()
	cfg, err := config.Parse(strings.NewReader("[cache]\nclass = \"sql\"\n[cache.sql]\n"+section), "x.toml")
	if err != nil {
		return nil, err
	}
	return sqlbackend.Open(t.Context(), cfg)
}

func TestOpenFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	t.Setenv("DSN", "file:"+file)
	b, err := open(t, "dialect = \"sqlite\"\ndsn = \"${DSN}\"\ntable = \"clears\"")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := b.Sync(t.Context(), "shop"); err != nil || s.AllFenced || b.Dialect() != sqlbackend.SQLite {
		t.Errorf("Sync returned %+v, %v", s, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// Whatever the drivers say of a dsn, no error shows the password.
func TestErrorsShowNoSecret(t *testing.T) {
	const secret = "sw0rdfish"
	for _, section := range []string{
		"dialect = \"postgres\"\ndsn = \"postgres://app:" + secret + "@127.0.0.1:1/shop?sslmode=disable\"",
		"dialect = \"postgres\"\ndsn = \"postgres://app:" + secret + "@127.0.0.1:port/shop\"",
		"dialect = \"postgres\"\ndsn = \"host=127.0.0.1 port=1 password=" + secret + " sslmode=bad\"",
		"dialect = \"postgres\"\ndriver = \"postgres\"\ndsn = \"postgres://app:" + secret + "@127.0.0.1:port/shop\"",
		"dialect = \"postgres\"\ndriver = \"postgres\"\ndsn = \"postgres://app:" + secret + "@127.0.0.1:1/shop?x=%zz\"",
		"dialect = \"postgres\"\ndriver = \"postgres\"\ndsn = \"host=127.0.0.1 port=1 password='" + secret + "\"",
		"dialect = \"mysql\"\ndsn = \"app:" + secret + "@127.0.0.1\"",
		"dialect = \"mysql\"\ndsn = \"app:" + secret + "@tcp(127.0.0.1:1)/shop\"",
		"dialect = \"mysql\"\ndsn = \"app:" + secret + "@tcp(127.0.0.1:1)/shop?parseTime=" + secret + "\"",
		"dialect = \"sqlite\"\ndsn = \"file:/nowhere/at/all.db?_pragma=key('" + secret + "')\"",
		"dialect = \"sqlite\"\ndsn = [\"" + secret + "\"]",
	} {
		b, err := open(t, section)
		if err == nil {
			_, err = b.Sync(t.Context(), "shop")
			b.Close()
		}
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s\n%v", section, err)
		}
		t.Log(err)
	}
}
