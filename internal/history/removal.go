package history

// shows reports whether a slot is of a cache that shows a table.
func (t *transaction) shows(at slot, table int) bool { return t.world.Caches[at.cache].Table == table }

// owe notes that the transaction must delete or clear what caches may show of a row.
func (t *transaction) owe(table int, before Value) {
	t.transactionState.mu.Lock()
	defer t.transactionState.mu.Unlock()
	for i := range t.world.Caches {
		if at := (slot{i, before.Key}); t.shows(at, table) {
			t.belief.owe(at, before)
		}
	}
}

// clearBefore takes away what caches show of a row, whatever it is.
func (t *transaction) clearBefore(tx Tx, table int, key string, s Step) error {
	if s.All {
		return t.clearAll(tx)
	}
	if s.By >= ByRow { // of which an absence bears none
		if err := t.clearTags(tx, rowTag(key)); err != nil {
			return err
		}
	}
	for i := range t.world.Caches {
		at := slot{i, key}
		if !t.shows(at, table) {
			continue
		}
		remove := func() error { return t.delete(tx, at) }
		if s.By == ByClear {
			remove = func() error { return t.clear(tx, i) }
		}
		if err := remove(); err != nil {
			return err
		}
	}
	return nil
}

// pay takes away what is owed in some slots, by what s says.
func (t *transaction) pay(tx Tx, s Step, in func(slot) bool) error {
	for i, c := range t.world.Caches {
		for _, key := range t.world.Keys {
			at := slot{i, key}
			d, owed := t.owes(at)
			if !owed || !in(at) {
				continue
			}
			var err error
			switch tags := c.Tagged && !d.absent; {
			case s.All:
				return t.clearAll(tx)
			case s.By == ByClear:
				err = t.clear(tx, i)
			case s.By == ByRow && tags:
				err = t.clearTags(tx, rowTag(key))
			case s.By == ByWrite && tags:
				err = t.clearTags(tx, d.tags...)
			default:
				err = t.delete(tx, at)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *transaction) clear(tx Tx, cache int) error {
	if t.readOnly {
		return nil
	}
	t.tell(t, "clears %q", t.world.Caches[cache].Name)
	t.cleared(cache)
	return tx.Clear(cache)
}

func (t *transaction) clearAll(tx Tx) error {
	if t.readOnly {
		return nil
	}
	t.tell(t, "clears all caches")
	for i := range t.world.Caches {
		t.cleared(i)
	}
	return tx.ClearAll()
}

func (t *transaction) delete(tx Tx, at slot) error {
	if t.readOnly {
		return nil
	}
	t.tell(t, "deletes %q in %q", at.key, t.world.Caches[at.cache].Name)
	t.cutOff(at, func() { t.belief.delete(at) })
	return tx.Delete(at.cache, at.key)
}

func (t *transaction) clearTags(tx Tx, tags ...string) error {
	if t.readOnly {
		return nil
	}
	t.tell(t, "clears the tags %q", tags)
	for _, tag := range tags {
		t.cutOff(tag, func() { t.belief.clearTag(tag, t.tagged) })
		t.cutOff(anyTag{}, func() {})
	}
	return tx.ClearTags(tags...)
}

func (t *transaction) tagged(cache int) bool { return t.world.Caches[cache].Tagged }

// tag returns the tag that s clears.
func (t *transaction) tag(s Step) string {
	key := t.world.Keys[s.Key]
	if s.By != ByWrite {
		return rowTag(key)
	}
	write, _ := t.session.latest(row{t.database, t.life, t.world.Caches[s.Cache].Table, key})
	return writeTag(write)
}
