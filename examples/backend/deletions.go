package httpbackend

import (
	"cmp"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// A deletion is what one change has deleted.
type deletion struct {
	Number uint64 // of the change
	Keys   []backend.Keys
}

// Deletions are those of one database, as many as a [backend.Deletes] remembers.
type deletions struct {
	list      []deletion        // by number
	keys      int               // in list
	forgotten uint64            // the number of the last one that is no longer in list
	floors    map[string]uint64 // by cache, the number of the last one that is no longer in list
}

// add takes in d, which is the newest, and forgets the oldest.
func (d *deletions) add(newest deletion) {
	d.list = append(d.list, newest)
	for _, k := range newest.Keys {
		d.keys += len(k.Hashes)
	}
	for d.keys > backend.MaxDeletes {
		oldest := d.list[0]
		for _, k := range oldest.Keys {
			d.keys -= len(k.Hashes)
			// Any key of this cache may have been deleted by it, from now on. P4
			d.floors[k.Cache] = oldest.Number
		}
		d.forgotten, d.list = oldest.Number, d.list[1:]
	}
}

// since returns the deletions after number.
func (d *deletions) since(number uint64) []deletion {
	i, _ := slices.BinarySearchFunc(d.list, number+1, func(one deletion, n uint64) int { return cmp.Compare(one.Number, n) })
	return d.list[i:]
}

// deletes returns those of the state in a, for a Backend that asked when it had before.
func (a *answer) deletes(before *backend.State) (all *backend.Deletes) {
	if !a.Whole {
		all = before.Deletes
	}
	for cache, floor := range a.Floors {
		all = all.Raise(cache, floor)
	}
	for _, d := range a.Deleted {
		all = all.Add(d.Number, d.Keys...)
	}
	return all
}
