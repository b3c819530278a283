// Package schema is what ent generates the client from.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
)

//go:generate go run -mod=mod entgo.io/ent/cmd/ent generate --target ../client .

// Product is a row of the table of products.
type Product struct{ ent.Schema }

func (Product) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.Int64("price")}
}

func (Product) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Table("product")}
}
