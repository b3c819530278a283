package deletes_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache"
)

func (w *world) step(p *player) {
	switch n := w.IntN(20); {
	case n < 11:
		w.read(p)
	case n < 15:
		if p.readOnly {
			w.read(p)
		} else {
			w.change(p)
		}
	case n == 15:
		w.savepoint(p)
	case w.depth > 0: // it goes on
	case n == 16:
		w.note(p, "rolls back")
		p.Rollback()
		w.ended(p, nil)
	case n < 19:
		w.end(p)
	}
}

// version returns the write of a row that p sees in the database.
func (w *world) version(p *player, row string) int {
	if n, ok := p.own[row]; ok {
		return n
	}
	for n := len(w.writes) - 1; ; n-- {
		if wr := w.writes[n]; wr.row == row && wr.at > 0 && wr.at <= p.snapshot {
			return n
		}
	}
}

// load returns what the database shows to p.
func (w *world) load(p *player, c *subject, key string) (shown, bool) {
	n := w.version(p, key)
	v := shown{Item: n}
	if w.writes[n].absent {
		return v, false
	}
	if c.tagged {
		v.Owner = w.writes[n].owner
		v.OwnerRow = w.version(p, fmt.Sprint("owner ", v.Owner))
	}
	return v, true
}

func (w *world) read(p *player) {
	c := w.caches[p.server][w.IntN(3)]
	key := fmt.Sprint("item ", w.IntN(items))
	ctx := w.Context()
	switch w.IntN(4) {
	case 0:
		v, hit := c.Get(ctx, p.Tx, key)
		if hit {
			w.check(p, c, key, v)
			return
		}
		if c.Absent(ctx, p.Tx, key) {
			w.checkAbsent(p, c, key)
			return
		}
		if v, ok := w.load(p, c, key); ok {
			w.note(p, "sets %s %s %v", c.Name(), key, v)
			c.Set(p.Tx, key, v)
		} else {
			w.note(p, "sets %s %s absent", c.Name(), key)
			c.SetAbsent(p.Tx, key)
		}
	case 1, 2:
		called := false
		v, err := c.Load(ctx, p.Tx, key, func(context.Context) (shown, error) {
			called = true
			if v, ok := w.load(p, c, key); ok {
				w.note(p, "loads %s %s %v", c.Name(), key, v)
				return v, nil
			}
			w.note(p, "loads %s %s absent", c.Name(), key)
			return shown{}, txcache.ErrAbsent
		})
		switch {
		case called:
		case err == nil:
			w.check(p, c, key, v)
		case errors.Is(err, txcache.ErrAbsent):
			w.checkAbsent(p, c, key)
		default:
			w.wrong("Load: %v", err)
		}
	default:
		var keys []string
		for i := range items {
			keys = append(keys, fmt.Sprint("item ", i))
		}
		for key, v := range c.GetMany(ctx, p.Tx, keys) {
			w.check(p, c, key, v)
		}
	}
}

// check checks a hit.
func (w *world) check(p *player, c *subject, key string, v shown) {
	w.Helper()
	w.hits++
	w.note(p, "hits %s %s %v", c.Name(), key, v)
	w.checkRow(p, key, v.Item)
	if c.tagged {
		if w.writes[v.Item].owner != v.Owner {
			w.wrong("item and owner differ")
		}
		w.checkRow(p, fmt.Sprint("owner ", v.Owner), v.OwnerRow)
	}
}

func (w *world) checkRow(p *player, row string, n int) {
	w.Helper()
	wr := w.writes[n]
	own, mine := p.own[row]
	switch {
	case wr.row != row:
		w.wrong("write %d is of %s", n, wr.row)
	case mine && n != own:
		w.wrong("%s shows %d; the transaction has written %d", row, n, own)
	case !mine && wr.at == 0:
		w.wrong("%s shows %d, which is not committed", row, n)
	case !mine && wr.until <= p.begun:
		w.wrong("%s shows %d, which was overwritten by commit %d; the transaction began after commit %d", row, n, wr.until, p.begun)
	}
}

func (w *world) checkAbsent(p *player, c *subject, key string) {
	w.Helper()
	w.hits++
	w.note(p, "hits %s %s absent", c.Name(), key)
	if n, mine := p.own[key]; mine {
		if !w.writes[n].absent {
			w.wrong("%s is absent; the transaction has written %d", key, n)
		}
		return
	}
	for _, wr := range w.writes {
		if wr.row == key && wr.absent && wr.at > 0 && wr.until > p.begun {
			return
		}
	}
	w.wrong("%s is not absent; the transaction began after commit %d", key, p.begun)
}

