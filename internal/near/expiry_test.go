package near_test

import (
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
		m.Set("a", hashOf("a"), 1, near.Now()+int64(time.Second))
		time.Sleep(time.Second - 1)
		want(t, m, "a", 1)
		time.Sleep(time.Nanosecond)
		wantMiss(t, m, "a")
	})
}

func TestHitsDoNotExtendLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := near.New[string, int](10)
		m.Set("a", hashOf("a"), 1, near.Now()+int64(10*time.Second))
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
			m.Set(i, hashOf(i), i, expires)
		}
		time.Sleep(time.Minute)
		for i := range size * 2 / 10 {
			m.Set(size+i, hashOf(size+i), i, 0)
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

func TestACacheWhoseValuesHaveAllExpiredTakesOthers(t *testing.T) {
	const size = 1000
	m := near.New[int, int](size)
	for i := range size {
		m.Set(i, hashOf(i), i, 1) // long ago
	}
	for i := range 3 * size {
		key := size + i
		m.Set(key, hashOf(key), key, 0)
		want(t, m, key, key)
		if n := m.Len(); n != size {
			t.Fatalf("Len() = %d after %d more; want %d", n, i+1, size)
		}
	}
}

func TestGetAtAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := near.New[string, int](10)
		began := near.Now()
		m.Set("a", hashOf("a"), 1, began+int64(time.Second))
		m.Set("b", hashOf("b"), 2, 0)
		m.Set("c", hashOf("c"), 3, 0)
		m.Expire("c", hashOf("c"))
		time.Sleep(time.Hour)
		for _, w := range []struct {
			key string
			at  int64
			ok  bool
		}{{"a", began, true}, {"a", began + int64(time.Second) - 1, true}, {"a", began + int64(time.Second), false}, {"b", near.Now(), true}, {"c", began, false}, {"d", began, false}} {
			if _, ok := m.GetAt(w.key, hashOf(w.key), w.at); ok != w.ok {
				t.Errorf("%s at %d: %v", w.key, w.at-began, ok)
			}
		}
	})
}
