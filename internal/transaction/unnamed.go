package transaction

// Showing returns the names of the caches that show the table; of those that show any, if
// table is "".
func (s *Store) Showing(table string) (caches []string) {
	if table == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, all := range s.tables {
			for _, table := range all {
				caches = append(caches, table.cache.Name)
			}
		}
		return caches
	}
	n, err := parseTable(table)
	if err != nil {
		return nil
	}
	all, _ := s.showing(n)
	for _, table := range all {
		caches = append(caches, table.cache.Name)
	}
	return caches
}

// Unnamed returns the names of the caches that show the table and in which t has neither
// cleared nor deleted anything. The transaction must have ended, and not forgotten its work.
func (t *Transaction) Unnamed(table string) (caches []string) {
	n, err := parseTable(table)
	if err != nil {
		return nil
	}
	all, _ := t.Store.showing(n)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, table := range all {
		if !t.work.concerns(table.cache) {
			caches = append(caches, table.cache.Name)
		}
	}
	return caches
}

// concerns reports whether anything in c was cleared or deleted.
func (w *work) concerns(c *Core) bool {
	if w == nil {
		return false
	}
	l := w.caches[c]
	return w.cleared || len(w.tags) > 0 && c.Tagged.Load() || l != nil && (l.cleared || len(l.deleted) > 0)
}

// Clears reports whether t clears or deletes anything, or has named a table.
func (t *Transaction) Clears() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.work
	if w == nil {
		return false
	}
	if w.cleared || len(w.tags) > 0 || len(w.changed) > 0 {
		return true
	}
	for c := range w.caches {
		if w.concerns(c) {
			return true
		}
	}
	return false
}
