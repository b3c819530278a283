package redistest

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
)

// masters is the number of masters of a Cluster, each of which has a replica.
const masters = 3

// slots is the number of slots of a cluster.
const slots = 16384

// A Cluster is three masters and three replicas.
type Cluster struct {
	Masters, Replicas []*Server // the replica of a master has its index
}

// StartCluster runs a cluster until the test ends, all replicas in sync.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	for i := range 2 * masters {
		s := Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-config-file", "nodes.conf",
			"--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0")
		// Each has an epoch of its own, and those of masters are the highest. Where some have to be told apart
		// later it may be a replica that gets the highest, and one that has it keeps it when it takes over: then the
		// master that comes back has the same, and may win.
		s.Do("cluster", "set-config-epoch", (i+masters)%(2*masters)+1)
		if i < masters {
			s.Do("cluster", "addslotsrange", i*slots/masters, (i+1)*slots/masters-1)
			c.Masters = append(c.Masters, s)
		} else {
			c.Replicas = append(c.Replicas, s)
		}
	}
	for _, s := range c.all()[1:] {
		host, port, _ := net.SplitHostPort(s.Addr)
		c.Masters[0].Do("cluster", "meet", host, port)
	}
	c.await("to know all nodes", func(s *Server, text string) bool {
		return strings.Count(text, "connected\n")+strings.Count(text, "connected ") >= 2*masters
	})
	for i, s := range c.Replicas {
		s.Do("cluster", "replicate", c.Masters[i].Do("cluster", "myid"))
	}
	for _, s := range c.all() {
		s.Await("to be a part of the cluster", func(ctx context.Context) error {
			text, err := s.client.ClusterInfo(ctx).Result()
			if err == nil && !strings.Contains(text, "cluster_state:ok") {
				err = errors.New(text)
			}
			return err
		})
	}
	for _, s := range c.Replicas {
		s.Await("to be in sync", func(ctx context.Context) error { return inSync(ctx, s) })
	}
	c.await("to know all replicas", func(s *Server, text string) bool {
		return strings.Count(text, "slave ") == masters
	})
	return c
}

func (c *Cluster) all() []*Server { return append(append([]*Server{}, c.Masters...), c.Replicas...) }

// await waits until every node shows CLUSTER NODES as ok wants it.
func (c *Cluster) await(what string, ok func(s *Server, nodes string) bool) {
	for _, s := range c.all() {
		s.t.Helper()
		s.Await(what, func(ctx context.Context) error {
			text, err := s.client.ClusterNodes(ctx).Result()
			if err == nil && !ok(s, text) {
				err = errors.New(text)
			}
			return err
		})
	}
}

// AwaitFailover waits until the replica of the master i has taken its place,
// and the other masters know.
func (c *Cluster) AwaitFailover(i int) {
	id := c.Replicas[i].Do("cluster", "myid").(string)
	for j, s := range c.Masters {
		if j == i {
			continue
		}
		s.Await("to know the new master", func(ctx context.Context) error {
			text, err := s.client.ClusterNodes(ctx).Result()
			if err != nil {
				return err
			}
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, id) && strings.Contains(line, "master") {
					return nil
				}
			}
			return errors.New(text)
		})
	}
}

// Failover kills the master i, lets its replica take over at once, and starts
// the other as its replica. They change places.
func (c *Cluster) Failover(i int) {
	c.Masters[i].Kill()
	c.Replicas[i].Do("cluster", "failover", "takeover")
	c.AwaitFailover(i)
	c.Masters[i], c.Replicas[i] = c.Replicas[i], c.Masters[i]
	c.Replicas[i].Restart()
	replica := c.Replicas[i]
	replica.Await("to be in sync", func(ctx context.Context) error { return inSync(ctx, replica) })
}

// inSync returns an error unless a replica has what its master has.
func inSync(ctx context.Context, replica *Server) error {
	text, err := replica.client.Info(ctx, "replication").Result()
	if err == nil && !strings.Contains(text, "master_link_status:up") {
		err = errors.New("the link to the master is down")
	}
	return err
}

// URI returns the addresses as a service is configured with them.
func (c *Cluster) URI() string {
	var addrs []string
	for _, s := range c.Masters {
		addrs = append(addrs, s.Addr)
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// Move moves the slot of a key, with all that is in it, from its master to another.
func (c *Cluster) Move(key string) {
	slot := c.Masters[0].Do("cluster", "keyslot", key)
	var from, to *Server
	for i, s := range c.Masters {
		if s.Do("cluster", "countkeysinslot", slot) != int64(0) {
			from, to = s, c.Masters[(i+1)%len(c.Masters)]
		}
	}
	if from == nil {
		return // there is nothing in it any more
	}
	host, port, _ := net.SplitHostPort(to.Addr)
	target := to.Do("cluster", "myid")
	to.Do("cluster", "setslot", slot, "importing", from.Do("cluster", "myid"))
	from.Do("cluster", "setslot", slot, "migrating", target)
	for {
		keys := from.Do("cluster", "getkeysinslot", slot, 100).([]any)
		if len(keys) == 0 {
			break
		}
		from.Do(append([]any{"migrate", host, port, "", 0, patience.Milliseconds(), "replace", "keys"}, keys...)...)
	}
	for _, s := range append([]*Server{to, from}, c.Masters...) {
		s.Do("cluster", "setslot", slot, "node", target)
	}
}
