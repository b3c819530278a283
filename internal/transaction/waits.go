package transaction

import "slices"

// MayWaitFor reports whether t may wait for what leader loads. If t has begun in the database
// and leader has not, t holds a connection, and leader may be waiting for that one.
func (t *Transaction) MayWaitFor(leader *Transaction) bool {
	return leader.begun() || !t.begun()
}

func (t *Transaction) begun() bool { return t.Side == nil || t.Side.Begun() }

// MayLeave reports whether t, which is read-only, may wait for what a transaction of the background
// loads in its place. It may not if it holds a connection, as the background may be waiting for that
// one, nor if it has one snapshot, as the value would have to be of it. // P8, P12
func (t *Transaction) MayLeave() bool {
	if t.view.Unordered && t.view.Exact {
		return false
	}
	if t.Side != nil {
		return !t.Side.Begun()
	}
	return t.SQL == nil
}

// AddAround records that the transaction calls loaders within the loaders of others,
// until it has ended.
func (t *Transaction) AddAround(others []*Transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.done {
		w := t.worked()
		w.around = add(w.around, others)
	}
}

// AppendAround appends to all the transactions that AddAround has recorded and that all
// does not have yet.
func (t *Transaction) AppendAround(all []*Transaction) []*Transaction {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.work == nil {
		return all
	}
	return add(all, t.work.around)
}

func add(all, others []*Transaction) []*Transaction {
	for _, t := range others {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}
