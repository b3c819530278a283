package txcache

// KeyText returns the canonical form of key: how the command txcache lists the
// key and takes it. A structure, and a string of more than 64 bytes, has a digest
// for its form, which nothing else can tell. It returns "" for a key that no
// cache keeps, such as NaN.
func (c *Cache[K, V]) KeyText(key K) string {
	if !c.keys.Stable(key) {
		return ""
	}
	return c.keys.Text(key)
}
