package txotel

import (
	"testing"

	"github.com/seed-dad15c92/txcache/internal/helptest"
)

func TestHelpStandsAlone(t *testing.T) {
	caches, others := map[string]string{}, map[string]string{}
	for _, m := range ofCache {
		caches[m.name] = m.help
	}
	for _, m := range ofStore {
		others[m.name] = m.help
	}
	for _, m := range ofBackend {
		others[m.name] = m.help
	}
	helptest.StandAlone(t, caches, others)
}
