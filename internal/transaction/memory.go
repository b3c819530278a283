package transaction

import "github.com/seed-dad15c92/txcache/internal/near"

// generationBytes is about how much an empty generation takes.
const generationBytes = 400

// values and absences are a generation as the owner of its maps.
type (
	values[K comparable, V any]   Generation[K, V]
	absences[K comparable, V any] Generation[K, V]
)

func (o *values[K, V]) Weigh(key *Key[K], value *V) int {
	c := o.of
	if weigh := c.weigh.Load(); weigh != nil {
		return max(0, (*weigh)(key.Key, *value))
	}
	bytes := c.keyBytes(key)
	if c.valueSize != nil {
		bytes += c.valueSize(value)
	}
	return bytes
}

func (o *values[K, V]) Changed(values, bytes int) { (*Generation[K, V])(o).count(values, bytes) }

func (o *values[K, V]) Evicted() { o.of.Counts.Evictions.Add(1) }

func (o *absences[K, V]) Weigh(key *Key[K], _ *struct{}) int { return o.of.keyBytes(key) }

func (o *absences[K, V]) Changed(_, bytes int) { (*Generation[K, V])(o).count(0, bytes) }

func (o *absences[K, V]) Evicted() {} // absences are no values

func (c *Cache[K, V]) keyBytes(key *Key[K]) int {
	if c.keySize == nil {
		return 0
	}
	return c.keySize(&key.Key)
}

// count counts so many more values, and bytes.
func (g *Generation[K, V]) count(values, bytes int) {
	if g.account == nil {
		return
	}
	if values != 0 {
		g.of.Counts.addValues(values)
	}
	if bytes != 0 {
		g.of.Counts.Bytes.Add(int64(bytes))
		g.account.Account(bytes)
	}
}

// relieve makes room for what was just added, if there is too little.
func (g *Generation[K, V]) relieve() {
	if g.account != nil {
		g.account.Relieve()
	}
}

// WeighBy makes weigh the function that returns how many bytes a key and a value refer to.
func (c *Cache[K, V]) WeighBy(weigh func(key K, value V) int) { c.weigh.Store(&weigh) }

// makeAbsences makes the map of the keys that are known to be absent, if there is none.
func (g *Generation[K, V]) makeAbsences() *near.Map[Key[K], struct{}] {
	m := near.New[Key[K], struct{}](g.of.size)
	if g.account != nil {
		m.SetOwner((*absences[K, V])(g))
	}
	g.absences.CompareAndSwap(nil, m)
	m = g.absences.Load()
	if g.discarded.Load() {
		m.Retire() // before or after discard looked for it
	}
	return m
}

// trim is near.Map.Trim for the values and then the absences of g.
func (g *Generation[K, V]) trim(slots int) (end bool) {
	if g.near != nil && !g.near.Trim(slots) {
		return false
	}
	if absences := g.absences.Load(); absences != nil {
		return absences.Trim(slots)
	}
	return true
}
