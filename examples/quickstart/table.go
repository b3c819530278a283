package main

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
)

// A table stands for the database: rows by name, changed in transactions that
// each see the rows as they were when it began. The last commit of a row wins.
type table struct {
	queries atomic.Int64

	mu   sync.Mutex
	rows map[string]int // replaced, never changed: who holds it has a snapshot
}

// A snapshot is a transaction of a table.
type snapshot struct {
	of     *table
	rows   map[string]int
	writes map[string]int
}

func (t *table) begin() *snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &snapshot{of: t, rows: t.rows, writes: map[string]int{}}
}

// query returns a row as the transaction sees it.
func (s *snapshot) query(name string) int {
	s.of.queries.Add(1)
	if v, ok := s.writes[name]; ok {
		return v
	}
	return s.rows[name]
}

func (s *snapshot) write(name string, value int) { s.writes[name] = value }

// commit has the form that txcache.Tx.CommitWith asks for.
func (s *snapshot) commit(context.Context) error {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	rows := maps.Clone(s.of.rows)
	maps.Copy(rows, s.writes)
	s.of.rows = rows
	return nil
}
