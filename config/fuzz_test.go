package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
)

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(testdata + "/*/*.toml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		const secret = "Sw0rdfish-from-the-environment"
		t.Setenv("S", secret)
		c, err := config.Parse(strings.NewReader(text), "fuzz.toml")
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "txcache: fuzz.toml:") || strings.HasPrefix(line, "txcache: fuzz.toml:0:") {
					t.Errorf("a line of the error has no place: %q", line)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows a secret: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("parsed, but not valid: %v", err)
		}
		// The URI and the password hidden, the text is a file that says the same.
		again, err := config.Parse(strings.NewReader(c.String()), "again.toml")
		if err != nil {
			t.Fatalf("%v\nin\n%s", err, c)
		}
		if again.String() != c.String() {
			t.Errorf("got\n%s\nwant\n%s", again, c)
		}
		c.Prefix, c.Class, c.ContextIgnoredKeys, c.Redis.Username = "p", "memory", nil, ""
		c.Redis.CAFile, c.Redis.CertFile, c.Redis.KeyFile, c.Redis.ServerName = "", "", "", ""
		c.Redis.URI, c.Redis.Password = "redis://:"+secret+"@localhost", secret
		if strings.Contains(c.String(), secret) {
			t.Errorf("the configuration shows a secret:\n%s", c)
		}
	})
}
