package redisbackend

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const key1, key2 = "#0000000000000001", "#0000000000000002"

func digest(items string) string {
	sum := sha1.Sum([]byte(items))
	return hex.EncodeToString(sum[:])
}

func (d *desk) mark(member, epoch string, placed uint64, digest string) {
	d.t.Helper()
	cmd := markScript.command("hash", member, epoch, placed, digest)
	if err := d.client.Process(d.t.Context(), cmd); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) fence(caller, id, items string) reply {
	d.t.Helper()
	return d.run(opFence, caller+" 0 - 0", id, 60000, "0", items, "0")
}

// waits fails the test unless r has to wait for so many members.
func (d *desk) waits(r reply, want uint64, when string) {
	d.t.Helper()
	if r.members != want {
		d.t.Errorf("%s: it waits for %d members, want %d: %s", when, r.members, want, d.members())
	}
}

// A member acknowledges a fence of keys, and stays registered: others still wait for it.
func TestAnAcknowledgedFenceOfKeys(t *testing.T) {
	d := newDesk(t)
	epoch := string(d.run(opSync, "a 1 - 0").epoch)
	d.run(opSync, "b 1 "+epoch+" 1")
	items := " c" + key1 + key2 + " " + key1
	first := d.fence("x", "one", items)
	d.waits(first, 2, "a fence")
	placed := first.version
	d.mark("a", "other", placed, digest(items))
	d.mark("a", epoch, placed+1, digest(items))
	d.mark("a", epoch, placed, digest(" c"+key1))
	d.mark("z", epoch, placed, digest(items))
	d.waits(d.fence("x", "one", items), 2, "after acknowledgements of others")
	d.mark("a", epoch, placed, digest(items))
	d.mark("a", epoch, placed, digest(items))
	d.expect(fmt.Sprintf("3;a 1 2 %d;b 1 3", placed))
	d.waits(d.fence("x", "one", items), 1, "after one has acknowledged")
	d.waits(d.fence("b", "one", items), 0, "the other is the caller")
	if r := d.run(opSync, "c 1 - 0"); !r.registered {
		t.Error("beside a fence of keys nobody registers")
	}
	d.waits(d.fence("x", "one", items), 1, "one has registered later")
	d.mark("b", epoch, placed, digest(items))
	renewed := d.fence("x", "one", items)
	d.waits(renewed, 0, "after both have acknowledged")
	if renewed.version != placed {
		t.Error("a renewal is a change")
	}

	second := d.fence("y", "two", " c"+key1)
	d.waits(second, 3, "the next fence")
	d.mark("a", epoch, second.version, digest(" c"+key1))
	d.mark("b", epoch, second.version, digest(" c"+key1))
	d.waits(d.fence("y", "two", " c"+key1), 1, "after two have acknowledged it")
	d.waits(d.fence("x", "one", items), 0, "the first has not changed")
	d.waits(d.run(opClear, "x 0 - 0", "one", "0", items), 0, "a clear of the first")
	third := d.fence("y", "three", " c"+key2)
	d.mark("a", epoch, third.version, digest(" c"+key2))
	d.expect(fmt.Sprintf("4;a 1 2 %d %d;b 1 3 %d %d;c 1 4", second.version, third.version, placed, second.version))

	d.ack("a", 0)
	d.ack("b", 1)
	d.run(opSync, "x 0 "+epoch+" 2")
	d.expect("4;c 1 4")
}

