package txcache

import "context"

// A Scope is for whom a piece of work is done, such as an HTTP request or a job: in which
// database of which store, as which user, with which values of the user context. A
// context carries it from where it is found out, once, to where transactions begin:
//
//	s := txcache.FromContext(ctx)
//	err := sqltx.View(ctx, s.Store, s.Database, db, nil, func(tx *sqltx.Tx) error {
//		tx.Cache = s.Handle(tx.Cache)
//		...
//	})
//
// The zero Scope has no store, so that sqltx and txpgx answer an error.
type Scope struct {
	Store    *Store
	Database string         // the tenant
	User     any            // as Tx.WithUser takes it; nil: none
	Values   map[string]any // as Tx.WithContext takes them, such as the language; not changed any more
}

// Handle returns tx as seen by the user of the scope, with its values.
func (s Scope) Handle(tx *Tx) *Tx {
	if s.User != nil {
		tx = tx.WithUser(s.User)
	}
	if len(s.Values) > 0 {
		tx = tx.WithContext(s.Values)
	}
	return tx
}

type scopeKey struct{}

// NewContext returns a context that carries s. Package txhttp does it for each HTTP request.
func NewContext(ctx context.Context, s Scope) context.Context {
	given(ctx)
	return context.WithValue(ctx, scopeKey{}, s)
}

// FromContext returns the scope that ctx carries, the zero Scope if there is none.
func FromContext(ctx context.Context) Scope {
	given(ctx)
	s, _ := ctx.Value(scopeKey{}).(Scope)
	return s
}
