package txgorm

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// ErrUnknownOutcome says that a commit was sent to the database, and that this package
// cannot tell whether the database has committed: the connection may have died before the
// commit arrived or after it was done. It is sqltx.ErrUnknownOutcome, which says what the
// caller should do then. Transaction, Commit, and the Create, Save, Update and Delete of a
// handle that is in no transaction answer it.
var ErrUnknownOutcome = sqltx.ErrUnknownOutcome

// New returns a plugin for [gorm.DB.Use], or for the map Plugins of gorm.Config. From then on
// each transaction that a handle begins is also one of the cache, in the database of that
// name in store. The plugin is for one *gorm.DB: a service with several databases opens
// one for each.
//
// Use returns an error if the pool of connections of the *gorm.DB is no *sql.DB. A plugin that
// replaces the pool, such as dbresolver, must not choose another one for statements that
// change rows: they are refused in transactions of which the cache does not hear.
func New(store *txcache.Store, database string) gorm.Plugin {
	return &plugin{store: store, database: database}
}

type plugin struct {
	store    *txcache.Store
	database string
}

func (p *plugin) Name() string { return "txcache" }

func (p *plugin) Initialize(db *gorm.DB) error {
	if p.store == nil {
		return errors.New("txcache: txgorm needs a store")
	}
	connections, prepared := db.ConnPool, (*gorm.PreparedStmtDB)(nil)
	if of, ok := connections.(*gorm.PreparedStmtDB); ok {
		connections, prepared = of.ConnPool, of
	}
	sqldb, ok := connections.(*sql.DB)
	if !ok {
		return fmt.Errorf("txcache: txgorm needs a *gorm.DB over an *sql.DB; its ConnPool is a %T", connections)
	}
	own := &pool{DB: sqldb, plugin: p}
	if prepared != nil {
		prepared.ConnPool = own
	} else {
		db.ConnPool, db.Statement.ConnPool = own, own
	}
	return register(db)
}

// A pool is an *sql.DB whose transactions are also those of the cache.
type pool struct {
	*sql.DB
	plugin *plugin
}

var (
	_ gorm.ConnPoolBeginner = (*pool)(nil)
	_ gorm.GetDBConnector   = (*pool)(nil)
)

// BeginTx is called by gorm's Begin and Transaction, and for a change in no transaction.
func (p *pool) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := sqltx.Begin(ctx, p.plugin.store, p.plugin.database, p.DB, opts)
	if err != nil {
		return nil, err
	}
	return &transaction{tx: tx, db: p.DB}, nil
}

// PrepareContext prepares what transactions may use as well.
func (p *pool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := refuses(query, errPrepared); err != nil {
		return nil, err
	}
	return p.DB.PrepareContext(ctx, query)
}

// GetDBConn is called by gorm's DB.
func (p *pool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// Cache returns the cache's side of the transaction that a handle of gorm is in. Give it to
// the methods of caches; do not commit it or roll it back. In a hook of a model it is that of the
// statement's transaction.
//
// Cache panics if the handle is in no transaction, or in one that was begun without the plugin.
func Cache(tx *gorm.DB) *txcache.Tx {
	t := transactionOf(tx)
	if t == nil { // if that counted as one that has ended, every look-up would be a miss
		panic("txcache: txgorm.Cache needs the handle that Transaction, View or Begin of a *gorm.DB with the plugin gives")
	}
	return t.tx.Cache
}

// View runs fn in a read-only transaction. It begins in the database with its first statement, so
// reads that all hit send the database nothing and hold no connection, but for the small read of class sql. It is
//
//	db.Transaction(fn, &sql.TxOptions{ReadOnly: true})
//
// In a handle that is in a transaction fn runs in that one, within a savepoint, as gorm has it.
func View(db *gorm.DB, fn func(tx *gorm.DB) error) error {
	return db.Transaction(fn, &sql.TxOptions{ReadOnly: true})
}

// transactionOf returns the transaction that a handle is in, nil if that is none of ours.
func transactionOf(db *gorm.DB) *transaction {
	if db == nil || db.Statement == nil {
		return nil
	}
	connections := db.Statement.ConnPool
	for {
		switch c := connections.(type) {
		case *transaction:
			return c
		case *gorm.PreparedStmtTX: // a session may put one around another
			connections = c.Tx
		default:
			return nil
		}
	}
}
