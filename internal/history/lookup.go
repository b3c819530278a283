package history

import (
	"context"
	"fmt"
)

// value returns what the cache is to show of a row.
func (t *transaction) value(s Step, key string, shows content) Value {
	c := t.world.Caches[s.Cache]
	return Value{Database: t.database, Life: shows.life, Cache: c.Name, Key: key, Who: t.world.People[s.Who].in(c), Write: shows.number, Gone: shows.gone}
}

// as returns the handle that s is done with.
func (t *transaction) as(tx Tx, s Step) Tx {
	who := t.world.People[s.Who]
	who.Client = s.Client
	return tx.As(who)
}

func (t *transaction) address(s Step, key string) address {
	return address{s.Cache, key, t.world.People[s.Who].in(t.world.Caches[s.Cache])}
}

func (t *transaction) get(ctx context.Context, tx Tx, s Step) bool {
	since, at := t.glance(), t.address(s, t.world.Keys[s.Key])
	v, ok := t.as(tx, s).Get(ctx, s.Cache, at.key)
	t.looked(at, own{Value: v}, ok, since, "gets")
	return ok
}

func (t *transaction) getMany(ctx context.Context, tx Tx, s Step) {
	since := t.glance()
	found := t.as(tx, s).GetMany(ctx, s.Cache, t.world.Keys)
	for _, key := range t.world.Keys {
		v, ok := found[key]
		t.looked(t.address(s, key), own{Value: v}, ok, since, "gets with others")
		delete(found, key)
	}
	for key := range found {
		t.violated(t, Island, fmt.Sprintf("got %q without asking for it", key))
	}
}

// looked checks what a look-up found: a value, or one of several if they are absences, of
// which nobody knows when they were loaded.
func (t *transaction) looked(at address, v own, ok bool, since glance, verb string, others ...own) {
	t.lookups.Add(1)
	if t.telling { // the arguments cost more than all the rest
		what := "a miss"
		if ok {
			what = v.String()
		}
		t.tell(t, "%s %s: %s", verb, t.at(at), what)
	}
	if !ok {
		t.missed(at, since)
		return
	}
	t.hits.Add(1)
	if t.session.exact() {
		t.exact.Add(1)
	}
	rule, why := t.judge(at, v, since)
	for _, other := range others {
		if rule == "" {
			break
		}
		if r, _ := t.judge(at, other, since); r == "" {
			rule = ""
		}
	}
	if rule != "" {
		t.violated(t, rule, fmt.Sprintf("had a hit of %v in %s; %s", v, t.at(at), why))
		return
	}
	t.proven(at, v, since)
}

func (t *transaction) at(s address) place { return place{t.world.Caches[s.cache].Name, s} }

// A place is an address to be told about.
type place struct {
	name    string
	address address
}

func (p place) String() string {
	at := fmt.Sprintf("%q[%q]", p.name, p.address.key)
	if p.address.who != "" {
		at += " as " + p.address.who
	}
	return at
}

// row reads what a cache shows of a row from the database.
func (t *transaction) row(s Step, key string) (Value, error) {
	shows, err := t.session.read(t.world.Caches[s.Cache].Table, key)
	v := t.value(s, key, shows)
	if !t.several {
		t.touched[t.address(s, key)] = true
	}
	if err != nil {
		t.tell(t, "cannot read: %v", err)
		return v, err
	}
	if t.telling {
		t.tell(t, "reads %v for %s", v, t.at(t.address(s, key)))
	}
	return v, nil
}

// fill is what those do who do not use Load. Who reads and sets what is read
// while other goroutines use the transaction must see to it that they do not
// write or undo anything in between.
func (t *transaction) fill(tx Tx, s Step) error {
	t.pause()
	return t.ordered(func() error {
		v, err := t.row(s, t.world.Keys[s.Key])
		if err != nil {
			return err
		}
		if !t.several {
			t.pause()
		}
		since := t.glance()
		if t.absent(s, v) {
			t.as(tx, s).SetAbsent(s.Cache, v.Key)
		} else {
			t.as(tx, s).Set(s.Cache, v.Key, v)
		}
		t.tellSet(s, v)
		t.set(s, v, since, 1, 1)
		return nil
	})
}

func (t *transaction) tellSet(s Step, v Value) {
	if t.telling {
		t.tell(t, "sets %s to %v", t.at(t.address(s, v.Key)), v)
	}
}

// set notes what was set, if nothing has come in between since it was begun; see
// transactionState.calm.
func (t *transaction) set(s Step, v Value, since glance, then, now int) {
	if t.readOnly || t.absent(s, v) && t.world.Caches[s.Cache].Absent < 0 {
		return
	}
	at, o := t.address(s, v.Key), own{v, t.absent(s, v)}
	t.transactionState.mu.Lock()
	defer t.transactionState.mu.Unlock()
	tagged := t.world.Caches[s.Cache].Tagged
	cut := t.lastCut(at, o, tagged)
	if tagged && since.loader && t.session.clears != nil { // states have no order: any cleared tag is one of what was being loaded
		cut = max(cut, t.cut[anyTag{}])
	}
	switch {
	case t.running == nil && (!t.calm(since, then, now) || since.before < cut && cut <= since.cuts):
		t.belief.doubt(at)
	case cut <= since.cuts: // or it is not kept
		delete(t.belief.unsure, at)
		t.belief.sets[at] = o
	}
}
