package commits_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// An sqlError is a server's answer, as drivers return it that have a method for
// its SQLSTATE.
type sqlError string

func (e sqlError) SQLState() string { return string(e) }

func (e sqlError) Error() string {
	return `insert or update on table "connections" violates something (SQLSTATE ` + string(e) + `)`
}

// A fieldError is one of a driver that has a field for it.
type fieldError struct {
	SQLState [5]byte
	text     string
}

func (e *fieldError) Error() string { return e.text }

// answers are the calls that a commit makes of the backend, by what is known of
// it.
var answers = map[outcome]string{inDoubt: "Fence Fence", refused: "Fence Clear", unsent: "Fence Unfence"}

type outcome int

const (
	inDoubt outcome = iota
	refused
	unsent
)

// outcomes tells what a commit is taken for that failed with err.
type outcomes struct {
	r     *storetest.Recorder
	store *txcache.Store
	c     *txcache.Cache[string, int]
}

func newOutcomes(t testing.TB, opts txcache.Options) *outcomes {
	opts.Logger = storetest.Silent
	r := storetest.NewRecorder()
	store := storetest.NewStore(t, r, opts)
	return &outcomes{r, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})}
}

func (o *outcomes) expect(t *testing.T, what string, err error, want outcome) {
	t.Helper()
	tx := storetest.Begin(t, o.store, "db")
	storetest.Clear(t, tx, o.c)
	o.r.Taken()
	before := o.store.Status().InDoubt
	if got := tx.CommitWith(t.Context(), func(context.Context) error { return err }); got != err {
		t.Errorf("%s: CommitWith = %v; want the error as it is", what, got)
	}
	if got := tx.InDoubt(err); got != (want == inDoubt) {
		t.Errorf("%s: InDoubt = %v", what, got)
	}
	if got := o.r.Taken(); got != answers[want] {
		t.Errorf("%s: calls: %s; want %s", what, got, answers[want])
	}
	if doubts := o.store.Status().InDoubt - before; (doubts == 1) != (want == inDoubt) {
		t.Errorf("%s: %d more commits are in doubt", what, doubts)
	}
}

// A panickyError cannot be asked.
type panickyError struct{}

func (panickyError) Error() string { return "panics" }

func (panickyError) SQLState() string { panic("no answer") }

type stringField struct{ SQLState string }

func (stringField) Error() string { return "has a text" }

type numberField struct{ SQLState int }

func (numberField) Error() string { return "has a number" }

type emptyJoin struct{}

func (emptyJoin) Error() string { return "has nothing" }

func (emptyJoin) Unwrap() []error { return nil }

// P3: a commit is in doubt unless its error is known to be definite.
func TestOutcomeOfACommit(t *testing.T) {
	refusal := errors.New("there is no connection between Berlin and Paris")
	field := func(state string) error { return &fieldError{SQLState: [5]byte([]byte(state)), text: state} }
	var nobody *fieldError
	for name, test := range map[string]struct {
		err  error
		want outcome
	}{
		"unknown":                     {refusal, inDoubt},
		"end of file":                 {io.EOF, inDoubt},
		"gRPC":                        {errors.New("rpc error: code = Unavailable desc = transport is closing"), inDoubt},
		"DB2":                         {errors.New("SQL30081N A communication error has been detected"), inDoubt},
		"a text with a state":         {errors.New("Error 1062 (23000): Duplicate entry '7' for key 'PRIMARY'"), inDoubt},
		"marked":                      {txcache.NotCommitted(refusal), refused},
		"marked, of the way":          {txcache.NotCommitted(io.EOF), refused},
		"marked, wrapped":             {fmt.Errorf("mine: %w", txcache.NotCommitted(refusal)), refused},
		"marked, joined":              {errors.Join(txcache.NotCommitted(refusal)), refused},
		"marked, joined with another": {errors.Join(txcache.NotCommitted(refusal), io.EOF), inDoubt},
		"marked, with the sentinel":   {txcache.NotCommitted(fmt.Errorf("%w: %w", txcache.ErrInDoubt, refusal)), inDoubt},
		"the sentinel and an answer":  {fmt.Errorf("%w: %w", txcache.ErrInDoubt, sqlError("23505")), inDoubt},
		"not sent":                    {txcache.NotSent(context.Canceled), unsent},
		"not sent, wrapped":           {fmt.Errorf("mine: %w", txcache.NotSent(io.EOF)), unsent},
		"not sent and refused":        {errors.Join(txcache.NotSent(refusal), sqlError("40001")), refused},
		"not sent, with the sentinel": {errors.Join(txcache.NotSent(refusal), txcache.ErrInDoubt), inDoubt},
		"a method":                    {sqlError("23505"), refused},
		"a method, wrapped":           {fmt.Errorf("driver: %w", sqlError("40001")), refused},
		"a method, in doubt":          {fmt.Errorf("driver: %w", sqlError("40003")), inDoubt},
		"two methods":                 {errors.Join(sqlError("40001"), sqlError("25P01")), refused},
		"two methods, one in doubt":   {errors.Join(sqlError("40001"), sqlError("08006")), inDoubt},
		"a method, and the way":       {fmt.Errorf("%w, then %w", io.EOF, sqlError("25P01")), inDoubt},
		"a method that panics":        {panickyError{}, inDoubt},
		"a field":                     {field("23000"), refused},
		"a field, wrapped":            {fmt.Errorf("driver: %w", field("40001")), refused},
		"a field, of the way":         {field("08S01"), inDoubt},
		"a field that says nothing":   {field("HY000"), inDoubt},
		"a field of zeros":            {field("\x00\x00\x00\x00\x00"), inDoubt},
		"a field that is a text":      {stringField{"23000"}, refused},
		"a field that is a number":    {numberField{23000}, inDoubt},
		"a nil pointer":               {nobody, inDoubt},
		"a state that is too short":   {sqlError("23"), inDoubt},
		"a state that is too long":    {sqlError("235050"), inDoubt},
		"no state":                    {sqlError(""), inDoubt},
		"finished before":             {sql.ErrTxDone, refused},
		"finished before, wrapped":    {fmt.Errorf("mine: %w", sql.ErrTxDone), refused},
		"several that are nothing":    {emptyJoin{}, inDoubt},
	} {
		t.Run(name, func(t *testing.T) { newOutcomes(t, txcache.Options{}).expect(t, name, test.err, test.want) })
	}
}

