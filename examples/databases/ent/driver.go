package shop

import (
	"context"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/seed-dad15c92/txcache/sqltx"
)

// A driver makes ent work in a transaction, which it cannot begin, commit or roll back.
type driver struct{ entsql.Conn }

func in(tx *sqltx.Tx) dialect.Driver { return driver{entsql.Conn{ExecQuerier: tx}} }

func (driver) Dialect() string { return dialect.Postgres }
func (driver) Close() error    { return nil }

func (d driver) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(d), nil }
