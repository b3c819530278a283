package txpgx

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// rows are those of the statement that came with BEGIN. Their end ends the batch of the
// two.
type rows struct {
	pgx.Rows
	br  pgx.BatchResults
	err error // of the end of the batch
}

func (r *rows) Close() {
	r.Rows.Close()
	if r.br == nil {
		return
	}
	if err := r.br.Close(); r.Rows.Err() == nil {
		r.err = err
	}
	r.br = nil
}

func (r *rows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.Rows.Err()
}

func (r *rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *rows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

func (r *rows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// failedRows returns rows that have nothing but an error, as pgx has them.
func failedRows(err error) pgx.Rows {
	rows, _ := pgx.FailedBatchResults(&pgx.Batch{}, err).Query()
	return rows
}

// A row is what QueryRow returns of the statement that came with BEGIN.
type row struct{ rows pgx.Rows }

func (r row) Scan(dest ...any) error {
	defer r.rows.Close()
	if err := r.rows.Err(); err != nil {
		return err
	}
	for _, d := range dest {
		if _, ok := d.(*pgtype.DriverBytes); ok {
			return errors.New("txcache: QueryRow cannot scan into a *pgtype.DriverBytes, which is of use until the row is closed")
		}
	}
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// batchResults are those of a batch that came with BEGIN, without the result of BEGIN.
type batchResults struct{ pgx.BatchResults }

// Tx is nil, as the batch of the caller has begun no transaction.
func (batchResults) Tx() pgx.Tx { return nil }
