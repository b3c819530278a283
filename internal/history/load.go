package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// errLoad is what a loader in trouble answers, or panics with.
var errLoad = errors.New("history: the loader failed")

// slowly is how long a slow loader takes.
const slowly = 200 * time.Microsecond

// A loading is one call of Load or LoadMany, and what its loaders did.
type loading struct {
	*transaction
	step   Step
	keys   []string // that are wanted
	since  glance
	cancel context.CancelFunc

	got      map[string]answer // what loaders returned
	failed   error             // of a loader
	panicked bool
	batches  []loaded
}

// A loaded is what one call of a loader has returned, to be kept.
type loaded struct {
	values  []Value
	since   glance
	changed func() // it has been
}

// An answer is what is known of a key.
type answer struct {
	value  Value
	absent bool
}

func (t *transaction) load(ctx context.Context, tx Tx, s Step) error {
	l := t.loading(s, t.world.Keys[s.Key])
	ok, ended := t.startLoader(t.transactionState, s.Cache)
	if !ok {
		// Load might wait for another's loader, which waits for its next step.
		if t.get(ctx, tx, s) {
			return nil
		}
		return t.fill(tx, s)
	}
	defer ended()
	key, a := l.keys[0], answer{}
	err := l.call(ctx, func(ctx context.Context) (err error) {
		a.value, err = t.as(tx, s).Load(ctx, s.Cache, key, func(context.Context) (v Value, err error) {
			if err := l.load(l.keys); err != nil {
				return v, err
			}
			if l.got[key].absent {
				return v, ErrAbsent
			}
			return l.got[key].value, nil
		})
		if a.absent = errors.Is(err, ErrAbsent); a.absent {
			err = nil
		}
		return err
	})
	if err == nil {
		l.found(key, a)
		return nil
	}
	return l.expected(err)
}

func (t *transaction) loadMany(ctx context.Context, tx Tx, s Step) error {
	n := 2
	if s.All {
		n = len(t.world.Keys)
	}
	var keys []string
	for i := range n {
		keys = append(keys, t.world.Keys[(s.Key+i)%len(t.world.Keys)])
	}
	l := t.loading(s, keys...)
	ok, ended := t.startLoader(t.transactionState, s.Cache)
	if !ok {
		t.getMany(ctx, tx, s)
		return nil
	}
	defer ended()
	var found map[string]Value
	err := l.call(ctx, func(ctx context.Context) (err error) {
		found, err = t.as(tx, s).LoadMany(ctx, s.Cache, append(keys, keys[0]), func(_ context.Context, missing []string) (map[string]Value, error) {
			if err := l.load(missing); err != nil {
				return nil, err
			}
			values := map[string]Value{}
			for _, key := range missing {
				if a := l.got[key]; !a.absent {
					values[key] = a.value
				}
			}
			return values, nil
		})
		return err
	})
	if err != nil {
		return l.expected(err)
	}
	for _, key := range l.keys {
		v, ok := found[key]
		l.found(key, answer{v, !ok})
		delete(found, key)
	}
	for key := range found {
		t.violated(t, Island, fmt.Sprintf("loaded %q without asking for it", key))
	}
	return nil
}

func (t *transaction) loading(s Step, keys ...string) *loading {
	var unique []string
	for _, key := range keys {
		if !slices.Contains(unique, key) {
			unique = append(unique, key)
		}
	}
	return &loading{transaction: t, step: s, keys: unique, since: t.glance(), got: map[string]answer{}}
}

// call calls Load or LoadMany, with a context that a loader can end.
func (l *loading) call(ctx context.Context, do func(context.Context) error) (err error) {
	ctx, l.cancel = context.WithCancel(context.WithValue(ctx, loads{}, l.transaction))
	defer l.cancel()
	defer l.kept()
	defer func() {
		if p := recover(); p == errLoad && l.panicked {
			err = errLoad
		} else if p != nil {
			panic(p)
		}
	}()
	return do(ctx)
}

