package processes

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// P3: the line to the database breaks while a commit is on its way, and the
// commit takes effect some time after its error has been returned.
func TestCommitThatTakesEffectAfterItsError(t *testing.T) {
	ctx := t.Context()
	postgres, redis := postgrestest.Start(t), redistest.Start(t)
	board, err := NewBoard(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	defer board.Close()
	db, err := pgx.Connect(ctx, postgres.URI("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	_, err = db.Exec(ctx, `
		CREATE TABLE stock (n int);
		INSERT INTO stock VALUES (1);
		CREATE FUNCTION hesitate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER hesitate AFTER UPDATE ON stock DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hesitate();
	`)
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{Redis: redis.URI(), Prefix: "doubt", Sync: "begin", Lease: 2 * time.Second}
	var servers [2]history.Server
	for i := range servers {
		cache, err := Schemes[Subject](ctx, plan, board)
		if err != nil {
			t.Fatal(err)
		}
		servers[i] = cache.server
		defer servers[i].Close()
	}
	stock := func() (n int) {
		if err := db.QueryRow(ctx, "SELECT n FROM stock").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	// get reads the stock by the cache, in a transaction of its own.
	get := func(s history.Server) int {
		tx, err := s.Begin(ctx, "shop", true)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := tx.Load(ctx, 0, "k", func(context.Context) (history.Value, error) { return history.Value{Write: stock()}, nil })
		if err := tx.CommitWith(ctx, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		return v.Write
	}
	if n := get(servers[1]); n != 1 {
		t.Fatalf("at first it is %d", n)
	}

	config, err := pgx.ParseConfig(postgres.URI("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	dials := 0
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, errCut // the driver would have the server cancel what it is at
		}
		return dial(ctx, network, addr)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	tx, err := servers[0].Begin(ctx, "shop", false)
	if err != nil {
		t.Fatal(err)
	}
	dbtx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dbtx.Exec(ctx, "UPDATE stock SET n = 2"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Clear(0); err != nil {
		t.Fatal(err)
	}
	conn.PgConn().Conn().(*line).cut.Store(int32(early))
	if err := tx.CommitWith(ctx, dbtx.Commit); !errors.Is(err, errCut) {
		t.Fatalf("CommitWith answers %v, want that the line is cut", err)
	}
	if !await(patience, func() bool {
		get(servers[1])
		return stock() == 2
	}) {
		t.Fatal("the commit has not taken effect")
	}
	if n := get(servers[1]); n != 2 {
		t.Errorf("it was committed, and a transaction that begins later reads %d", n)
	}
	time.Sleep(plan.Lease * 3 / 2)
	if n := get(servers[1]); n != 2 {
		t.Errorf("and it still reads %d when every lease has ended", n)
	}
}
