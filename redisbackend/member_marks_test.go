package redisbackend_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/backend"
)

// Of two states the one with the higher Version shows all that the other shows, as a process uses the
// newest that any of its calls has returned. So what a clear returns has the marks that were made meanwhile. // P3
func TestTheAnswerOfAClearHasTheMarks(t *testing.T) {
	for name, end := range map[string]func(server *miniredis.Miniredis){
		"of a term that runs": func(*miniredis.Miniredis) {},
		"of one that is over": func(server *miniredis.Miniredis) { server.Publish("txcache:@changes:members", "shop other 1 *") },
	} {
		t.Run(name, func(t *testing.T) {
			withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
				answerOfAClear(t, p, other, func() { end(server) })
			})
		})
	}
}

func answerOfAClear(t *testing.T, p, other *process, end func()) {
	g := newGate(p.client)
	release := g.hold(g.after, "evalsha")
	cleared := make(chan *backend.State, 1)
	go func() { cleared <- mustClearFence(t, p, deleting("a", 1)) }()
	unasked(t, p)
	mustFenceKeys(t, other, 2)
	marked := unasked(t, p)
	end()
	synctest.Wait()
	release()
	s := <-cleared
	if !keyFenced(marked, 2) || keyDeleted(marked, 1) {
		t.Fatalf("while a clear is under way a member uses %+v", marked)
	}
	if !keyDeleted(s, 1) || s.Version <= marked.Version || !keyFenced(s, 2) {
		t.Errorf("a member has used %+v, and its clear returns %+v", marked, s)
	}
}

// What was told of a fence before it was placed does not stand for what is told of it then.
func TestAFenceIsToldOfInAdvance(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		epoch, version, _ := strings.Cut(server.HGet("txcache:shop:@", "e"), " ")
		var next uint64
		if _, err := fmt.Sscan(version, &next); err != nil {
			t.Fatal(err)
		}
		server.Publish("txcache:@changes:members", fmt.Sprintf("shop %s %d a#0000000000000007", epoch, next+1))
		if !keyFenced(unasked(t, p), 7) {
			t.Error("what was told is not believed")
		}
		mustFenceKeys(t, other, 1)
		if !keyFenced(mustSync(t, p.Backend, "shop"), 1) {
			t.Error("a member uses a state of before the fence")
		}
	})
}
