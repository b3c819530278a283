package redisbackend

// Forget lets go of what the process has learnt of database, if no call is under way there. It acknowledges
// what the process may have been registered for. What garbage the process has left there expires by itself.
func (b *Backend) Forget(database string) bool {
	found, ok := b.databases.Load(database)
	if !ok {
		return true
	}
	db := found.(*dbInfo)
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gone || db.asking != nil || db.next != nil {
		return false
	}
	db.drop(b)
	if isDigest(db.announced) {
		b.longNames.Delete(db.announced) // before another dbInfo can take its place, which stores it again
	}
	db.remove(&b.databases)
	return true
}