// change writes a row, if no other transaction has, and deletes or clears what was cached of it.
func (w *world) change(p *player) {
	row := fmt.Sprint("item ", w.IntN(items))
	if w.IntN(4) == 0 {
		row = fmt.Sprint("owner ", w.IntN(owners))
	}
	if other := w.locks[row]; other != nil && other != p {
		return
	}
	if _, mine := p.own[row]; !mine && w.writes[w.last[row]].at > p.snapshot {
		return // it was changed since
	}
	item := strings.HasPrefix(row, "item")
	n := w.write(row, w.IntN(owners), item && w.IntN(5) == 0)
	w.locks[row], p.own[row] = p, n
	w.note(p, "writes %s: %d, absent: %v", row, n, w.writes[n].absent)
	must := func(err error) {
		if err != nil {
			w.wrong("%v", err)
		}
	}
	switch way := w.IntN(12); {
	case way == 0:
		w.note(p, "clears all")
		must(p.ClearAll())
	case !item && way > 1:
		w.note(p, "clears tag %s", row)
		must(p.ClearTags(row))
	default:
		for _, c := range w.caches[p.server] {
			switch {
			case item && w.IntN(6) > 0:
				w.note(p, "deletes %s %s", c.Name(), row)
				must(c.Delete(p.Tx, row))
			case item || c.tagged:
				w.note(p, "clears %s", c.Name())
				must(c.Clear(p.Tx))
			}
		}
	}
	for _, c := range w.caches[p.server] {
		if !item || w.IntN(2) == 0 {
			continue
		}
		if v, ok := w.load(p, c, row); ok {
			w.note(p, "sets %s %s %v", c.Name(), row, v)
			c.Set(p.Tx, row, v)
		} else {
			w.note(p, "sets %s %s absent", c.Name(), row)
			c.SetAbsent(p.Tx, row)
		}
	}
}

// savepoint takes a few steps within a savepoint, which may be undone.
func (w *world) savepoint(p *player) {
	if w.depth > 2 {
		return
	}
	before := map[string]int{}
	for row, n := range p.own {
		before[row] = n
	}
	undone := errors.New("undone")
	w.note(p, "savepoint")
	end := w.IntN(3)
	func() {
		defer func() { recover() }()
		_ = p.Savepoint(func(*txcache.Tx) error {
			w.depth++
			defer func() { w.depth-- }()
			for range 1 + w.IntN(8) {
				if q := w.open[w.IntN(len(w.open))]; q != p && w.IntN(3) == 0 && w.depth == 1 {
					w.depth--
					func() { defer func() { w.depth++ }(); w.stepOther(q) }()
					continue
				}
				w.step(p)
			}
			switch end {
			case 1:
				return undone
			case 2:
				panic(undone)
			}
			return nil
		})
	}()
	if w.Failed() {
		w.FailNow()
	}
	if end > 0 {
		w.note(p, "savepoint is undone")
		for row := range p.own {
			if n, there := before[row]; there {
				p.own[row] = n
			} else {
				delete(p.own, row)
				delete(w.locks, row)
			}
		}
	} else {
		w.note(p, "savepoint has ended")
	}
}

// stepOther is a step of a transaction within one of another, which does not nest.
func (w *world) stepOther(q *player) {
	switch w.IntN(4) {
	case 0:
		if !q.readOnly {
			w.change(q)
		}
	default:
		w.read(q)
	}
}

// end commits p, one way or another, while others go on.
func (w *world) end(p *player) {
	w.open = slices.DeleteFunc(w.open, func(q *player) bool { return q == p })
	others := func() {
		w.depth++
		defer func() { w.depth-- }()
		for range w.IntN(4) {
			if w.depth == 1 && w.IntN(3) == 0 {
				w.depth-- // they may commit too
				w.begin()
				w.depth++
			}
			if len(w.open) > 0 {
				q := w.open[w.IntN(len(w.open))]
				if w.depth == 1 && w.IntN(3) == 0 {
					w.end(q)
				} else {
					w.stepOther(q)
				}
			}
		}
	}
	refused := errors.New("refused")
	outcome := w.IntN(10)
	ran, settled := false, true
	w.note(p, "commits")
	err := p.CommitWith(w.Context(), func(context.Context) error {
		ran = true
		others()
		switch outcome {
		case 0:
			w.note(p, "is refused")
			w.ended(p, nil)
			return txcache.NotCommitted(refused)
		case 1:
			w.note(p, "is not sent")
			w.ended(p, nil)
			return txcache.NotSent(refused)
		case 2:
			w.note(p, "is in doubt")
			w.doubts = append(w.doubts, p)
			settled = false
			if w.IntN(2) == 0 {
				others()
				w.settle()
			}
			return refused
		}
		w.note(p, "is committed: %d", w.now+1)
		w.ended(p, p.own)
		others()
		return nil
	})
	w.note(p, "commit has ended: %v", err)
	if err == nil != (ran && outcome > 2) {
		w.wrong("commit: %v, and ran: %v", err, ran)
	}
	if !ran && settled {
		w.ended(p, nil)
	}
}

// ended makes those writes visible, and gives up the locks of p.
func (w *world) ended(p *player, own map[string]int) {
	w.open = slices.DeleteFunc(w.open, func(q *player) bool { return q == p })
	var writes []int
	for _, n := range own {
		writes = append(writes, n)
	}
	slices.Sort(writes)
	if len(writes) > 0 {
		w.commit(writes...)
	}
	for row, q := range w.locks {
		if q == p {
			delete(w.locks, row)
		}
	}
}

// settle ends the commits in doubt.
func (w *world) settle() {
	for _, p := range w.doubts {
		if w.IntN(2) == 0 {
			w.note(p, "has committed: %d", w.now+1)
			w.ended(p, p.own)
		} else {
			w.note(p, "has not committed")
			w.ended(p, nil)
		}
	}
	w.doubts = nil
}
