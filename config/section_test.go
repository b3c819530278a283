package config_test

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-dad15c92/txcache/config"
)

type embedded struct {
	Region string `toml:"region"`
}

type section struct {
	embedded
	Address  string `toml:"address,omitempty"`
	Plain    int
	Wait     time.Duration `toml:"wait"`
	Since    time.Time     `toml:"since"`
	Host     netip.Addr    `toml:"host"`
	Ratio    float64       `toml:"ratio"`
	Small    int8          `toml:"small"`
	Unsigned uint          `toml:"unsigned"`
	On       *bool         `toml:"on"`
	Tags     []string      `toml:"tags"`
	Pools    []struct {
		Size int `toml:"size"`
	} `toml:"pools"`
	Weights map[string]float32 `toml:"weights"`
	Any     any                `toml:"any"`
	Skipped string             `toml:"-"`
	hidden  string             //lint:ignore U1000 nobody may set it
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse(strings.NewReader(text), "own.toml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSectionKeepsDefaultsAndSetsTheRest(t *testing.T) {
	t.Setenv("TXCACHE_TEST_REGION", "north")
	c := parse(t, `
[cache]
class = "acme"
[cache.acme]
region = "${TXCACHE_TEST_REGION}"
plain = 7
wait = "1m30s"
since = 2026-01-02T03:04:05Z
host = "::1"
ratio = 2
small = -128
unsigned = 9
on = false
tags = ["a", "${TXCACHE_TEST_REGION}"]
weights = { a = 0.5 }
any = [1, { "b.c" = "${TXCACHE_TEST_REGION}" }]
[[cache.acme.pools]]
size = 1
[[cache.acme.pools]]
size = 2
`)
	got := section{Address: "default", Skipped: "kept", Tags: []string{"x", "y", "z"}, Weights: map[string]float32{"b": 1}}
	if err := c.Section("acme", &got); err != nil {
		t.Fatal(err)
	}
	off := false
	want := section{
		embedded: embedded{Region: "north"}, Address: "default", Plain: 7, Wait: 90 * time.Second,
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Host: netip.IPv6Loopback(), Ratio: 2, Small: -128, Unsigned: 9,
		On: &off, Tags: []string{"a", "north"}, Weights: map[string]float32{"a": 0.5, "b": 1},
		Any: []any{int64(1), map[string]any{"b.c": "north"}}, Skipped: "kept",
	}
	want.Pools = append(want.Pools, struct {
		Size int `toml:"size"`
	}{1}, struct {
		Size int `toml:"size"`
	}{2})
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(section{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("wrong section (-want +got):\n%s", diff)
	}
	if err := c.Unread(); err != nil {
		t.Errorf("all is read: %v", err)
	}
}

func TestSectionIsAsStrict(t *testing.T) {
	t.Setenv("TXCACHE_TEST_PASSWORD", "swordfish")
	c := parse(t, `
[cache]
class = "acme"
[cache.acme]
Address = "x"
adress = "x"
Skipped = "x"
hidden = "x"
embedded = "x"
address = ["swordfish"]
plain = "${TXCACHE_TEST_PASSWORD}"
wait = 5
since = "yesterday"
host = "swordfish"
ratio = "x"
small = 128
unsigned = -1
on = 1
tags = [1, "a", true]
weights = { a = 1e300, b = "x" }
pools = [{ size = 1, sise = 2 }]
`)
	want := `txcache: own.toml:5: cache.acme.Address: unknown key; did you mean "address"?
txcache: own.toml:6: cache.acme.adress: unknown key; did you mean "address"?
txcache: own.toml:7: cache.acme.Skipped: unknown key; expected one of address, any, host, on, plain, pools, ratio, region, since, small, tags, unsigned, wait, weights
txcache: own.toml:8: cache.acme.hidden: unknown key; expected one of address, any, host, on, plain, pools, ratio, region, since, small, tags, unsigned, wait, weights
txcache: own.toml:9: cache.acme.embedded: unknown key; expected one of address, any, host, on, plain, pools, ratio, region, since, small, tags, unsigned, wait, weights
txcache: own.toml:10: cache.acme.address: found an array; expected a string
txcache: own.toml:11: cache.acme.plain: "${TXCACHE_TEST_PASSWORD}" is a string; expected an integer
txcache: own.toml:12: cache.acme.wait: 5 is a number without a unit; expected a duration such as "3s"
txcache: own.toml:13: cache.acme.since: found a string that is invalid; expected the text of a time.Time
txcache: own.toml:14: cache.acme.host: found a string that is invalid; expected the text of a netip.Addr
txcache: own.toml:15: cache.acme.ratio: "x" is a string; expected a number that fits a Go float64
txcache: own.toml:16: cache.acme.small: 128 is out of range; expected a number that fits a Go int8
txcache: own.toml:17: cache.acme.unsigned: -1 is out of range; expected a number that fits a Go uint
txcache: own.toml:18: cache.acme.on: 1 is an integer; expected true or false
txcache: own.toml:19: cache.acme.tags[0]: found an integer; expected a string
txcache: own.toml:19: cache.acme.tags[2]: found a boolean; expected a string
txcache: own.toml:20: cache.acme.weights.a: 1e+300 is a float; expected a number that fits a Go float32
txcache: own.toml:20: cache.acme.weights.b: "x" is a string; expected a number that fits a Go float32
txcache: own.toml:21: cache.acme.pools[0].sise: unknown key; did you mean "size"?`
	// A second call finds the same.
	for range 2 {
		err := c.Section("acme", &section{Wait: 3 * time.Second})
		if err == nil {
			t.Fatal("accepted")
		}
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("wrong error (-want +got):\n%s", diff)
		}
	}
}

func TestSectionRefusesWhatAFileCannotSet(t *testing.T) {
	c := parse(t, "[cache]\nclass = \"acme\"\n[cache.acme]\na = 1\nb = {}\n")
	for name, v := range map[string]any{
		"channel": &struct {
			A chan int `toml:"a"`
			B any      `toml:"b"`
		}{},
		"interface": &struct {
			A error `toml:"a"`
			B any   `toml:"b"`
		}{},
		"map": &struct {
			A any         `toml:"a"`
			B map[int]int `toml:"b"`
		}{},
	} {
		if err := c.Section("acme", v); err == nil || !strings.Contains(err.Error(), "a file cannot set a Go value of type") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, v := range map[string]any{"nil": nil, "value": section{}, "nil pointer": (*section)(nil), "pointer to other": new(int)} {
		if err := c.Section("acme", v); err == nil || !strings.Contains(err.Error(), "expected a pointer to a struct") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, text := range []string{"a = 1", "m = 1", "s.x = 1", "s.y.x = 1", "h = 1", "none.x = 1"} {
		c := parse(t, "[cache]\nclass = \"acme\"\n[cache.acme]\n"+text)
		v := struct {
			A section        `toml:"a"`
			M map[string]int `toml:"m"`
			S string         `toml:"s"`
			H netip.Addr     `toml:"h"`
		}{}
		if err := c.Section("acme", &v); err == nil || !strings.Contains(err.Error(), "own.toml:4: ") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestAnAbsentSectionLeavesItsTarget(t *testing.T) {
	for name, c := range map[string]*config.Config{
		"hand-made": config.Default(), "empty": parse(t, ""), "other": parse(t, "[cache]\nclass = \"acme\"\n[cache.other]\n"),
	} {
		got := section{Address: "default"}
		if err := c.Section("acme", &got); err != nil || got.Address != "default" {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
}

func TestUnreadNamesTheFirstTableNobodyRead(t *testing.T) {
	c := parse(t, "[cache]\nclass = \"acme\"\n[cache.acme]\n[cache.poll]\nx=1\n[cache.rediss]\n")
	if err := c.Section("acme", &section{}); err == nil {
		if err := c.Section("pool", &section{}); err != nil {
			t.Fatal(err)
		}
	}
	want := `txcache: own.toml:4: cache.poll: unknown key; did you mean "pool"?`
	if err := c.Unread(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	c.Section("poll", &struct {
		X int `toml:"x"`
	}{})
	var empty struct{}
	if err := c.Section("poll", &empty); err == nil || !strings.HasSuffix(err.Error(), "own.toml:5: cache.poll.x: unknown key; expected none here") {
		t.Errorf("no fields: got %v", err)
	}
	want = `txcache: own.toml:6: cache.rediss: unknown key; did you mean "redis"?`
	if err := c.Unread(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := config.Default().Unread(); err != nil {
		t.Errorf("hand-made: %v", err)
	}
}

func TestSectionsCanBeReadAtOnce(t *testing.T) {
	c := parse(t, "[cache]\nclass = \"acme\"\n[cache.acme]\naddress = \"a\"\n")
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			var v section
			err := c.Section("acme", &v)
			if v.Address != "a" {
				err = errors.Join(err, errors.New("not read"))
			}
			errs[i] = errors.Join(err, c.Unread())
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// Without a default that can be shown, the example is a minute.
func TestADurationWithoutDefaultHasAnExample(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second} {
		c := parse(t, "[cache]\nclass = \"acme\"\n[cache.acme]\nwait = 5\n")
		err := c.Section("acme", &section{Wait: d})
		if want := `txcache: own.toml:4: cache.acme.wait: 5 is a number without a unit; expected a duration such as "1m"`; err == nil || err.Error() != want {
			t.Errorf("with %v: %v, want %s", d, err, want)
		}
	}
}
