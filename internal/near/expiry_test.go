package near_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

func TestNowIsPositiveAndFollowsTheBubble(t *testing.T) {
	if near.Now() <= 0 {
		t.Fatal("not positive")
	}
	synctest.Test(t, func(t *testing.T) {
		before := near.Now()
		time.Sleep(time.Minute)
		if d := near.Now() - before; before <= 0 || d != int64(time.Minute) {
			t.Fatalf("Now went from %d on by %d", before, d)
		}
	})
}

func TestAValueExpiresExactlyAtItsMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := near.New[string, int](10)
		m.Set("a", hashOf("a"), 1, near.Now()+int64(time.Second), 0)
		time.Sleep(time.Second - 1)
		want(t, m, "a", 1)
		time.Sleep(time.Nanosecond)
		wantMiss(t, m, "a")
	})
}

func TestHitsDoNotExtendLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := near.New[string, int](10)
		m.Set("a", hashOf("a"), 1, near.Now()+int64(10*time.Second), 0)
		for range 9 {
			time.Sleep(time.Second)
			want(t, m, "a", 1)
		}
		time.Sleep(time.Second)
		wantMiss(t, m, "a")
	})
}

func TestExpiredValuesMakeRoomFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1000
		m := near.New[int, int](size)
		for i := range size {
			var expires int64
			if i%2 == 0 {
				expires = near.Now() + int64(time.Minute)
			}
			m.Set(i, hashOf(i), i, expires, 0)
		}
		time.Sleep(time.Minute)
		for i := range size * 2 / 10 {
			m.Set(size+i, hashOf(size+i), i, 0, 0)
		}
		lost := 0 // of those that do not expire, old or new
		for i := range size + size*2/10 {
			if i >= size || i%2 == 1 {
				if _, ok := m.Get(i, hashOf(i)); !ok {
					lost++
				}
			}
		}
		if lost > size/20 {
			t.Fatalf("%d live values went while expired ones were there", lost)
		}
	})
}

// A value that has just come in, was used and has expired goes before one that
// is still good, although its uses would let it stay.
func TestAnExpiredNewValueMakesRoomFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 100
		m := near.New[int, int](size)
		for i := range size {
			m.Set(i, hashOf(i), i, 0, 0)
		}
		const expiring, last = size, size + 1
		m.Set(expiring, hashOf(expiring), 0, near.Now()+int64(time.Minute), 0)
		want(t, m, expiring, 0)
		time.Sleep(time.Minute)
		m.Set(last, hashOf(last), last, 0, 0)
		want(t, m, last, last)
		live := 0
		for i := range size {
			if _, ok := m.Get(i, hashOf(i)); ok {
				live++
			}
		}
		if live != size-1 { // the expiring one took the place of one
			t.Fatalf("%d of %d values are left; the expired one must go before them", live, size-1)
		}
	})
}

func TestAfterSaturates(t *testing.T) {
	for _, w := range []struct {
		at, want int64
		d        time.Duration
	}{
		{at: 1, d: 2, want: 3},
		{at: 3, d: -2, want: 1},
		{at: 1, d: math.MaxInt64 - 1, want: math.MaxInt64},
		{at: 2, d: math.MaxInt64 - 1, want: math.MaxInt64},
		{at: math.MaxInt64, d: math.MaxInt64, want: math.MaxInt64},
	} {
		if got := near.After(w.at, w.d); got != w.want {
			t.Errorf("After(%d, %d) = %d, want %d", w.at, w.d, got, w.want)
		}
	}
	if got := near.In(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("In(the longest duration) = %d, want the last moment", got)
	}
}

func TestACacheWhoseValuesHaveAllExpiredTakesOthers(t *testing.T) {
	const size = 1000
	m := near.New[int, int](size)
	for i := range size {
		m.Set(i, hashOf(i), i, 1, 0) // long ago
	}
	for i := range 3 * size {
		key := size + i
		m.Set(key, hashOf(key), key, 0, 0)
		want(t, m, key, key)
		if n := m.Len(); n != size {
			t.Fatalf("Len() = %d after %d more; want %d", n, i+1, size)
		}
	}
}

func TestExpiredAtAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := near.New[string, int](10)
		began := near.Now()
		m.Set("a", hashOf("a"), 1, began+int64(time.Second), 0)
		m.Set("b", hashOf("b"), 2, 0, 0)
		m.Set("c", hashOf("c"), 3, 0, 0)
		m.Expire("c", hashOf("c"))
		time.Sleep(time.Hour)
		for _, w := range []struct {
			key string
			at  int64
			ok  bool
		}{{"a", began, true}, {"a", began + int64(time.Second) - 1, true}, {"a", began + int64(time.Second), false}, {"b", near.Now(), true}, {"c", began, false}, {"d", began, false}} {
			e := m.Find(w.key, hashOf(w.key))
			if ok := e != nil && !e.ExpiredAt(w.at); ok != w.ok {
				t.Errorf("%s at %d: %v", w.key, w.at-began, ok)
			}
		}
	})
}
