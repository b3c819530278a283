package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Sentinels are a master with one replica, and a Sentinel that watches them.
type Sentinels struct {
	Master, Replica, Sentinel *Server
}

// MasterName is what the Sentinel calls the master.
const MasterName = "main"

// StartSentinels runs them until the test ends, the replica in sync.
func StartSentinels(t testing.TB) *Sentinels {
	t.Helper()
	s := &Sentinels{Master: Start(t), Sentinel: prepare(t)}
	host, port, _ := net.SplitHostPort(s.Master.Addr)
	s.Replica = Start(t, "--replicaof", host+" "+port)
	s.AwaitInSync()
	file := filepath.Join(s.Sentinel.Dir, "sentinel.conf")
	text := fmt.Sprintf(`port %d
bind 127.0.0.1
dir %s
sentinel monitor %[3]s %[4]s %[5]s 1
sentinel down-after-milliseconds %[3]s 300
sentinel failover-timeout %[3]s 1500
`, s.Sentinel.port, s.Sentinel.Dir, MasterName, host, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Sentinel.args = []string{file, "--sentinel", "--logfile", filepath.Join(s.Sentinel.Dir, "log")}
	s.Sentinel.Restart()
	s.Sentinel.Await("to know the replica", func(ctx context.Context) error {
		v, err := s.Sentinel.client.Do(ctx, "sentinel", "replicas", MasterName).Slice()
		if err == nil && len(v) == 0 {
			err = errors.New("none")
		}
		return err
	})
	return s
}

// AwaitInSync waits until the replica has what the master has.
func (s *Sentinels) AwaitInSync() {
	s.Replica.t.Helper()
	s.Replica.Await("to be in sync", func(ctx context.Context) error { return inSync(ctx, s.Replica) })
	s.Master.Do("wait", 1, 5000)
}

// AwaitFailover waits until the replica has been made the master, and the failover of the Sentinel is over.
// SENTINEL GET-MASTER-ADDR-BY-NAME tells of the next master earlier, when the old one can still take its place again.
func (s *Sentinels) AwaitFailover() {
	s.Replica.t.Helper()
	s.Sentinel.Await("to fail over", func(ctx context.Context) error {
		cmd := redis.NewMapStringStringCmd(ctx, "sentinel", "master", MasterName)
		err := s.Sentinel.client.Process(ctx, cmd)
		if m := cmd.Val(); err == nil && (m["port"] != strconv.Itoa(s.Replica.port) || m["flags"] != "master") {
			err = fmt.Errorf("the master is %v", m)
		}
		return err
	})
}

// Detach stops replication, so that a failover loses what is done from now on.
func (s *Sentinels) Detach() { s.Replica.Do("replicaof", "127.0.0.1", "1") }

// Failover kills the master, waits until the replica has been made the master,
// and starts the other as its replica. Master and Replica change places.
func (s *Sentinels) Failover() {
	s.Master.Kill()
	s.AwaitFailover()
	s.Master, s.Replica = s.Replica, s.Master
	s.Master.Await("to be the master", func(ctx context.Context) error {
		text, err := s.Master.client.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(text, "role:master") {
			err = errors.New("it is not")
		}
		return err
	})
	host, port, _ := net.SplitHostPort(s.Master.Addr)
	s.Replica.Restart()
	s.Replica.Await("to be a replica in sync", func(ctx context.Context) error {
		// Not only once: the Sentinel may mean to set it up otherwise.
		if err := s.Replica.client.Do(ctx, "replicaof", host, port).Err(); err != nil {
			return err
		}
		return inSync(ctx, s.Replica)
	})
}

// URI returns the address as a service is configured with it.
func (s *Sentinels) URI() string { return "redis+sentinel://" + s.Sentinel.Addr + "/" + MasterName }