// What is waited for is the fence that stands, as it was placed last.
func TestAFenceOfKeysThatIsPlacedAnew(t *testing.T) {
	d := newDesk(t)
	epoch := string(d.run(opSync, "a 1 - 0").epoch)
	one, two := " c"+key1, " c"+key2
	r := d.fence("x", "id", one)
	d.mark("a", epoch, r.version, digest(one))
	d.waits(d.fence("x", "id", one), 0, "it is acknowledged")
	again := d.fence("x", "id", two)
	d.waits(again, 1, "with another key")
	d.mark("a", epoch, again.version, digest(two))
	d.waits(d.fence("x", "id", two), 0, "it is acknowledged too")
	d.run(opUnfence, "x 0 - 0", "id")
	d.waits(d.fence("x", "id", two), 1, "it was gone")

	// The hash is lost while the writer waits; the member asks anew, and its acknowledgement of the first comes.
	lost := d.fence("x", "id", two)
	d.server.FlushAll()
	now := d.run(opSync, "a 2 - 0")
	d.fence("x", "id", two)
	d.mark("a", epoch, lost.version, digest(two))
	d.expect("2;? 0 1;a 2 2")
	d.waits(d.fence("x", "id", two), 1, "after the loss")

	// A fence survives the loss: it waits as if it had been placed then.
	placed := d.fence("x", "id", two)
	d.server.HSet("hash", "n", "1")
	before := d.run(opSync, "a 3 - 0")
	if string(before.epoch) == string(now.epoch) || !before.registered {
		t.Fatalf("the hash was not lost: %+v", before)
	}
	if r := d.fence("x", "id", two); !r.unknown {
		t.Error("a fence that has survived does not wait for members that the hash does not know")
	}
	d.mark("a", string(now.epoch), placed.version, digest(two))
	d.expect("2;? 0 1;a 3 2")
}

// A clear waits for all that have not acknowledged its fence, and for all if that was another.
func TestAClearOfKeysWaitsForWhoHasNotMarkedThem(t *testing.T) {
	d := newDesk(t)
	epoch := string(d.run(opSync, "a 1 - 0").epoch)
	items := " c" + key1
	r := d.fence("x", "id", items)
	d.mark("a", epoch, r.version, digest(items))
	d.waits(d.run(opClear, "x 0 - 0", "id", "0", items), 0, "what was fenced")
	d.waits(d.run(opClear, "x 0 - 0", "id", "0", items), 1, "without a fence")
	for _, more := range [][]any{{"0", " c" + key2}, {"1", items}, {"0", items, "d", ""}} {
		r = d.fence("x", "id", items)
		d.mark("a", epoch, r.version, digest(items))
		d.waits(d.run(opClear, append([]any{"x 0 - 0", "id"}, more...)[0].(string), append([]any{"id"}, more...)...), 1, fmt.Sprint("more than was fenced: ", more))
	}
}

// Members are told which keys are fenced, and of whole fences that they are.
func TestMembersAreToldOfFences(t *testing.T) {
	d := newDesk(t)
	said := d.listen()
	r := d.fence("x", "nobody", " c"+key1)
	epoch := string(r.epoch)
	if all := said(); len(all) != 1 || strings.Contains(all[0], "members") {
		t.Errorf("where nobody is registered, %q", all)
	}
	d.run(opSync, "a 1 - 0")
	for _, c := range []struct{ all, items, told string }{
		{"0", " c" + key1 + " d" + key2, " c" + key1 + " d" + key2},
		{"0", " " + key1, " " + key1},
		{"0", " c d" + key2, " *"},
		{"1", "", " *"},
		{"1", " d" + key1, " *"},
		{"0", " c" + strings.Repeat(key1, 1000), " *"},
	} {
		said()
		r := d.run(opFence, "x 0 - 0", "id", 60000, c.all, c.items, "0")
		told := fmt.Sprintf("channel:members shop %s %d%s", epoch, r.version, c.told)
		if all := said(); len(all) != 2 || all[0] != told || all[1] != fmt.Sprintf("channel shop %s %d", epoch, r.version) {
			t.Errorf("%.40q is told as %.100q", c.items, all)
		}
		d.run(opFence, "x 0 - 0", "id", 60000, c.all, c.items, "0")
		if all := said(); len(all) > 0 {
			t.Errorf("a renewal is told as %.100q", all)
		}
		d.run(opFence, "x 0 - 0", "id", 60000, c.all, c.items, "1")
		if all := said(); !slices.Equal(all, []string{told}) {
			t.Errorf("%.40q is told again as %.100q", c.items, all)
		}
	}
	d.run(opUnfence, "x 0 - 0", "id")
	said()
	d.run(opClear, "x 0 - 0", "other", "0", " c"+key1)
	if all := said(); len(all) != 2 || !strings.HasSuffix(all[0], " *") {
		t.Errorf("a clear without a fence is told as %q", all)
	}
}
