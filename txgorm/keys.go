package txgorm

import (
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// keysOf returns the primary keys of the models that a statement has created, nil if one has none,
// or may have another in the database.
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
	if !returnsKeys(s) && (omitsKey(s) || n > 1 && s.Schema.PrioritizedPrimaryField.HasDefaultValue) {
		return nil // gorm keeps what the model has, or counts on from the key of one row
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

// returnsKeys reports whether the database has told the keys of all rows that were created.
func returnsKeys(s *gorm.Statement) bool {
	c, ok := s.Clauses["RETURNING"]
	if !ok || !slices.Contains(s.BuildClauses, "RETURNING") {
		return false
	}
	returning, _ := c.Expression.(clause.Returning)
	return len(returning.Columns) == 0 || slices.ContainsFunc(returning.Columns, func(c clause.Column) bool {
		return c.Name == "*" || c.Name == s.Schema.PrioritizedPrimaryField.DBName
	})
}

// omitsKey reports whether a statement does not create rows with the keys of its models, by Omit or Select.
func omitsKey(s *gorm.Statement) bool {
	selected, restricted := s.SelectAndOmitColumns(true, false)
	with, ok := selected[s.Schema.PrioritizedPrimaryField.DBName]
	return ok && !with || !ok && restricted
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
	if dest := reflect.ValueOf(s.Dest); dest.Kind() == reflect.Pointer && s.Dest == s.Model { // values need not be comparable
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
