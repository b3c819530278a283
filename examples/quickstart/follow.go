package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-dad15c92/txcache"
)

// A tally is what tours count together: how often, and who did last.
type tally struct {
	Count int64
	By    string
}

// A ledger is the tours' common database: a file in which every commit is one
// line of the same length. The system appends lines as a whole, so nobody needs
// a lock.
type ledger string

const nameLength = 7

// read returns how many commits there are, and whose the last one is.
func (l ledger) read() (t tally, err error) {
	f, err := os.Open(string(l))
	if os.IsNotExist(err) {
		return tally{}, nil
	}
	if err != nil {
		return tally{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return tally{}, err
	}
	t.Count = info.Size() / (nameLength + 1)
	if t.Count == 0 {
		return t, nil
	}
	line := make([]byte, nameLength)
	_, err = f.ReadAt(line, (t.Count-1)*(nameLength+1))
	t.By = string(line)
	return t, err
}

// commit adds a commit by that name, of nameLength bytes.
func (l ledger) commit(by string) error {
	f, err := os.OpenFile(string(l), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(by + "\n"); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// database returns the name under which the tours of this machine that have
// this ledger share a cache.
func (l ledger) database() (string, error) {
	path, err := filepath.Abs(string(l))
	if err != nil {
		return "", err
	}
	host, err := os.Hostname()
	return fmt.Sprintf("quickstart %s %s", host, path), err
}

// patience is for how many seconds a tour waits for another to raise the count.
const patience = 3

// followCounter reads the count each second, by way of the cache, and raises it
// whenever another tour did so last, or nobody has for a while.
func followCounter(ctx context.Context, n *narrator, a, b *server, long time.Duration, path string) error {
	l, me := ledger(path), rand.Text()[:nameLength]
	database, err := l.database()
	if err != nil {
		return err
	}
	n.chapter("Several programs",
		fmt.Sprintf("This program is %s. Each second B reads a count that A, and all tours\n"+
			"that run now, raise in turn. Start another one in a second terminal.", me))
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for waited := 0; ; {
		got, from, err := b.follow(ctx, database, l)
		if ctx.Err() != nil {
			return nil // the end of the chapter, or Ctrl-C
		}
		if err != nil {
			return err
		}
		by := got.By
		switch by {
		case "":
			by = "nobody yet"
		case me:
			by = "this program"
			waited++
		}
		// Another may have raised it since: newer is right, older is not.
		label := fmt.Sprintf("%s  the count is", time.Now().Format(time.TimeOnly))
		is := fmt.Sprintf("%d by %s, from the %s", got.Count, by, from.source)
		want := is
		if got.Count < from.committed {
			want = fmt.Sprintf("at least %d", from.committed)
		}
		n.see(label, is, want)

		if got.By != me || waited >= patience {
			waited = 0
			if err := a.raise(ctx, database, l, me); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// An origin is where a count came from, and what had been committed before the
// transaction began that read it.
type origin struct {
	source    string
	committed int64
}

func (s *server) follow(ctx context.Context, database string, l ledger) (got tally, from origin, err error) {
	committed, err := l.read()
	if err != nil {
		return tally{}, origin{}, err
	}
	from = origin{"cache", committed.Count}
	err = s.store.View(ctx, database, func(tx *txcache.Tx) (err error) {
		got, err = s.count.Load(ctx, tx, "tours", func(context.Context) (tally, error) {
			from.source = "database"
			return l.read()
		})
		return err
	})
	return got, from, err
}

func (s *server) raise(ctx context.Context, database string, l ledger, by string) error {
	tx, err := s.store.Begin(ctx, database)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := s.count.Clear(tx); err != nil {
		return err
	}
	return tx.CommitWith(ctx, func(context.Context) error { return l.commit(by) })
}
