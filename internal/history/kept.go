package history

import "sync"

// kept is which values servers are known to keep, and what was cleared meanwhile. Time is
// the truth's ticks.
type kept struct {
	mu      sync.Mutex
	values  map[residence]proof
	cleared map[any]*clearing // by database, databaseCache, databaseSlot and databaseTag
}

// A residence is where a server keeps a value.
type residence struct {
	server   int
	database string
	address
}

// A proof says that a transaction has hit a value that it had not set itself.
type proof struct {
	value Value
	tick  int // when the transaction began
}

type databaseCache struct {
	database string
	cache    int
}

type databaseSlot struct {
	database string
	slot
}

type databaseTag struct{ database, tag string }

// A clearing is what is known of the commits that clear something.
type clearing struct {
	underway int // forever, if one is in doubt
	last     int // when one returned
}

func newKept() *kept { return &kept{values: map[residence]proof{}, cleared: map[any]*clearing{}} }

// begin notes that a commit with those clears has begun, or a drop. The caller must call
// end when it has returned, unless it is in doubt.
func (k *kept) begin(of []any) (end func(tick int)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, at := range of {
		if k.cleared[at] == nil {
			k.cleared[at] = &clearing{}
		}
		k.cleared[at].underway++
	}
	return func(tick int) {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, at := range of {
			c := k.cleared[at]
			c.underway, c.last = c.underway-1, tick
		}
	}
}

// calm reports whether nothing that concerns a value was cleared since then. k.mu must be held.
func (k *kept) calm(r residence, v Value, tagged bool, since int) bool {
	concerns := []any{r.database, databaseCache{r.database, r.cache}, databaseSlot{r.database, r.slot()}}
	if tagged {
		for _, tag := range v.Tags() {
			concerns = append(concerns, databaseTag{r.database, tag})
		}
	}
	for _, at := range concerns {
		if c := k.cleared[at]; c != nil && (c.underway > 0 || c.last >= since) {
			return false
		}
	}
	return true
}

// clears returns what the transaction clears with its commit.
func (t *transaction) clears() (all []any) {
	t.transactionState.mu.Lock()
	defer t.transactionState.mu.Unlock()
	for cache := range t.belief.cleared {
		all = append(all, databaseCache{t.database, cache})
	}
	for at := range t.belief.deleted {
		all = append(all, databaseSlot{t.database, at})
	}
	for tag := range t.belief.tags {
		all = append(all, databaseTag{t.database, tag})
	}
	return all
}

// demands reports whether hits in the cache are demanded of what is kept in it, outside of
// transactions of several goroutines: nothing expires, nor needs room, nor is taken for a
// miss to be verified.
func (t *transaction) demands(cache int) bool {
	c := t.world.Caches[cache]
	return t.world.Kept && t.running != nil && !t.several && c.Size == 0 && c.Duration == 0 && c.Verify == 0
}

// proven notes a hit of what others have set. It counts for a row that is there: what is
// absent takes the place of a value.
func (t *transaction) proven(at address, v own, since glance) {
	if !t.demands(at.cache) || t.touched[at] || !v.there() || since.ended {
		return
	}
	r, k := residence{t.server, t.database, at}, t.kept
	k.mu.Lock()
	p, ok := k.values[r]
	if p.tick < t.tick {
		k.values[r] = proof{v.Value, t.tick}
	}
	k.mu.Unlock()
	if ok && t.must(r, p) {
		t.demanded.Add(1)
	}
}

// missed checks that a look-up missed with reason. // P11
func (t *transaction) missed(at address, since glance) {
	if !t.demands(at.cache) || t.touched[at] || since.ended || since.detached {
		return
	}
	r, k := residence{t.server, t.database, at}, t.kept
	k.mu.Lock()
	p, ok := k.values[r]
	k.mu.Unlock()
	if ok && t.must(r, p) {
		t.violated(t, Missing, "missed "+p.value.String()+" in "+t.at(at).String())
	}
}

// must reports whether the transaction must hit a value that was proven to be there.
func (t *transaction) must(r residence, p proof) bool {
	tagged := t.world.Caches[r.cache].Tagged
	t.transactionState.mu.Lock()
	hidden := t.belief.hides(r.slot(), own{Value: p.value}, tagged)
	t.transactionState.mu.Unlock()
	k := t.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	return !hidden && p.tick <= t.tick && p.value.Life == t.life && k.calm(r, p.value, tagged, p.tick)
}
