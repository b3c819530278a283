package redistest_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// After a failover the other is the master, and there can be another failover;
// what was done while replication was stopped is lost.
func TestSentinelsFailOverAgainAndAgain(t *testing.T) {
	s := redistest.StartSentinels(t)
	for round := range 2 {
		s.Master.Do("set", "x", round)
		s.AwaitInSync()
		s.Detach()
		s.Master.Do("set", "x", "lost")
		before, start := s.Master, time.Now()
		s.Failover()
		t.Logf("failed over within %v", time.Since(start))
		if s.Master == before {
			t.Fatal("the master is the same")
		}
		if got := s.Master.Do("get", "x"); got != string('0'+rune(round)) {
			t.Errorf("after failover %d: x is %v", round, got)
		}
	}
}

func TestClusterFailsOverAgainAndAgain(t *testing.T) {
	c := redistest.StartCluster(t)
	for round := range 2 {
		before, start := c.Masters[1], time.Now()
		c.Failover(1)
		t.Logf("failed over within %v", time.Since(start))
		if c.Masters[1] == before || c.Replicas[1] != before {
			t.Errorf("failover %d: they have not changed places", round)
		}
	}
}

// A slot that has moved, and moves on after a failover, has its keys.
func TestASlotOfAClusterMoves(t *testing.T) {
	c := redistest.StartCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{c.Masters[0].Addr}})
	defer client.Close()
	if err := client.Set(t.Context(), "x", "kept", 0).Err(); err != nil {
		t.Fatal(err)
	}
	owner := func() (at string) {
		for _, s := range c.Masters {
			if s.Do("cluster", "countkeysinslot", s.Do("cluster", "keyslot", "x")) == int64(1) {
				at = s.Addr
			}
		}
		return at
	}
	for range 4 {
		before := owner()
		c.Move("x")
		if v, err := client.Get(t.Context(), "x").Result(); v != "kept" {
			t.Errorf("after the slot has moved x is %q, %v", v, err)
		}
		if owner() == before {
			t.Error("it has not moved")
		}
	}
	c.Move("there is no such key")
}