// Of the classes of SQLSTATE those say that the database has refused that are
// known to; no other does.
func TestClassesOfSQLState(t *testing.T) {
	known := map[string]bool{}
	for _, class := range []string{
		"09", "0A", "20", "21", "22", "23", "24", "25", "27", "2D", "2F", "38", "39", "3B", "40", "42", "44", "53", "54", "55", "P0",
	} {
		known[class] = true
	}
	synctest.Test(t, func(t *testing.T) {
		const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		o := newOutcomes(t, txcache.Options{})
		for _, first := range characters {
			for _, second := range characters {
				want := inDoubt
				class := string(first) + string(second)
				if known[class] {
					want = refused
				}
				o.expect(t, class, sqlError(class+"001"), want)
			}
		}
		for state, want := range map[string]outcome{"40000": refused, "40P01": refused, "40003": inDoubt, "08007": inDoubt, "57P01": inDoubt, "57014": inDoubt} {
			o.expect(t, state, sqlError(state), want)
		}
	})
}

// A service whose driver has no SQLSTATE says itself what is a refusal; what it
// says does not count against what is known.
func TestOptionNotCommitted(t *testing.T) {
	busy := errors.New("database is locked")
	o := newOutcomes(t, txcache.Options{NotCommitted: func(err error) bool {
		if errors.Is(err, io.ErrShortWrite) {
			panic("no answer")
		}
		return errors.Is(err, busy) || errors.Is(err, txcache.ErrInDoubt)
	}})
	o.expect(t, "known to it", fmt.Errorf("driver: %w", busy), refused)
	o.expect(t, "not known to it", io.EOF, inDoubt)
	o.expect(t, "in doubt", fmt.Errorf("%w: %w", txcache.ErrInDoubt, busy), inDoubt)
	o.expect(t, "not sent", txcache.NotSent(busy), unsent)
	o.expect(t, "it panics", io.ErrShortWrite, inDoubt)
}

// Whatever an error is made of, it is as good as the worst of its parts, and a
// mark is as good as it says unless the sentinel is in it.
func TestOutcomesOfErrorsOfManyParts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	type grown struct {
		err      error
		sentinel bool
		is       outcome
	}
	var grow func(depth int) grown
	grow = func(depth int) grown {
		if depth > 0 {
			switch r.IntN(4) {
			case 0:
				g := grow(depth - 1)
				return grown{fmt.Errorf("wrapped: %w", g.err), g.sentinel, g.is}
			case 1:
				a, b := grow(depth-1), grow(depth-1)
				return grown{errors.Join(a.err, b.err), a.sentinel || b.sentinel, min(a.is, b.is)}
			case 2:
				g := grow(depth - 1)
				return grown{txcache.NotCommitted(g.err), g.sentinel, refused}
			case 3:
				g := grow(depth - 1)
				return grown{txcache.NotSent(g.err), g.sentinel, unsent}
			}
		}
		switch r.IntN(12) {
		case 0:
			return grown{txcache.ErrInDoubt, true, inDoubt}
		case 1:
			return grown{io.EOF, false, inDoubt}
		case 2:
			return grown{sqlError("08006"), false, inDoubt}
		case 3:
			return grown{sql.ErrTxDone, false, refused}
		default:
			return grown{sqlError("40001"), false, refused}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		o := newOutcomes(t, txcache.Options{})
		for range 2000 {
			g := grow(4)
			if g.sentinel {
				g.is = inDoubt
			}
			if o.expect(t, fmt.Sprintf("%q", g.err), g.err, g.is); t.Failed() {
				return
			}
		}
	})
}

// A marked error is what it was, for callers.
func TestMarksHideNothing(t *testing.T) {
	for name, mark := range map[string]func(error) error{"NotCommitted": txcache.NotCommitted, "NotSent": txcache.NotSent} {
		if mark(nil) != nil {
			t.Errorf("%s(nil) = %v; want nil", name, mark(nil))
		}
		err := mark(fmt.Errorf("driver: %w", sqlError("08006")))
		var state sqlError
		if !errors.Is(err, sqlError("08006")) || !errors.As(err, &state) || err.Error() != "driver: "+sqlError("08006").Error() {
			t.Errorf("%s: %v; want what was marked", name, err)
		}
	}
}

// A fence that cannot be lifted at once is lifted later, and lapses else.
func TestFenceOfAnUnsentCommitIsLiftedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		r.Failing("Unfence", errors.New("connection refused"))
		failedCommit(t, store, c, txcache.NotSent(errors.New("no connection")))
		if clears := c.Stats().Clears; clears != 0 || store.Waiting() != 0 {
			t.Errorf("%d clears are counted, and %d wait; want none", clears, store.Waiting())
		}
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the fence stands yet")
		r.Failing("Unfence", nil)
		time.Sleep(time.Second)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "nothing was committed")
	})
}
