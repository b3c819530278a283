package txcache

import "context"

// flush gives to others what a read-only transaction has set so far, once that is
// a piece of an outbox: what a transaction keeps does not grow with what it reads.
func (t *transaction) flush(ctx context.Context) {
	if !t.readOnly || t.store.values == nil {
		return
	}
	ready := t.take()
	if len(ready) == 0 {
		return
	}
	out := t.store.newOutbox(ctx, t.db.name)
	defer out.close()
	for _, r := range ready {
		r.overlay.publish(r.generation, out)
	}
}

// A readied is an overlay that the transaction has let go of, for its generation.
type readied struct {
	overlay    overlay
	generation generation
}

// take takes from the transaction what flush gives to others. The transaction
// finds it afterwards where others do. Nothing leaves a savepoint that is open,
// nor a cache that is private.
func (t *transaction) take() (ready []readied) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.work
	if t.done || w == nil || w.unsent < pieceValues || w.savepoints > 0 {
		return nil
	}
	w.unsent = 0
	for c, l := range w.caches {
		if l.overlay == nil || l.afresh {
			continue
		}
		if g := t.shared(c); g != nil {
			ready = append(ready, readied{l.overlay, g})
			l.overlay = nil
		}
	}
	return ready
}
