package near_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

func TestPeekSeesWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := near.New[string, int](10)
		peek := func(key string, want int, wantExpires int64, wantOK bool) {
			t.Helper()
			if v, expires, ok := m.Peek(key, 1); v != want || expires != wantExpires || ok != wantOK {
				t.Errorf("Peek(%q) = %d, %d, %v; want %d, %d, %v", key, v, expires, ok, want, wantExpires, wantOK)
			}
		}
		peek("a", 0, 0, false)
		m.Expire("a", 1) // nothing to expire
		end := near.Now() + int64(time.Second)
		m.Set("a", 1, 7, end, 0)
		m.Set("b", 1, 8, 0, 0)
		peek("a", 7, end, true)
		peek("b", 8, 0, true)
		peek("c", 0, 0, false)
		time.Sleep(time.Minute)
		if _, ok := m.Get("a", 1); ok {
			t.Error("Get finds what has expired")
		}
		peek("a", 7, end, true)
	})
}

func TestExpireLetsAValueGo(t *testing.T) {
	m := near.New[string, int](2)
	m.Set("a", 1, 7, 0, 0)
	m.Set("b", 2, 8, 0, 0)
	m.Expire("a", 1)
	if _, ok := m.Get("a", 1); ok {
		t.Error("Get finds what was expired")
	}
	if v, _, _ := m.Peek("a", 1); v != 0 {
		t.Errorf("Peek sees %d; want the value gone", v)
	}
	m.Set("c", 3, 9, 0, 0) // takes its place
	for key, hash := range map[string]uint64{"b": 2, "c": 3} {
		if _, ok := m.Get(key, hash); !ok {
			t.Errorf("%q was pushed out, though another place was free", key)
		}
	}
	m.Expire("b", 2)
	m.Set("b", 2, 10, 0, 0)
	if v, ok := m.Get("b", 2); v != 10 || !ok {
		t.Errorf("Get = %d, %v; want what was set since", v, ok)
	}
}
