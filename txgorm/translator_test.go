package txgorm_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
)

// A translated connection is one of SQLite that takes the savepoints of SQL Server, and what
// pastTheCache hides.
type translated struct{ driver.Conn }

var (
	save = regexp.MustCompile(`(?i)^SAVE TRAN(SACTION)? `)
	undo = regexp.MustCompile(`(?i)^ROLLBACK TRAN(SACTION)? `)
)

func (c translated) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	query = strings.TrimPrefix(query, pastTheCache)
	query = undo.ReplaceAllString(save.ReplaceAllString(query, "SAVEPOINT "), "ROLLBACK TO ")
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c translated) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c translated) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

// pastTheCache hides what a statement does.
const pastTheCache = "PAST THE CACHE: "

type translator struct {
	driver driver.Driver
	name   string
}

func (t translator) Driver() driver.Driver { return t.driver }

func (t translator) Connect(context.Context) (driver.Conn, error) {
	c, err := t.driver.Open(t.name)
	return translated{c}, err
}

// An sqlServer says what gorm says to SQL Server.
type sqlServer struct{ *sqlite.Dialector }

func (sqlServer) SavePoint(tx *gorm.DB, name string) error {
	return tx.Exec("SAVE TRANSACTION " + name).Error
}

func (sqlServer) RollbackTo(tx *gorm.DB, name string) error {
	return tx.Exec("ROLLBACK TRANSACTION " + name).Error
}

func overSQLServer(t testing.TB) gorm.Dialector {
	return sqlServer{overTranslator(t).(*sqlite.Dialector)}
}

func overTranslator(t testing.TB) gorm.Dialector {
	d := overSQLite(t).(*sqlite.Dialector)
	plain, err := sql.Open("sqlite", d.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	d.Conn = sql.OpenDB(translator{plain.Driver(), d.DSN})
	return d
}

// P2: the savepoints of SQL Server are of both sides, too.
func TestSavepointsOfSQLServer(t *testing.T) {
	s := newStage(t, kind{dialect: overSQLServer, newStore: inMemory})
	s.fill(t)
	undone := errors.New("undone")
	err := s.db.Transaction(func(tx *gorm.DB) error {
		if err := setPrice(tx, 2, 22); err != nil {
			return err
		}
		if err := tx.Transaction(func(tx *gorm.DB) error { s.set(t, tx, 77); return undone }); err != undone {
			t.Errorf("the inner transaction answers %v", err)
		}
		tx.Exec("SAVE TRAN here")
		s.set(t, tx, 78)
		tx.Exec("ROLLBACK TRAN here")
		if got := s.price(t, tx, 1); got != 10 {
			t.Errorf("after the rollbacks it has %d, want 10", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(t, "after the commit", 10)
	if got := s.read(t, 2); got != 22 {
		t.Errorf("what was not undone is %d, want 22", got)
	}
}
