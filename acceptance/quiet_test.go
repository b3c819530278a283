package acceptance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// away is a backend that cannot be reached.
type away struct{ backend.Backend }

func (away) Sync(context.Context, string) (*backend.State, error) {
	return nil, errors.New("it is away")
}

// The log has a record of each tenant in trouble, once in a while, and a bounded
// number of records of all, whose last says how many there were.
func TestTheLogOfOneTenantHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := storetest.NewStore(t, away{memorybackend.New()}, txcache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		trouble := func(tenants, times int) (lines []string) {
			log.Reset()
			for range times {
				for i := range tenants {
					storetest.BeginReadOnly(t, store, fmt.Sprint("tenant", i))
				}
			}
			return strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
		}
		if lines := trouble(3, 50); len(lines) != 3 || !strings.Contains(lines[1], "database=tenant1") || !strings.Contains(lines[2], "database=tenant2") {
			t.Errorf("the log of three tenants in trouble:\n%s", strings.Join(lines, "\n"))
		}
		if lines := trouble(3, 50); lines[0] != "" {
			t.Errorf("the log a moment later:\n%s", strings.Join(lines, "\n"))
		}
		time.Sleep(10 * time.Second)
		if lines := trouble(3, 50); len(lines) != 3 || !strings.Contains(lines[2], "suppressed=99") || strings.Contains(lines[2], "suppressed_others") {
			t.Errorf("the log ten seconds later:\n%s", strings.Join(lines, "\n"))
		}
		time.Sleep(10 * time.Second)
		if lines := trouble(5000, 2); len(lines) != 100 {
			t.Errorf("the log of 5000 tenants in trouble has %d lines, want 100", len(lines))
		}
		time.Sleep(10 * time.Second)
		if lines := trouble(1, 1); len(lines) != 1 || !strings.Contains(lines[0], "suppressed_others=9800") {
			t.Errorf("the log afterwards:\n%s", strings.Join(lines, "\n"))
		}
	})
}
