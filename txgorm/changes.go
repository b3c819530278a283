package txgorm

import (
	"errors"
	"reflect"
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
		db.Rollback()
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
	if s.Schema != nil && s.Schema.PrioritizedPrimaryField != nil && len(s.Schema.PrimaryFields) == 1 && s.Table == s.Schema.Table {
		if keys := keys(s); len(keys) > 0 && exact(keys) {
			db.AddError(t.tx.Cache.ChangedRows(s.Schema.Table, keys...))
			return
		}
	}
	db.AddError(changedAll(t.tx.Cache, s))
}

// changedAll names each table that a statement may be about: more than one only where
// an expression says so, such as "products AS p".
func changedAll(tx *txcache.Tx, s *gorm.Statement) error {
	names := []string{s.Table}
	if s.Schema != nil {
		names = append(names, s.Schema.Table)
	}
	if s.TableExpr != nil {
		names = append(names, strings.FieldsFunc(s.TableExpr.SQL, func(r rune) bool { return strings.ContainsRune(" \t\r\n,()", r) })...)
	}
	tables := names[:0]
	for _, name := range names {
		if strings.Trim(name, ".\"`[]") != "" {
			tables = append(tables, name)
		}
	}
	return tx.Changed(tables...)
}

// keysOf returns the primary keys of the statement's models, nil if one has none.
func keysOf(s *gorm.Statement) (keys []any) {
	models := s.ReflectValue
	n := 1
	switch models.Kind() {
	case reflect.Slice, reflect.Array:
		n = models.Len()
	case reflect.Struct:
	default:
		return nil
	}
	for i := range n {
		model := models
		if models.Kind() != reflect.Struct {
			model = reflect.Indirect(models.Index(i))
		}
		if model.Kind() != reflect.Struct || model.Type() != s.Schema.ModelType {
			return nil
		}
		key, zero := s.Schema.PrioritizedPrimaryField.ValueOf(s.Context, model)
		if zero {
			return nil
		}
		keys = append(keys, key)
	}
	return keys
}

// keysWhere returns the primary keys to which the conditions of a statement confine it, nil if
// it cannot tell.
func keysWhere(s *gorm.Statement) []any {
	where, _ := s.Clauses["WHERE"].Expression.(clause.Where)
	keys, _ := keysAmong(s, where.Exprs)
	return keys
}

// keysAmong is keysWhere for conditions that must all hold. ok is false if they may be something
// else than they look like.
func keysAmong(s *gorm.Statement, conditions []clause.Expression) (keys []any, ok bool) {
	for _, condition := range conditions {
		var column any
		var values []any
		switch c := condition.(type) {
		case clause.Eq:
			column, values = c.Column, []any{c.Value}
		case clause.IN:
			column, values = c.Column, c.Values
		case clause.AndConditions:
			inner, ok := keysAmong(s, c.Exprs)
			if !ok {
				return nil, false
			}
			if inner != nil {
				keys = inner
			}
			continue
		default: // in which there may be an OR
			return nil, false
		}
		if isKey(s, column) {
			keys = values
		}
	}
	return keys, true
}

// isKey reports whether a column is the primary key of the statement's table.
func isKey(s *gorm.Statement, column any) bool {
	switch c := column.(type) {
	case string:
		return c == s.Schema.PrioritizedPrimaryField.DBName
	case clause.Column:
		return !c.Raw && (c.Table == "" || c.Table == clause.CurrentTable || c.Table == s.Table) &&
			(c.Name == clause.PrimaryKey || c.Name == s.Schema.PrioritizedPrimaryField.DBName)
	}
	return false
}

// setsKey reports whether an update may change a primary key.
func setsKey(s *gorm.Statement) bool {
	if _, ok := s.Clauses["SET"]; ok {
		return true
	}
	if s.Dest == s.Model {
		return false
	}
	key := s.Schema.PrioritizedPrimaryField
	if values, ok := s.Dest.(map[string]any); ok {
		for name := range values {
			if f := s.Schema.LookUpField(name); f == nil || f.PrimaryKey {
				return true
			}
		}
		return false
	}
	model := reflect.Indirect(reflect.ValueOf(s.Dest))
	if model.Kind() != reflect.Struct || model.Type() != s.Schema.ModelType {
		return true
	}
	_, zero := key.ValueOf(s.Context, model)
	return !zero
}

// exact reports whether keys that the database takes for equal are equal. Texts need not be:
// some collations see no difference between "a" and "A".
func exact(keys []any) bool {
	for _, key := range keys {
		switch k := reflect.Indirect(reflect.ValueOf(key)).Kind(); {
		case reflect.Int <= k && k <= reflect.Uintptr, k == reflect.Array:
		default:
			return false
		}
	}
	return true
}
