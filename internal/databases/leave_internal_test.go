package databases

import (
	"context"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A database that leaves while it is dropped does not come back: a name that was dropped can be used.
func TestADatabaseThatLeavesWhileItIsDroppedIsGone(t *testing.T) {
	r := New(Options{Backend: memorybackend.New(), Memory: 1 << 20})
	db, err := r.database("shop")
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	if !r.leave(db) { // when the drop has looked it up
		t.Error("the database does not leave")
	}
	r.end(db)
	r.mu.Unlock()
	used := make(chan *Database)
	go func() {
		db, _, _, err := r.Sync(context.Background(), "shop", 0)
		if err != nil {
			t.Error(err)
		}
		used <- db
	}()
	select {
	case next := <-used:
		if next == db {
			t.Error("the database that was dropped is used again")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the name cannot be used again")
	}
}
