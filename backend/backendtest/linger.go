package backendtest

import (
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// Fences are those that servers of a trial have placed. A State may show keys as fenced for a while
// after their fence is gone, and is then as old as that fence.
type fences struct{ standing, lifted []placed }

type placed struct {
	database string
	fence    backend.Fence
}

const (
	lingerTries = 100
	lingerPause = 10 * time.Millisecond
)

func (t *trial) place(database string, f backend.Fence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fences.standing = append(t.fences.standing, placed{database, f})
}

func (t *trial) lift(database string, f backend.Fence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fences.standing = slices.DeleteFunc(t.fences.standing, func(p placed) bool { return p.database == database && p.fence.ID == f.ID })
	t.fences.lifted = append(t.fences.lifted, placed{database, f})
}

// lingers reports whether s shows a key as fenced whose fence is gone.
func (t *trial) lingers(database string, s *backend.State) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range s.FencedKeys {
		for _, hash := range k.Hashes {
			names := func(p placed) bool {
				return p.database == database && slices.ContainsFunc(p.fence.Keys, func(fenced backend.Keys) bool {
					return fenced.Cache == k.Cache && slices.Contains(fenced.Hashes, hash)
				})
			}
			if slices.ContainsFunc(t.fences.lifted, names) && !slices.ContainsFunc(t.fences.standing, names) {
				return true
			}
		}
	}
	return false
}
