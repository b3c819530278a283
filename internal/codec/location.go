package codec

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// localName stands for the location of the process, which is not the same in all.
const localName = "Local"

// locationName returns the name by which another process finds loc, where t is:
// "" if it need not look, as loc has one offset for ever.
func locationName(t time.Time, loc *time.Location, zone string) string {
	if loc == time.Local {
		return localName
	}
	name := loc.String()
	if name == localName || name == "UTC" {
		return "" // by this name one would find another
	}
	if name == zone {
		if start, end := t.ZoneBounds(); start.IsZero() && end.IsZero() {
			return ""
		}
	}
	return name
}

// locate returns the instant t in the location that name stands for, or, where
// that is not known or says otherwise, in one that has the zone's abbreviation and
// offset for ever.
func locate(t time.Time, zone []byte, offset int, name []byte) time.Time {
	if loc := locationOf(name); loc != nil {
		t = t.In(loc)
		if z, o := t.Zone(); z == string(zone) && o == offset {
			return t
		}
	}
	return t.In(fixedZone(zone, offset))
}

func locationOf(name []byte) *time.Location {
	switch string(name) {
	case "":
		return nil
	case localName:
		return time.Local
	}
	if loc, ok := locations.find(string(name)); ok {
		return loc
	}
	if len(name) > maxLocationName || locations.full() {
		return nil
	}
	loc, _ := time.LoadLocation(string(name)) // nil if there is none
	return locations.keep(string(name), loc)
}

func fixedZone(zone []byte, offset int) *time.Location {
	if loc, ok := zones.find(zoneOf{string(zone), offset}); ok {
		return loc
	}
	loc := time.FixedZone(string(zone), offset)
	if len(zone) > maxLocationName {
		return loc
	}
	return zones.keep(zoneOf{string(zone), offset}, loc)
}

type zoneOf struct {
	name   string
	offset int
}

// Locations are remembered so that equal times are so by == as well, and so that
// a file is looked for once. A payload may bring any name, so there is a bound.
var (
	locations table[string]
	zones     table[zoneOf]
)

const (
	maxLocations    = 1024
	maxLocationName = 64 // of one that is remembered
)

// A table remembers locations. It is replaced, not changed, as it is read all
// the time and hardly ever grows.
type table[K comparable] struct {
	mu  sync.Mutex // of those who replace it
	all atomic.Pointer[map[K]*time.Location]
}

func (t *table[K]) find(key K) (*time.Location, bool) {
	all := t.all.Load()
	if all == nil {
		return nil, false
	}
	loc, ok := (*all)[key]
	return loc, ok
}

func (t *table[K]) full() bool {
	all := t.all.Load()
	return all != nil && len(*all) >= maxLocations
}

// keep remembers loc, if there is room, and returns what is to be used for key.
func (t *table[K]) keep(key K, loc *time.Location) *time.Location {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.find(key); ok {
		return known
	}
	if t.full() {
		return loc
	}
	grown := map[K]*time.Location{}
	if all := t.all.Load(); all != nil {
		grown = maps.Clone(*all)
	}
	grown[key] = loc
	t.all.Store(&grown)
	return loc
}
