// Package txgorm makes the transactions of gorm those of the cache as well.
//
//	db, err := gorm.Open(postgres.Open(address), nil)
//	...
//	err = db.Use(txgorm.New(store, "shop"))
//
// From then on Transaction, and Begin with Commit, do the steps of both sides in the only
// order that is right: the cache's transaction begins before the database takes its snapshot, and
// the database commits between the fence and the clear of the cache. Cache returns the cache's side.
//
//	err := db.Transaction(func(tx *gorm.DB) error {
//		if err := tx.Model(&Product{ID: id}).Update("price", 12).Error; err != nil {
//			return err
//		}
//		return prices.Delete(txgorm.Cache(tx), id)
//	})
//
// Transactions within a transaction are savepoints of both sides, as are those of SavePoint and
// RollbackTo. A statement that changes rows in no transaction is one of its own, also
// with SkipDefaultTransaction, and gorm's answer has the errors of the commit.
//
// # Clears that nobody can forget
//
// A cache that says which tables it shows (Tables and RowsOf of [txcache.CacheOptions]) needs no
// Delete and no Clear: Create, Save, Update, Delete, and what gorm does by them for
// associations, call [txcache.Tx.Changed] with the table of the statement. They call
// [txcache.Tx.ChangedRows] where they know the primary keys of the rows, so that only these are
// deleted from the caches that name the table in RowsOf. They do where the primary key is one
// column of integers or of arrays, such as a UUID, and
//
//   - the models that were created have it, they are as the database has told or been
//     told, which MySQL does of the first of several rows alone, and no OnConflict was given,
//   - or the conditions of an update or delete are equalities, such as those that gorm
//     makes of the primary key of a model, one of them for the primary key.
//
// In all other cases the caches that show the table are cleared, as where a clause says OR REPLACE. A
// statement of which nothing tells the table clears all caches.
//
// What runs past these callbacks must say itself which tables it changes, in a transaction, by
//
//	txgorm.Cache(tx).Changed("product")
//
// That is Exec, and Raw, Row and Rows with a statement that changes rows; triggers, and
// rows that the database deletes along with others; Migrator. Exec in no transaction
// reaches no cache.
//
// # Reads
//
// A read-only transaction, as by [View], begins in the database with its first statement. Reads
// that all hit send the database nothing and hold no connection. With class sql the begin is one
// small read, and at repeatable read the database's transaction begins with it.
//
//	err := txgorm.View(db, func(tx *gorm.DB) error {
//		product, err = products.Load(ctx, txgorm.Cache(tx), id, func(ctx context.Context) (p Product, err error) {
//			err = tx.WithContext(ctx).First(&p, id).Error
//			return p, err
//		})
//		return err
//	})
//
// Reads in no transaction do not ask the cache, as ever.
package txgorm
