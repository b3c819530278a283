package sqlbackendtest_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// BenchmarkBegin compares a transaction that reads the state with one that reads a constant.
func BenchmarkBegin(b *testing.B) {
	db, err := sql.Open("pgx", postgrestest.Start(b).URI("postgres"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, caches := range []int{10, 300, 2000} {
		e, err := sqlbackend.New(func(string) (*sql.DB, error) { return db, nil }, sqlbackend.Postgres, &sqlbackend.Options{Table: fmt.Sprint("clears", caches), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		defer e.Close()
		s, err := e.Sync(b.Context(), "shop")
		if err != nil {
			b.Fatal(err)
		}
		for i := range caches {
			if i%40 == 39 {
				if err := e.Fold(b.Context(), "shop"); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := e.Clear(b.Context(), "shop", clearOf(s, fmt.Sprint("cache", i))); err != nil {
				b.Fatal(err)
			}
		}
		if err := e.Fold(b.Context(), "shop"); err != nil {
			b.Fatal(err)
		}
		if _, err := db.ExecContext(b.Context(), "VACUUM ANALYZE"); err != nil { // as after a minute
			b.Fatal(err)
		}
		transaction := func(b *testing.B, do func(q tx) error) {
			for b.Loop() {
				q, err := db.BeginTx(b.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
				if err != nil {
					b.Fatal(err)
				}
				if err := do(tx{q}); err != nil {
					b.Fatal(err)
				}
				if err := q.Rollback(); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(fmt.Sprintf("caches=%d/alone", caches), func(b *testing.B) {
			transaction(b, func(tx) error { return nil })
		})
		b.Run(fmt.Sprintf("caches=%d/select", caches), func(b *testing.B) {
			transaction(b, func(q tx) error { return q.QueryRow("SELECT 1").Scan(new(int)) })
		})
		b.Run(fmt.Sprintf("caches=%d/state", caches), func(b *testing.B) {
			transaction(b, func(q tx) error {
				_, err := e.State(b.Context(), q, "shop")
				return err
			})
		})
		b.Run(fmt.Sprintf("caches=%d/clear", caches), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := e.Clear(b.Context(), "shop", clearOf(s, fmt.Sprint("cache", i%caches))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
