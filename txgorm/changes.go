package txgorm

import (
	"errors"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/seed-dad15c92/txcache"
)

// errBypassed is the error of a change in a transaction that this package has not begun.
var errBypassed = errors.New("txcache: rows cannot be changed in a transaction that the cache does not hear of, such as one of gorm's Connection, or over a pool that another plugin has chosen")

// register adds to gorm's callbacks what the cache must hear of changes. Hooks of models that run
// after a change find it cleared.
func register(db *gorm.DB) error {
	create, update, remove := db.Callback().Create(), db.Callback().Update(), db.Callback().Delete()
	return errors.Join(
		create.Before("gorm:before_create").Register("txcache:begin", begin),
		create.Before("gorm:save_after_associations").Register("txcache:changed", created),
		create.After("*").Register("txcache:end", end),
		update.Before("gorm:setup_reflect_value").Register("txcache:begin", begin),
		update.Before("gorm:save_after_associations").Register("txcache:changed", updated),
		update.After("*").Register("txcache:end", end),
		remove.Before("gorm:before_delete").Register("txcache:begin", begin),
		remove.Before("gorm:after_delete").Register("txcache:changed", deleted),
		remove.After("*").Register("txcache:end", end),
	)
}

const began = "txcache:began"

// begin begins a transaction for a statement that changes rows, where gorm does not do so
// because of SkipDefaultTransaction.
func begin(db *gorm.DB) {
	if db.Error != nil || db.DryRun || transactionOf(db) != nil {
		return
	}
	if db.SkipDefaultTransaction {
		tx := db.Begin()
		if tx.Error != nil && !errors.Is(tx.Error, gorm.ErrInvalidTransaction) {
			db.AddError(tx.Error)
			return
		}
		if tx.Error == nil {
			db.Statement.ConnPool = tx.Statement.ConnPool
			db.InstanceSet(began, true)
		}
	}
	if transactionOf(db) == nil {
		db.AddError(errBypassed)
	}
}

// end ends what begin has begun.
func end(db *gorm.DB) {
	if own, _ := db.InstanceGet(began); own != true {
		return
	}
	db.InstanceSet(began, false)
	if db.Error != nil {
		db.Statement.ConnPool.(gorm.TxCommitter).Rollback() // its error would take the place of the statement's
	} else {
		db.Commit()
	}
	db.Statement.ConnPool = db.ConnPool
}

func created(db *gorm.DB) {
	changed(db, func(s *gorm.Statement) []any {
		if _, ok := s.Clauses["ON CONFLICT"]; ok { // the row may be another one
			return nil
		}
		return keysOf(s)
	})
}

func updated(db *gorm.DB) {
	changed(db, func(s *gorm.Statement) []any {
		if setsKey(s) {
			return nil
		}
		return keysWhere(s)
	})
}

func deleted(db *gorm.DB) { changed(db, keysWhere) }

// changed tells the cache which rows a statement has changed, also if it has failed: the
// transaction may go on. Where keys returns none, it is all rows of the table.
func changed(db *gorm.DB, keys func(*gorm.Statement) []any) {
	t, s := transactionOf(db), db.Statement
	if t == nil || db.DryRun {
		return
	}
	// Of two errors gorm keeps the text of the first alone; and a transaction that says no to a
	// change says no to the commit.
	failed := func(err error) {
		if db.Error == nil {
			db.AddError(err)
		}
	}
	if s.Schema != nil && s.Schema.PrioritizedPrimaryField != nil && len(s.Schema.PrimaryFields) == 1 && isPlain(s) {
		if keys := keys(s); len(keys) > 0 && exact(keys) {
			failed(t.tx.Cache.ChangedRows(s.Schema.Table, keys...))
			return
		}
	}
	failed(changedAll(t.tx.Cache, s))
}

// isPlain reports whether a statement is about the table of its model alone, and changes no other rows than it
// names, as INSERT OR REPLACE may.
func isPlain(s *gorm.Statement) bool {
	insert, _ := s.Clauses["INSERT"].Expression.(clause.Insert)
	update, _ := s.Clauses["UPDATE"].Expression.(clause.Update)
	remove, _ := s.Clauses["DELETE"].Expression.(clause.Delete)
	own := s.TableExpr == nil && s.Table == s.Schema.Table || s.TableExpr != nil && s.TableExpr.SQL == s.Quote(s.Schema.Table)
	return own && len(tablesOf(s)) == 0 && insert.Modifier+update.Modifier+remove.Modifier == ""
}

// tablesOf returns the tables that clauses of a statement name.
func tablesOf(s *gorm.Statement) (names []string) {
	insert, _ := s.Clauses["INSERT"].Expression.(clause.Insert)
	update, _ := s.Clauses["UPDATE"].Expression.(clause.Update)
	from, _ := s.Clauses["FROM"].Expression.(clause.From)
	tables := append([]clause.Table{insert.Table, update.Table}, from.Tables...)
	for _, join := range from.Joins {
		tables = append(tables, join.Table)
	}
	for _, table := range tables {
		if table.Name != "" {
			names = append(names, table.Name)
		}
	}
	return names
}

// changedAll names each table that a statement may be about: more than one only where
// an expression or a clause says so, such as "products AS p". If none is named, it clears all caches.
func changedAll(tx *txcache.Tx, s *gorm.Statement) error {
	names := []string{s.Table}
	if s.Schema != nil {
		names = append(names, s.Schema.Table)
	}
	said := tablesOf(s)
	if s.TableExpr != nil {
		said = append(said, s.TableExpr.SQL)
		for _, v := range s.TableExpr.Vars {
			if table, ok := v.(clause.Table); ok {
				said = append(said, table.Name)
			}
		}
	}
	for _, text := range said {
		names = append(names, strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,()", r) })...)
	}
	tables := names[:0]
	for _, name := range names {
		if strings.Trim(name, ".?\"`[]") != "" {
			tables = append(tables, name)
		}
	}
	if len(tables) == 0 {
		return tx.ClearAll()
	}
	return tx.Changed(tables...)
}
