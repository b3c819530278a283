package acceptance_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A handle that is nil, or was never made, is a mistake that a program must hear
// of at once: taken for a transaction that has ended it would be a miss for ever.
func TestNilHandlesPanicWithASentence(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.Begin(t, store, "db")
	forgetful := storetest.NewCache[string, int](t, store, "forgetful", txcache.CacheOptions{Absent: -1})
	reader := storetest.BeginReadOnly(t, store, "db")
	c.Set(reader, "cached", 1)
	ctx := t.Context()
	load := storetest.Constant(1, nil)
	loadMany := func(context.Context, []string) (map[string]int, error) { return nil, nil }
	refresh := func(context.Context, *txcache.Tx, string) (int, error) { return 1, nil }
	loadFor := func(context.Context) (int, time.Duration, error) { return 1, 0, nil }
	refreshFor := func(context.Context, *txcache.Tx, string) (int, time.Duration, error) { return 1, 0, nil }
	inner := func(*txcache.Tx) error { return nil }
	commit := func(context.Context) error { return nil }
	tags := func(string, int) []string { return nil }
	weigh := func(string, int) int { return 0 }

	ofTx := func(tx *txcache.Tx) map[string]func() {
		return map[string]func(){
			"Get":                   func() { c.Get(ctx, tx, "k") },
			"GetOr":                 func() { c.GetOr(ctx, tx, "k", 1) },
			"GetMany":               func() { c.GetMany(ctx, tx, []string{"k"}) },
			"Set":                   func() { c.Set(tx, "k", 1) },
			"SetMany":               func() { c.SetMany(tx, map[string]int{"k": 1}) },
			"SetFor":                func() { c.SetFor(tx, "k", 1, time.Hour) },
			"LoadFor":               func() { c.LoadFor(ctx, tx, "k", loadFor) },
			"GetMany of no keys":    func() { c.GetMany(ctx, tx, nil) },
			"SetMany of no values":  func() { c.SetMany(tx, nil) },
			"Absent":                func() { c.Absent(ctx, tx, "k") },
			"SetAbsent":             func() { c.SetAbsent(tx, "k") },
			"SetAbsent, for naught": func() { forgetful.SetAbsent(tx, "k") },
			"Load":                  func() { c.Load(ctx, tx, "k", load) },
			"LoadMany":              func() { c.LoadMany(ctx, tx, []string{"k"}, loadMany) },
			"Clear":                 func() { c.Clear(tx) },
			"SyncSince":             func() { c.SyncSince(tx, time.Now()) },
			"ClearAll":              func() { tx.ClearAll() },
			"Commit":                func() { tx.Commit(ctx) },
			"CommitWith":            func() { tx.CommitWith(ctx, commit) },
			"Rollback":              func() { tx.Rollback() },
			"Savepoint":             func() { tx.Savepoint(inner) },
			"Database":              func() { tx.Database() },
			"SyncedAt":              func() { tx.SyncedAt() },
			"WithUser":              func() { tx.WithUser(1) },
			"WithContext":           func() { tx.WithContext(nil) },
			"Delete":                func() { c.Delete(tx, "k") },
			"ClearTags":             func() { tx.ClearTags("t") },
			"Changed":               func() { tx.Changed("t") },
			"ChangedRows":           func() { tx.ChangedRows("t", 1) },
			"OpenSavepoint":         func() { tx.OpenSavepoint() },
			"SetSide":               func() { tx.SetSide(nil) },
			"InDoubt":               func() { tx.InDoubt(nil) },
		}
	}
	ofCache := func(c *txcache.Cache[string, int]) map[string]func() {
		return map[string]func(){
			"Get":                func() { c.Get(ctx, tx, "k") },
			"GetMany":            func() { c.GetMany(ctx, tx, []string{"k"}) },
			"Set":                func() { c.Set(tx, "k", 1) },
			"SetAbsent":          func() { c.SetAbsent(tx, "k") },
			"Absent":             func() { c.Absent(ctx, tx, "k") },
			"GetMany of no keys": func() { c.GetMany(ctx, tx, nil) },
			"SyncSince":          func() { c.SyncSince(tx, time.Now()) },
			"Load":               func() { c.Load(ctx, tx, "k", load) },
			"LoadMany":           func() { c.LoadMany(ctx, tx, []string{"k"}, loadMany) },
			"Clear":              func() { c.Clear(tx) },
			"RefreshEarly":       func() { c.RefreshEarly(refresh) },
			"RefreshEarlyFor":    func() { c.RefreshEarlyFor(refreshFor) },
			"SetFor":             func() { c.SetFor(tx, "k", 1, time.Hour) },
			"LoadFor":            func() { c.LoadFor(ctx, tx, "k", loadFor) },
			"Name":               func() { c.Name() },
			"KeyText":            func() { c.KeyText("k") },
			"Stats":              func() { c.Stats() },
			"GetOr":              func() { c.GetOr(ctx, tx, "k", 1) },
			"SetMany":            func() { c.SetMany(tx, map[string]int{"k": 1}) },
			"Delete":             func() { c.Delete(tx, "k") },
			"TagBy":              func() { c.TagBy(tags) },
			"WeighBy":            func() { c.WeighBy(weigh) },
		}
	}
	ofStore := func(s *txcache.Store) map[string]func() {
		return map[string]func(){
			"Begin":              func() { s.Begin(ctx, "db") },
			"BeginReadOnly":      func() { s.BeginReadOnly(ctx, "db") },
			"Update":             func() { s.Update(ctx, "db", inner) },
			"View":               func() { s.View(ctx, "db", inner) },
			"Sync":               func() { s.Sync(ctx, "db") },
			"Clear":              func() { s.Clear(ctx, "db", "c") },
			"Clear of no caches": func() { s.Clear(ctx, "db") },
			"ClearAll":           func() { s.ClearAll(ctx, "db") },
			"Drop":               func() { s.Drop(ctx, "db") },
			"Close":              func() { s.Close() },
			"Stats": func() {
				for range s.Stats() {
				}
			},
			"Status": func() { s.Status() },
			"Databases": func() {
				for range s.Databases() {
				}
			},
			"Waiting":   func() { s.Waiting() },
			"Delete":    func() { s.Delete(ctx, "db", "c", "s.k") },
			"ClearTags": func() { s.ClearTags(ctx, "db", "t") },
			"Enlist":    func() { s.Enlist(ctx, "db", nil, nil) },
			"Enlister":  func() { s.Enlister() },
		}
	}
	for of, calls := range map[reflect.Type]map[string]func(){
		reflect.TypeFor[*txcache.Tx](): ofTx(nil), reflect.TypeFor[*txcache.Cache[string, int]](): ofCache(nil), reflect.TypeFor[*txcache.Store](): ofStore(nil),
	} {
		for i := range of.NumMethod() {
			if name := of.Method(i).Name; calls[name] == nil {
				t.Errorf("%s of %s is not tried here", name, of)
			}
		}
	}
	var none context.Context
	begin := func(context.Context) (dbtx, error) { return dbtx{}, nil }
	within := func(context.Context, *txcache.Tx, dbtx) error { return nil }
	unlimited := map[string]func(){
		"Begin":                  func() { store.Begin(none, "db") },
		"View":                   func() { store.View(none, "db", inner) },
		"Sync":                   func() { store.Sync(none, "db") },
		"Clear":                  func() { store.Clear(none, "db", "c") },
		"Drop":                   func() { store.Drop(none, "db") },
		"Get":                    func() { c.Get(none, tx, "k") },
		"GetMany":                func() { c.GetMany(none, tx, []string{"k"}) },
		"Load":                   func() { c.Load(none, tx, "k", load) },
		"LoadFor":                func() { c.LoadFor(none, tx, "k", loadFor) },
		"LoadMany":               func() { c.LoadMany(none, tx, []string{"k"}, loadMany) },
		"Load of what is cached": func() { c.Load(none, reader, "cached", load) },
		"Absent":                 func() { c.Absent(none, tx, "k") },
		"Commit":                 func() { tx.Commit(none) },
		"CommitWith":             func() { tx.CommitWith(none, commit) },
		"BeginReadOnly":          func() { store.BeginReadOnly(none, "db") },
		"Update":                 func() { store.Update(none, "db", inner) },
		"ClearAll":               func() { store.ClearAll(none, "db") },
		"ClearTags":              func() { store.ClearTags(none, "db", "t") },
		"Delete":                 func() { store.Delete(none, "db", "c", "s.k") },
		"Enlist":                 func() { store.Enlist(none, "db", nil, nil) },
		"GetOr":                  func() { c.GetOr(none, tx, "k", 1) },
		"InTx":                   func() { txcache.InTx(none, store, "db", begin, within) },
		"NewContext":             func() { txcache.NewContext(none, txcache.Scope{}) },
		"FromContext":            func() { txcache.FromContext(none) },
	}
	for name, test := range map[string]struct {
		calls map[string]func()
		want  string
	}{
		"a nil Tx":              {ofTx(nil), "txcache: the *Tx is nil"},
		"a Tx that is empty":    {ofTx(&txcache.Tx{}), "txcache: the *Tx is nil"},
		"a nil Cache":           {ofCache(nil), "txcache: the *Cache is nil"},
		"a Cache that is empty": {ofCache(&txcache.Cache[string, int]{}), "txcache: the *Cache is nil"},
		"a nil Store":           {ofStore(nil), "txcache: the *Store is nil"},
		"a Store that is empty": {ofStore(&txcache.Store{}), "txcache: the *Store is nil"},
		"a nil context":         {unlimited, "txcache: the context is nil"},
	} {
		for call, f := range test.calls {
			func() {
				defer func() {
					if text, _ := recover().(string); !strings.HasPrefix(text, test.want) {
						t.Errorf("%s with %s panics with %q; want a sentence that begins with %q", call, name, text, test.want)
					}
				}()
				f()
			}()
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Errorf("after all that the transaction does not commit: %v", err)
	}
}

// A dbtx is a transaction of a database in which everything succeeds.
type dbtx struct{}

func (dbtx) Commit(context.Context) error   { return nil }
func (dbtx) Rollback(context.Context) error { return nil }

// A commit function that is nil is none, as with Commit.
func TestCommitWithNothingIsCommit(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		c.Set(tx, "k", 1)
		if err := tx.CommitWith(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "k", 1, "it was committed")
	})
}

