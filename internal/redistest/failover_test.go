package redistest_test

import (
	"testing"
	"time"

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