// load is what every loader does: it reads the rows of keys, and gets into the
// trouble that the step has for it. What it has got is set, unless this is but
// to verify a hit; then what is believed to be set makes no difference, as only
// read-only transactions verify.
func (l *loading) load(keys []string) (err error) {
	defer func() { l.failed = err }()
	for i, key := range keys {
		if slices.Contains(keys[:i], key) || !slices.Contains(l.keys, key) {
			l.violated(l.transaction, Failed, fmt.Sprintf("was to load %q; it wants %q", keys, l.keys))
		}
	}
	l.tell(l.transaction, "loads %q of %q", keys, l.world.Caches[l.step.Cache].Name)
	for _, key := range keys {
		l.missed(l.address(l.step, key), l.since)
	}
	since := l.glance()
	since.before, since.loader = l.since.cuts, true
	l.pause()
	switch l.step.Trouble {
	case Cancelled:
		l.tell(l.transaction, "is cancelled")
		l.cancel()
		return context.Canceled
	case Slow:
		time.Sleep(slowly)
	}
	values := make([]Value, len(keys))
	for i, key := range keys {
		if values[i], err = l.row(l.step, key); err != nil {
			return err
		}
	}
	l.pause()
	switch l.step.Trouble {
	case Failing:
		l.tell(l.transaction, "fails to load")
		return errLoad
	case Panicking:
		l.tell(l.transaction, "panics when it loads")
		l.panicked = true
		panic(errLoad)
	case Leaving:
		l.tell(l.transaction, "is cancelled")
		l.cancel()
	}
	for i, key := range keys {
		l.got[key] = answer{values[i], l.absent(l.step, values[i])}
		l.tellSet(l.step, values[i])
	}
	l.batches = append(l.batches, loaded{values, since, l.change()})
	l.lands(values, 1)
	l.note(len(l.batches) - 1)
	return nil
}

// note notes that a batch is set, if it is.
func (l *loading) note(i int) {
	for _, v := range l.batches[i].values {
		l.set(l.step, v, l.batches[i].since, i, len(l.batches))
	}
}

// kept is called at the end of Load. In a race, other goroutines may have come
// in between since the loaders returned.
func (l *loading) kept() {
	for i := range l.batches {
		if l.running == nil {
			l.note(i)
		}
	}
	for _, b := range l.batches {
		l.lands(b.values, -1)
		b.changed()
	}
}

// lands notes that values begin to land, or with -1 that they have landed. It
// makes no difference where the goroutines take turns.
func (l *loading) lands(values []Value, n int) {
	if l.running != nil {
		return
	}
	for _, v := range values {
		l.transactionState.land(l.address(l.step, v.Key), n)
	}
}

// found checks what came of a key.
func (l *loading) found(key string, a answer) {
	if l.failed != nil {
		// It need not have been for this key.
		if c := l.world.Caches[l.step.Cache]; c.StaleFor == 0 && c.Verify == 0 {
			l.violated(l.transaction, Failed, fmt.Sprintf("is not told that its loader failed: %v", l.failed))
		}
	}
	at := l.address(l.step, key)
	if got, ok := l.got[key]; ok && got.absent == a.absent && (a.absent || got.value == a.value) {
		l.lookups.Add(1)
		return
	}
	candidates := []own{{a.value, false}}
	if a.absent {
		candidates = l.none(l.step, at)
	}
	l.looked(at, candidates[0], true, l.since, "loads", candidates[1:]...)
}

// absent reports whether s says of a row that it is absent. Where hits are
// verified, there is but one way to say it, or they would not be the same.
func (t *transaction) absent(s Step, v Value) bool {
	return !v.there() && (s.Absent || t.world.Caches[s.Cache].Verify > 0)
}

// none returns the values for what is known to be absent. Of that is not known
// when it was loaded: it may be of any time when there was no row, in the life that
// the database is in.
func (t *transaction) none(s Step, at address) (all []own) {
	t.transactionState.mu.Lock()
	o, ok := t.belief.sets[at]
	t.transactionState.mu.Unlock()
	if ok && !o.there() {
		return []own{{o.Value, true}}
	}
	_, _, life, _ := t.truth.now(t.database)
	if t.session.exact() { // it sees the life that it began in
		life = t.session.life
	}
	for _, write := range t.truth.absences(row{t.database, life, t.world.Caches[s.Cache].Table, at.key}) {
		all = append(all, own{t.value(s, at.key, content{write, life, write > 0}), true})
	}
	return all
}

// expected returns nil for an error of Load or LoadMany with which the
// transaction can go on.
func (l *loading) expected(err error) error {
	l.lookups.Add(1)
	l.tell(l.transaction, "cannot load: %v", err)
	switch {
	case errors.Is(err, errGone):
		return err
	case errors.Is(err, errLoad): // its own loader's, or that of another for whom it has waited
		return nil
	case errors.Is(err, context.Canceled) && (l.step.Trouble == Cancelled || l.step.Trouble == Leaving):
		return nil
	}
	return err
}