// A clear that was refused fails the commit, whether its error was looked at or
// not: the caller would think that others know of the change.
func TestARefusedClearFailsItsCommit(t *testing.T) {
	store, foreign := storetest.Setups[0].One(t), storetest.Setups[0].One(t)
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	of := storetest.NewCache[string, int](t, foreign, "foreign", txcache.CacheOptions{})
	for name, test := range map[string]struct {
		readOnly bool
		clear    func(*txcache.Tx) error
		want     error
	}{
		"Clear in a read-only transaction":    {true, c.Clear, txcache.ErrReadOnly},
		"ClearAll in a read-only transaction": {true, (*txcache.Tx).ClearAll, txcache.ErrReadOnly},
		"Clear of another store's cache":      {false, of.Clear, nil},
	} {
		open := func() *txcache.Tx {
			if test.readOnly {
				return storetest.BeginReadOnly(t, store, "db")
			}
			return storetest.Begin(t, store, "db")
		}
		tx := open()
		c.Set(tx, name, 1)
		refusal := test.clear(tx)
		if refusal == nil || test.want != nil && refusal != test.want {
			t.Fatalf("%s: the clear answers %v", name, refusal)
		}
		ran := false
		err := tx.CommitWith(t.Context(), func(context.Context) error { ran = true; return nil })
		if ran || !errors.Is(err, refusal) {
			t.Errorf("%s: the commit answers %v, and has run: %v; want no commit and %v", name, err, ran, refusal)
		}
		reading := storetest.BeginReadOnly(t, store, "db")
		if _, ok := c.Get(t.Context(), reading, name); ok != test.readOnly {
			t.Errorf("%s: others see what the transaction has set: %v; want that of what it has read only", name, ok)
		}

		tx = open()
		undone := errors.New("undone")
		if err := tx.Savepoint(func(tx *txcache.Tx) error { return errors.Join(undone, test.clear(tx)) }); !errors.Is(err, undone) {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Errorf("%s, in a savepoint that was undone: the commit answers %v", name, err)
		}
	}
}
