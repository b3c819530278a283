package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// Over a real Redis the program prints what docs/tutorial.md shows, each time.
func TestServersOverRedis(t *testing.T) {
	page, err := os.ReadFile("../../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Class, cfg.Redis.URI = config.ClassRedis, redistest.Start(t).URI()
	for range 2 {
		var out bytes.Buffer
		if err := run(t.Context(), cfg, &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "```text\n"+out.String()+"```") {
			t.Errorf("the program prints what the page does not show:\n%s", out.String())
		}
	}
}
