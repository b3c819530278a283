package processes

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A cut says how the line to the database breaks during a commit.
type cut int32

const (
	whole    cut = iota
	unsent       // before the commit is on its way
	answered     // after the database has committed, before that is known here
	early        // when the commit is on its way: it may take effect any time later
)

// errCut is what an operating system says of a line that was cut.
var errCut error = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

// A line is a connection to the database that can be cut.
type line struct {
	net.Conn
	cut atomic.Int32
}

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &line{Conn: conn}, nil
}

// lineOf returns the line of a connection.
func lineOf(conn *pgxpool.Conn) *line { return conn.Conn().PgConn().Conn().(*line) }

func (l *line) Write(p []byte) (int, error) {
	switch how := cut(l.cut.Load()); {
	case how == unsent && bytes.Contains(p, []byte("commit")):
		return 0, l.end()
	case how == early && bytes.Contains(p, []byte("commit")):
		if _, err := l.Conn.Write(p); err != nil {
			return 0, err
		}
		return 0, l.end()
	}
	return l.Conn.Write(p)
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err == nil && cut(l.cut.Load()) == answered {
		return 0, l.end()
	}
	return n, err
}

func (l *line) end() error {
	_ = l.Conn.Close()
	return errCut
}
