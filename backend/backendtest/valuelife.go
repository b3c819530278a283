package backendtest

import (
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// valueLifeRules are about when values go, and who owns their bytes.
var valueLifeRules = []Rule{{
	Name:  "value-belongs-to-a-generation",
	Why:   "A value from before a clear would be found after it.",
	needs: needs{values: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		k := keyOf("k")
		k.Token = s.Token("c")
		t.first.set(backend.Value{Key: k, Data: []byte("old")})
		f := fenceOn(s, "c")
		t.first.fence("shop", f)
		k.Token = t.first.clear("shop", f).Token("c")
		t.missing(t.first, "after Clear", k)
		t.first.set(backend.Value{Key: k, Data: []byte("new")})
		t.found(t.first, "after Clear and Set", k, []byte("new"))
	},
}, {
	Name:  "value-expires",
	Why:   "A value would be served for longer than its cache allows, or for ever; a short time to live must not be rounded to none.",
	needs: needs{values: true, time: true},
	run: func(t *trial) {
		ttl := t.Lease
		if ttl == 0 {
			ttl = time.Minute
		}
		long, short, none := keyOf("long"), keyOf("short"), keyOf("none")
		t.first.set(
			backend.Value{Key: long, Data: []byte("l"), TTL: ttl},
			backend.Value{Key: short, Data: []byte("s"), TTL: time.Nanosecond},
			backend.Value{Key: none, Data: []byte("n")},
		)
		t.found(t.first, "before its time to live is over", long, []byte("l"))
		t.found(t.first, "without a time to live", none, []byte("n"))
		t.Advance(ttl / 2)
		t.missing(t.first, "after a nanosecond's time to live", short)
		t.first.get(long) // a hit does not lengthen the life
		t.Advance(ttl/2 + ttl/10)
		t.missing(t.first, "after its time to live", long)
	},
}, {
	Name:  "value-tells-its-time",
	Why:   "A value that is thought to stay for longer than it does is used by other servers for longer than its cache allows.",
	needs: needs{values: true, time: true, timed: true},
	run: func(t *trial) {
		ttl := t.Lease
		if ttl == 0 {
			ttl = time.Minute
		}
		second := t.open("the second server")
		k, none := keyOf("k"), keyOf("none")
		check := func(s *server, when, want string, least, most time.Duration) {
			data, left := s.getTimed(none, k)
			if data[0] != nil || string(data[1]) != want {
				t.failf("%s: GetTimed returned %q and %q, want nothing and %q", when, data[0], data[1], want)
			}
			if left[1] < least || left[1] > most {
				t.failf("%s: GetTimed returned %v; want the value to stay for %v at least and %v at most", when, left[1], least, most)
			}
		}
		t.first.set(backend.Value{Key: k, Data: []byte("one"), TTL: ttl})
		check(second, "after Set", "one", 0, ttl)
		t.Advance(ttl / 2)
		check(second, "after half of the time to live", "one", 0, ttl-ttl/2)
		check(t.first, "after half of the time to live, on the server that has set it", "one", 0, ttl-ttl/2)
		second.set(backend.Value{Key: k, Data: []byte("two"), TTL: 10 * ttl})
		check(t.first, "after it was set anew, for longer", "two", 5*ttl, 10*ttl)
		second.set(backend.Value{Key: k, Data: []byte("three"), TTL: ttl})
		check(t.first, "after it was set anew, for less", "three", 0, ttl)
	},
}, {
	Name:  "value-bytes-are-the-callers",
	Why:   "Callers encode into buffers that they use again, and decode what they get in place: others would read garbage.",
	needs: needs{values: true},
	run: func(t *trial) {
		k := keyOf("k")
		data := []byte("data")
		values := []backend.Value{{Key: k, Data: data}, {Key: keyOf("l"), Data: []byte("more")}}
		t.first.set(values...)
		if string(data) != "data" || values[0].Key != k {
			t.failf("Set changed the values it was given")
		}
		copy(data, "XXXX")
		values[0] = backend.Value{Key: keyOf("x")}
		t.found(t.first, "after the caller used the slice that it gave to Set again", k, []byte("data"))
		keys := []backend.Key{k, keyOf("l")}
		got := t.first.get(keys...)
		if !slices.Equal(keys, []backend.Key{k, keyOf("l")}) {
			t.failf("Get changed the keys it was given")
		}
		copy(got[0], "YYYY")
		_ = append(got[0], "ZZZZ"...)
		if string(got[1]) != "more" {
			t.failf("writing to the first slice that Get returned made %q of the second, want %q", got[1], "more")
		}
		t.found(t.first, "after the caller changed what Get returned", k, []byte("data"))
		t.found(t.first, "after the caller changed what Get returned for another key", keyOf("l"), []byte("more"))
	},
}, {
	Name:  "value-goes-with-its-database",
	Why:   "The data of a tenant that was dropped would be kept; or the others' would go with it.",
	needs: needs{values: true},
	run: func(t *trial) {
		keys := make([]backend.Key, len(hostileNames))
		for i, database := range hostileNames {
			keys[i] = keyOf("k")
			keys[i].Database, keys[i].Token = database, t.first.sync(database).Token("c")
			t.first.set(backend.Value{Key: keys[i], Data: []byte(database)})
		}
		for i, database := range hostileNames {
			t.first.drop(database)
			// Drop may remove values after its return, yet soon.
			deadline := time.Now().Add(callLimit)
			for t.first.get(keys[i])[0] != nil {
				if time.Now().After(deadline) {
					t.failf("Get still finds a value of database %.40q, dropped %v ago", database, callLimit)
				}
				time.Sleep(5 * time.Millisecond)
			}
			for j, data := range t.first.get(keys[i+1:]...) {
				if string(data) != hostileNames[i+1+j] {
					t.failf("Drop of database %.40q took a value of %.40q", database, hostileNames[i+1+j])
				}
			}
		}
	},
}}
