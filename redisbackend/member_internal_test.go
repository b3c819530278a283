package redisbackend

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

//go:embed testdata/database_before_members.lua
var oldLua string

// A desk runs the scripts of members.
type desk struct {
	t      *testing.T
	server *miniredis.Miniredis
	client *redis.Client
}

func newDesk(t *testing.T) *desk {
	server := miniredis.RunT(t)
	redistest.Identify(server)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	return &desk{t, server, client}
}

// run runs an operation of a member, the words that follow its name.
func (d *desk) run(op operation, words string, args ...any) reply {
	d.t.Helper()
	all := append([]any{string(backend.NewToken()), "channel", "shop", "", "", string(op) + " " + words}, args...)
	cmd := databaseScript.command("hash", all...)
	_ = d.client.Process(d.t.Context(), cmd)
	r, err := parseReply(cmd.Val())
	if err != nil {
		d.t.Fatalf("%s %s: %v, %v", op, words, err, cmd.Err())
	}
	return r
}

// runOld runs an operation by the script of the release that knew no members.
func (d *desk) runOld(op operation, args ...any) {
	d.t.Helper()
	old := newScript(oldLua)
	cmd := old.command("hash", append([]any{string(backend.NewToken()), "channel", "shop", "", "", string(op)}, args...)...)
	if err := d.client.Process(d.t.Context(), cmd); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) ack(member string, number int) {
	d.t.Helper()
	cmd := ackScript.command("hash", member, number)
	if err := d.client.Process(d.t.Context(), cmd); err != nil {
		d.t.Fatal(err)
	}
}

// listen returns a function that returns what was said on the two channels since its last call.
func (d *desk) listen() (said func() []string) {
	ear := d.server.NewSubscriber()
	d.t.Cleanup(ear.Close)
	ear.Subscribe("channel")
	ear.Subscribe("channel:members")
	heard := make(chan string, 100)
	go func() {
		for m := range ear.Messages() {
			heard <- m.Channel + " " + m.Message
		}
	}()
	return func() (all []string) {
		d.server.Publish("channel", "end")
		for m := <-heard; m != "channel end"; m = <-heard {
			all = append(all, m)
		}
		return all
	}
}

func (d *desk) members() string { return strings.ReplaceAll(d.server.HGet("hash", "m"), "\n", ";") }

func (d *desk) expect(want string) {
	d.t.Helper()
	if got := d.members(); got != want {
		d.t.Fatalf("the members are %q, want %q", got, want)
	}
}

// Of the registrations of a member, that of its last request counts, since it was first delivered.
func TestRegistrationsOfAMember(t *testing.T) {
	d := newDesk(t)
	d.run(opSync, "a 0 - 0")
	d.expect("1;? 0 1")
	if r := d.run(opSync, "a 5 - 0"); !r.registered || r.serial != 2 {
		t.Errorf("%+v", r)
	}
	d.run(opSync, "aa 1 - 0")
	d.expect("3;? 0 1;a 5 2;aa 1 3")
	if r := d.run(opSync, "a 5 - 0"); !r.registered || r.serial != 3 { // again
		t.Errorf("%+v", r)
	}
	if r := d.run(opSync, "a 4 - 0"); r.registered { // late
		t.Errorf("%+v", r)
	}
	d.expect("3;? 0 1;a 5 2;aa 1 3")
	d.run(opSync, "a 6 - 0")
	d.expect("4;? 0 1;aa 1 3;a 6 4")
	d.run(opSync, "a 0 - 0") // does not register
	d.ack("a", 5)            // late
	d.ack("x", 9)
	d.expect("4;? 0 1;aa 1 3;a 6 4")
	d.ack("a", 6)
	d.ack("a", 6)
	d.expect("4;? 0 1;aa 1 3")
	d.ack("aa", 7)
	d.expect("4;? 0 1")
}

// Registrations that are over are removed within their epoch, up to the serial number.
func TestRegistrationsThatAreOver(t *testing.T) {
	d := newDesk(t)
	epoch := string(d.run(opSync, "a 1 - 0").epoch)
	d.run(opSync, "b 1 - 0")
	d.run(opSync, "b 0 other 9")
	d.expect("3;? 0 1;a 1 2;b 1 3")
	d.run(opSync, "b 0 "+epoch+" 2")
	d.expect("3;b 1 3")
	d.run(opUnfence, "c 0 "+epoch+" 3", "id")
	d.expect("3")
	d.run(opSync, "b 2 "+epoch+" 3")
	d.expect("4;b 2 4")
	d.server.HSet("hash", "n", "1") // the hash is damaged
	if again := d.run(opSync, "b 3 "+epoch+" 4"); string(again.epoch) == epoch || again.serial != 2 {
		t.Errorf("%+v", again)
	}
	d.expect("2;? 0 1;b 3 2")
}

