package processes

import (
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// world is what there is. It is the same in every process of a run.
var world = history.World{
	Databases: []string{"a", "a:b", "b", "c", "d", "e", "f", "g"},
	Caches: []history.CacheSpec{
		{Name: "b:c", Table: 0, ContextFree: true},
		{Name: "c", Table: 0, Tagged: true},
		{Name: "warm", Table: 1, ContextFree: true, Warm: true},
		{Name: "warm user", Table: 1, Tagged: true, Warm: true, Duration: time.Hour},
		{Name: "small", Table: 2, ContextFree: true, Warm: true, Size: 2},
		{Name: "short", Table: 2, Duration: 50 * time.Millisecond},
	},
	Keys:   []string{"k", "c:k", ""},
	People: []history.Who{{}, {User: 1}, {User: "1"}, {User: 1, Lang: "fr"}},
}

const tables = 3

// rows is how many rows there are at any time.
var rows = len(world.Databases) * tables * len(world.Keys)

// A row is the number of a row in all lives of its database.
type row int

func rowOf(database, table, key int) row {
	return row((database*tables+table)*len(world.Keys) + key)
}

func (r row) database() int { return int(r) / (tables * len(world.Keys)) }
func (r row) table() int    { return int(r) / len(world.Keys) % tables }
func (r row) key() int      { return int(r) % len(world.Keys) }

func (r row) String() string {
	return fmt.Sprintf("row %q of table %d of database %q", world.Keys[r.key()], r.table(), world.Databases[r.database()])
}

// who returns what a value of a cache depends on. It is made once for each, as
// it is asked for at every hit.
func who(cache, person int) string { return people[cache*len(world.People)+person] }

var people = func() (all []string) {
	for _, c := range world.Caches {
		for _, p := range world.People {
			text := ""
			if !c.ContextFree && (p.User != nil || p.Lang != "") {
				text = fmt.Sprintf("%T %v %s", p.User, p.User, p.Lang)
			}
			all = append(all, text)
		}
	}
	return all
}()

// A version is what a row was at: the life of its database and the number of the
// write. The greater is the newer.
type version uint64

func versionOf(life, write int) version { return version(life)<<40 | version(write) }

func (v version) life() int  { return int(v >> 40) }
func (v version) write() int { return int(v & (1<<40 - 1)) }

func (v version) String() string { return fmt.Sprintf("w%d of life %d", v.write(), v.life()) }
