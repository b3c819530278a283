package txcache

// Changed says that the transaction has changed rows of the tables: it clears every
// cache of the store that shows one of them, as CacheOptions.Tables and
// CacheOptions.RowsOf say, in the transaction's database. So code that writes need not know
// which caches there are. It must be called after the write.
//
// Tables are named as there. A table that no cache shows does no harm. Like
// [Cache.Clear], Changed is private to the transaction until the commit, a savepoint undoes
// it, and it answers ErrReadOnly in a read-only transaction.
//
// Changed clears the caches that there are when CommitWith is called, also those that were made after Changed. It
// cannot clear one that is made later; a transaction that is open meanwhile may fill that
// with what was there before the change. So a program makes its caches before it begins transactions.
//
// Changed does not know caches of other programs. If several programs share
// a backend, a program that changes a table makes all caches that show it.
func (tx *Tx) Changed(tables ...string) error {
	tx.made()
	return tx.h.Changed(tables)
}

// ChangedRows is Changed for rows of a table whose primary keys are known. Of a cache that
// names the table in CacheOptions.RowsOf it deletes those keys, as [Cache.Delete] does; it
// clears the others that show the table.
//
// A key is a value of the cache's key type, an integer of another type with the same
// value, or a value of a type with the same underlying type. ChangedRows clears a cache in
// which it is in doubt what key is meant: that has a key type of another kind, or one that is or contains an interface.
// Without keys ChangedRows is Changed. A transaction that changes the primary key of
// a row gives the old key and the new one.
func (tx *Tx) ChangedRows(table string, keys ...any) error {
	tx.made()
	return tx.h.ChangedRows(table, keys)
}
