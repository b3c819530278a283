package transaction

// exact returns the generation of transactions with one snapshot for the state of t, if t has
// none itself and such transactions use the cache. What is in it t may read too: it is not
// older than the state of t.
func (c *Cache[K, V]) exact(t *Transaction) *Generation[K, V] {
	g, _ := t.db.Exact(t.view, &c.Core.Cache).(*Generation[K, V])
	return g
}
