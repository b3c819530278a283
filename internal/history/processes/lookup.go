package processes

import (
	"context"
	"fmt"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// address returns some address.
func (t *transaction) address() address {
	return address{t.IntN(len(world.Caches)), t.IntN(len(world.Keys)), t.IntN(len(world.People))}
}

// as returns a handle as the person of an address.
func (t *transaction) as(tx history.Tx, s address) history.Tx {
	p := world.People[s.person]
	p.Client = t.IntN(3)
	return tx.As(p)
}

func (t *transaction) detached() bool { return t.drops != t.actor.drops[t.database].Load() }

// gets looks up an address and those around it, n times. In a read-only transaction
// it loads what is missing, so that there is something to be had.
func (t *transaction) gets(ctx context.Context, tx history.Tx, s address, n int) error {
	as := t.as(tx, s)
	for range n {
		detached := t.detached()
		v, ok := as.Get(ctx, s.cache, world.Keys[s.key])
		t.looked(s, v, ok, detached)
		if !ok && t.ended {
			return nil
		}
		if !ok {
			if !t.readOnly {
				return nil
			}
			if err := t.load(ctx, tx, s); err != nil {
				return err
			}
		}
		s.key = (s.key + 1) % len(world.Keys)
		if t.one(16) {
			s.cache = (s.cache + 1) % len(world.Caches)
		}
	}
	return nil
}

func (t *transaction) getMany(ctx context.Context, tx history.Tx, s address) {
	detached := t.detached()
	found := t.as(tx, s).GetMany(ctx, s.cache, world.Keys)
	for s.key = range world.Keys {
		v, ok := found[world.Keys[s.key]]
		t.looked(s, v, ok, detached)
	}
	if len(found) > len(world.Keys) {
		t.violated(history.Island, "GetMany found more than it was asked for", 0)
	}
}

// looked checks what a look-up found.
func (t *transaction) looked(s address, v history.Value, ok, detached bool) {
	t.lookups++
	if !ok {
		return
	}
	t.hits++
	if t.unasked {
		t.termHits++
	}
	if !t.filled && t.readOnly {
		t.shared[t.database]++
	}
	if rule, why := t.judge(s, v, detached); rule != "" {
		t.violated(rule, fmt.Sprintf("had a hit of %v in %v; %s", v, s, why), t.row(s))
	}
}

// violated reports a violation with the story of a row.
func (t *transaction) violated(rule history.Rule, what string, r row) {
	t.board.Add(Violations, 1)
	t.report(fmt.Sprintf("%s:\n%v %s.\nIts database is %q, read-only %v, %s. The last of %v:\n%s",
		rule, t.who, what, world.Databases[t.database], t.readOnly, t.session.level, r, t.board.story(r)))
}

func (t *transaction) load(ctx context.Context, tx history.Tx, s address) error {
	detached, loaded := t.detached(), false
	v, err := t.as(tx, s).Load(ctx, s.cache, world.Keys[s.key], func(ctx context.Context) (history.Value, error) {
		loaded = true
		return t.read(ctx, s)
	})
	switch {
	case err != nil:
		return err
	case loaded:
		t.lookups++
		t.set(s, v)
	default:
		t.looked(s, v, true, detached)
	}
	return nil
}

// read reads what a cache shows from the database, and lets others go on.
func (t *transaction) read(ctx context.Context, s address) (history.Value, error) {
	t.linger()
	v, err := t.session.read(ctx, t.row(s))
	if err != nil {
		return history.Value{}, err
	}
	if r := t.row(s); t.told[r] != v {
		t.board.tell(r, t.who, reads, v)
		t.told[r] = v
	}
	t.linger()
	t.pass(Loading)
	return t.value(s, v), nil
}

func (t *transaction) fill(ctx context.Context, tx history.Tx, s address) error {
	v, err := t.read(ctx, s)
	if err != nil {
		return err
	}
	t.as(tx, s).Set(s.cache, v.Key, v)
	t.set(s, v)
	return nil
}

// set notes what was set.
func (t *transaction) set(s address, v history.Value) {
	t.filled = true
	if !t.readOnly {
		t.belief.sets[s.in()] = v
	}
}