// Changes are told for whom they have to wait, and make nobody register while a fence stands.
func TestWhomAChangeWaitsFor(t *testing.T) {
	d := newDesk(t)
	said := d.listen()
	announced := func() bool { return len(said()) > 0 }
	epoch := string(d.run(opSync, "a 1 - 0").epoch)
	announced()
	d.run(opSync, "b 1 - 0")
	if announced() {
		t.Error("a registration is announced")
	}
	fence := []any{"id", 60000, "0", " c", "1"}
	if r := d.run(opFence, "a 0 - 0", fence...); r.members != 1 || !r.unknown || !announced() {
		t.Errorf("%+v", r)
	}
	if r := d.run(opSync, "c 1 - 0"); r.registered || r.members != 0 || r.unknown {
		t.Errorf("while a fence stands a process registers: %+v", r)
	}
	if r := d.run(opFence, "a 0 - 0", fence...); r.members != 1 || !r.unknown || !announced() {
		t.Errorf("a fence that waits is not announced again: %+v", r)
	}
	d.ack("b", 1)
	if r := d.run(opFence, "a 0 "+epoch+" 1", fence...); r.members != 0 || r.unknown || announced() {
		t.Errorf("%+v", r)
	}
	d.run(opUnfence, "a 0 - 0", "id")
	d.run(opSync, "b 2 - 0")
	r := d.run(opClear, "x 0 - 0", "other", "0", "", "c", "")
	if r.members != 2 || r.unknown {
		t.Errorf("%+v", r)
	}
	d.run(opSync, "c 2 - 0") // later
	if w := d.run(opWait, "x 0 - 0", epoch, r.serial); w.members != 2 || w.version != r.version {
		t.Errorf("%+v", w)
	}
	d.ack("a", 1)
	d.ack("b", 2)
	if w := d.run(opWait, "x 0 - 0", epoch, r.serial); w.members != 0 {
		t.Errorf("%+v", w)
	}
	if w := d.run(opWait, "x 0 - 0", "another", r.serial); w.members != 1 {
		t.Errorf("after the hash was lost: %+v", w)
	}
}

// The scripts of the release before leave the registrations alone, and make a hash of which nobody
// knows the members; what this release writes is good to them.
func TestMembersBesideAnOlderRelease(t *testing.T) {
	d := newDesk(t)
	d.runOld(opSync)
	made := d.server.HGet("hash", "e")
	epoch, _, _ := strings.Cut(made, " ")
	d.run(opSync, "a 1 - 0")
	d.expect("2;? 0 1;a 1 2")
	d.runOld(opSync)
	if now := d.server.HGet("hash", "e"); now != made {
		t.Errorf("what was at %q is at %q: to the release before the hash is damaged", made, now)
	}
	d.runOld(opFence, "id", 60000, "0", " c")
	if r := d.run(opSync, "b 1 - 0"); r.registered || string(r.epoch) != epoch {
		t.Errorf("beside a fence of an older release: %+v", r)
	}
	d.runOld(opClear, "id", "0", "", "c", "")
	if r := d.run(opSync, "b 1 - 0"); !r.registered || string(r.epoch) != epoch {
		t.Errorf("after a clear of an older release: %+v", r)
	}
	d.expect("3;? 0 1;a 1 2;b 1 3")
	d.server.HSet("hash", "n", "1")
	d.runOld(opSync)
	if r := d.run(opFence, "x 0 "+epoch+" 9", "id", 60000, "0", " c"); string(r.epoch) == epoch || !r.unknown || r.serial != 1 {
		t.Errorf("of a hash that an older release has made anew: %+v", r)
	}
}

// Notes are few, and none is forgotten for so long that it never counts.
func TestNotes(t *testing.T) {
	const wait = time.Second
	var n notes
	for ms := range time.Duration(5000) {
		now := ms * time.Millisecond
		n.add("e", uint64(ms)+1, now, wait)
		over := n.over(now, wait)
		if over > 0 && time.Duration(over-1)*time.Millisecond > now-wait {
			t.Fatalf("at %v the registration %d counts as over", now, over)
		}
		if late := now - wait - wait/notesKept*2; late > 0 && time.Duration(over-1)*time.Millisecond < late {
			t.Fatalf("at %v only the registrations up to %d count as over", now, over)
		}
		if len(n.list) > notesKept+2 {
			t.Fatalf("%d notes", len(n.list))
		}
	}
	n.add("f", 1, 5*time.Second, wait)
	if n.over(5*time.Second, wait) != 0 || n.next(5*time.Second, wait) != wait {
		t.Error("notes of another epoch are kept")
	}
}
