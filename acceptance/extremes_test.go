package acceptance_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A setting is a numeric setting, and which of its values are taken.
type setting struct {
	least, most int64 // of those taken, besides 0 and what is negative; a float is a share, 0 to 1
	zero        bool  // 0 is taken
	negative    bool  // all that is negative is taken
	waits       bool  // the first change waits for so long, so samples are tried beside each other

	with txcache.CacheOptions // what else is set, so that the setting has a say
	hits func(v reflect.Value) int
}

// samples returns the values of a type at which settings go wrong, and those
// beside the ends of what s takes.
func (s *setting) samples(t reflect.Type) (all []reflect.Value) {
	add := func(v any) { all = append(all, reflect.ValueOf(v).Convert(t)) }
	if t.Kind() == reflect.Float64 {
		for _, f := range []float64{0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, 0.5, math.Nextafter(1, 0), 1, math.Nextafter(1, 2), -1, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()} {
			add(f)
		}
		return all
	}
	ints := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 2, 7, 8, math.MaxInt32, math.MaxUint32, math.MaxInt64 / 2, math.MaxInt64 - 1, math.MaxInt64}
	for _, end := range []int64{s.least, s.most} {
		if end < math.MaxInt64 {
			ints = append(ints, end-1, end, end+1)
		}
	}
	slices.Sort(ints)
	for _, i := range slices.Compact(ints) {
		add(i)
	}
	return all
}

func (s *setting) takes(v reflect.Value) bool {
	if v.Kind() == reflect.Float64 {
		return v.Float() >= 0 && v.Float() <= 1
	}
	switch i := v.Int(); {
	case i == 0:
		return s.zero
	case i < 0:
		return s.negative
	default:
		return s.least <= i && i <= s.most
	}
}

// all is how many of a hundred values are found under most settings.
func all(reflect.Value) int { return 100 }

// some is for settings under which values may be gone at once.
func some(reflect.Value) int { return 0 }

// sized is for sizes: at least so many are found, if there are as many values.
func sized(v reflect.Value) int {
	if v.Int() == 0 {
		return 100
	}
	return int(min(100, v.Int()))
}

// lasting is for durations: short ones may be over at once.
func lasting(v reflect.Value) int {
	if d := time.Duration(v.Int()); 0 < d && d < time.Hour {
		return 0
	}
	return 100
}

const (
	millisecond = int64(time.Millisecond)
	endless     = math.MaxInt64
)

var hour = txcache.CacheOptions{Duration: time.Hour}

// numbers are all numeric settings of the library, by type and field.
var numbers = map[reflect.Type]map[string]setting{
	reflect.TypeFor[txcache.Options](): {
		"Size":          {least: 1, most: endless, zero: true, hits: sized},
		"Sizes":         {least: 1, most: endless, hits: sized},
		"Memory":        {least: 1, most: endless, zero: true, hits: some},
		"CommitTimeout": {least: 1, most: endless, zero: true, hits: some},
		"OverlaySize":   {least: 1, most: endless, zero: true, hits: all},
		"Poll":          {least: 1, most: endless, zero: true, hits: all},
		"Fence":         {least: 100 * millisecond, most: endless, zero: true, hits: all},
		"Lease":         {least: 1, most: endless, zero: true, hits: all},
	},
	reflect.TypeFor[txcache.CacheOptions](): {
		"Size":      {least: 1, most: endless, zero: true, hits: sized},
		"Duration":  {least: 1, most: endless, zero: true, hits: lasting},
		"LoadLimit": {least: 1, most: endless, zero: true, hits: all},
		"Jitter":    {with: hour, hits: some},
		"Absent":    {least: 1, most: endless, zero: true, negative: true, hits: all},
		"StaleFor":  {least: 1, most: endless, zero: true, with: hour, hits: all},
		"Lease":     {least: 1, most: endless, zero: true, negative: true, hits: all},
		"Verify":    {hits: all},
		"Version":   {least: -1 << 63, most: endless, zero: true, negative: true, hits: all},
	},
	reflect.TypeFor[redisbackend.Options](): {
		"Duration":     {least: millisecond, most: endless, zero: true, hits: lasting},
		"Timeout":      {least: millisecond, most: endless, zero: true, hits: some},
		"LargestValue": {least: 1, most: 512_000_000, zero: true, hits: some},
		"Term":         {least: millisecond, most: int64(time.Second), zero: true, hits: all}, // half of Wait
		"Wait":         {least: 2 * millisecond, most: int64(20 * time.Second), zero: true, waits: true, hits: all},
	},
	reflect.TypeFor[config.Config](): {
		"OverlaySize": {least: 1, most: endless, zero: true, hits: all},
		"Size":        {least: 1, most: endless, hits: sized},
		"Sizes":       {least: 1, most: endless, hits: sized},
	},
	reflect.TypeFor[config.Redis](): {
		"Duration": {least: millisecond, most: endless, hits: lasting},
		// Three times the timeout.
		"Fence":        {least: int64(1500 * time.Millisecond), most: endless, hits: all},
		"Lease":        {least: millisecond, most: endless, zero: true, hits: all},
		"DialTimeout":  {least: millisecond, most: int64(time.Minute - 500*time.Millisecond), hits: some},
		"Timeout":      {least: millisecond, most: int64(20 * time.Second), hits: some},
		"PoolSize":     {least: 1, most: 65535, zero: true, hits: all},
		"LargestValue": {least: 1, most: 512_000_000, zero: true, hits: some},
		"Term":         {least: millisecond, most: int64(time.Second), zero: true, hits: all},
		"Wait":         {least: 2 * millisecond, most: int64(20 * time.Second), zero: true, waits: true, hits: all},
	},
}

// numeric returns the fields of a struct type that are numbers, and maps to such.
func numeric(t reflect.Type) (fields []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		of := f.Type
		for of.Kind() == reflect.Map || of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if f.IsExported() && (of.Kind() >= reflect.Int && of.Kind() <= reflect.Float64) {
			fields = append(fields, f.Name)
		}
	}
	return fields
}

// Every numeric setting has a row above: one that is new must say what it takes.
func TestEveryNumericSettingIsTried(t *testing.T) {
	for of, rows := range numbers {
		for _, field := range numeric(of) {
			if _, ok := rows[field]; !ok {
				t.Errorf("%v.%s is tried at none of its extremes", of, field)
			}
		}
		if len(numeric(of)) != len(rows) {
			t.Errorf("%v has the numeric fields %v, and %d rows", of, numeric(of), len(rows))
		}
	}
}

// set returns a copy of the struct options with v in field.
func set[T any](options T, field string, v reflect.Value) T {
	f := reflect.ValueOf(&options).Elem().FieldByName(field)
	if f.Kind() == reflect.Map {
		f.Set(reflect.MakeMap(f.Type()))
		f.SetMapIndex(reflect.ValueOf("c"), v)
	} else {
		f.Set(v)
	}
	return options
}

// try runs test for each sample of each setting of T. What a setting does not take
// must be refused when the store or the cache is opened; what it takes must work.
func try[T any](t *testing.T, open func(t *testing.T, field string, v reflect.Value, cache *txcache.CacheOptions) ([]*txcache.Store, error)) {
	of := reflect.TypeFor[T]()
	for field, row := range numbers[of] {
		f, _ := of.FieldByName(field)
		if f.Type.Kind() == reflect.Map {
			f.Type = f.Type.Elem()
		}
		t.Run(field, func(t *testing.T) {
			for _, v := range row.samples(f.Type) {
				t.Run(fmt.Sprint(v), func(t *testing.T) {
					if row.waits {
						if testing.Short() && v.Int() > int64(5*time.Second) {
							t.Skip("a commit waits that long, which a short run does not")
						}
						t.Parallel()
					}
					options := row.with
					servers, err := open(t, field, v, &options)
					tryOne(t, &row, field, v, servers, &options, err)
				})
			}
		})
	}
}

func tryOne(t *testing.T, row *setting, field string, v reflect.Value, servers []*txcache.Store, options *txcache.CacheOptions, err error) {
	var caches []*txcache.Cache[int, int]
	for _, s := range servers {
		t.Cleanup(func() { s.Close() })
		if c, failed := txcache.NewCache[int, int](s, "c", options); failed == nil {
			caches = append(caches, c)
		} else {
			err = failed
		}
	}
	if (err == nil) != row.takes(v) {
		t.Fatalf("opening answers %v; want it to be taken: %v", err, row.takes(v))
	}
	if err != nil {
		return
	}
	if len(servers) == 1 { // of a class that keeps all in one process
		servers, caches = append(servers, servers[0]), append(caches, caches[0])
	}
	late := field == "Poll" && v.Int() > 0
	ends(t, func() { work(t, servers, caches, row.hits(v), late) })
}

// ends fails the test if work takes longer than any setting is a reason for.
func ends(t *testing.T, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
	}
}

// work does what a service does: it sets and reads a hundred values, of which hits
// must be found at least, and changes a row, of which no server may read the old
// value once it has been changed; if late is set, the other one may.
func work(t *testing.T, servers []*txcache.Store, caches []*txcache.Cache[int, int], hits int, late bool) {
	ctx := t.Context()
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	check(servers[0].View(ctx, "db", func(tx *txcache.Tx) error {
		for k := range 100 {
			caches[0].Set(tx, k, k)
		}
		found := 0
		for k := range 100 {
			if v, ok := caches[0].Get(ctx, tx, k); ok && v == k {
				found++
			} else if ok {
				t.Errorf("%d is found under %d", v, k)
			}
		}
		if found < hits {
			t.Errorf("%d of 100 values are found, want %d at least", found, hits)
		}
		return nil
	}))
	check(servers[0].Update(ctx, "other", func(tx *txcache.Tx) error {
		for k := range 100 {
			caches[0].Set(tx, k, k)
		}
		return nil
	}))
	row := 1
	load := func(context.Context) (int, error) { return row, nil }
	read := func(i int, when string) {
		check(servers[i].View(ctx, "db", func(tx *txcache.Tx) error {
			v, err := caches[i].Load(ctx, tx, -1, load)
			if v != row && !(late && i > 0) {
				t.Errorf("P3: %s, server %d reads %d; the row is %d", when, i, v, row)
			}
			return err
		}))
	}
	read(0, "first")
	read(1, "first")
	tx, err := servers[0].Begin(ctx, "db")
	if err != nil {
		t.Error(err)
		return
	}
	check(caches[0].Clear(tx))
	err = tx.CommitWith(ctx, func(context.Context) error {
		read(1, "before the commit") // it must not be kept: the fence stands
		row = 2
		read(0, "as the database has committed")
		read(1, "as the database has committed")
		return nil
	})
	if err != nil {
		return // a clear that cannot be announced within a millisecond is refused
	}
	read(0, "after the commit")
	read(1, "after the commit")
}

func TestExtremesOfOptions(t *testing.T) {
	eachSetup(t, func(t *testing.T, s storetest.Setup) {
		try[txcache.Options](t, func(t *testing.T, field string, v reflect.Value, _ *txcache.CacheOptions) ([]*txcache.Store, error) {
			o := set(txcache.Options{}, field, v)
			if _, err := txcache.New(memorybackend.New(), &o); err != nil {
				return nil, err
			}
			return s.Open(t, 2, o), nil
		})
	})
}

func TestExtremesOfCacheOptions(t *testing.T) {
	eachSetup(t, func(t *testing.T, s storetest.Setup) {
		try[txcache.CacheOptions](t, func(t *testing.T, field string, v reflect.Value, cache *txcache.CacheOptions) ([]*txcache.Store, error) {
			*cache = set(*cache, field, v)
			return s.Open(t, 2, txcache.Options{}), nil
		})
	})
}

// eachSetup is everywhere without the setups that keep nothing near.
func eachSetup(t *testing.T, test func(t *testing.T, s storetest.Setup)) {
	for _, s := range []storetest.Setup{storetest.Setups[0], storetest.Setups[1], {Name: "redis", Open: storetest.OverServer(redistest.Start(t))}} {
		t.Run(s.Name, func(t *testing.T) { test(t, s) })
	}
}

func TestExtremesOfRedisOptions(t *testing.T) {
	if testing.Short() {
		t.Skip("some extremes wait for many seconds; without -short they are tried")
	}
	t.Parallel()
	server := redistest.Start(t)
	try[redisbackend.Options](t, func(t *testing.T, field string, v reflect.Value, _ *txcache.CacheOptions) (servers []*txcache.Store, err error) {
		for range 2 {
			b, err := redisbackend.New(storetest.NewClient(t, &redis.Options{Addr: server.Addr}), new(set(redisbackend.Options{Prefix: t.Name()}, field, v)))
			if err != nil {
				return nil, err
			}
			servers = append(servers, storetest.NewStore(t, b, txcache.Options{}))
		}
		return servers, nil
	})
}

func TestExtremesOfConfiguration(t *testing.T) {
	if testing.Short() {
		t.Skip("some extremes wait for many seconds; without -short they are tried")
	}
	t.Parallel()
	server := redistest.Start(t)
	for _, class := range []string{config.ClassMemory, config.ClassRedis} {
		open := func(t *testing.T, change func(c *config.Config)) (servers []*txcache.Store, err error) {
			for range map[string]int{config.ClassMemory: 1, config.ClassRedis: 2}[class] {
				c := config.Default()
				c.Class, c.Prefix, c.Redis.URI = class, t.Name(), server.URI()
				change(c)
				s, err := txcache.OpenConfig(t.Context(), c)
				if err != nil {
					return servers, err
				}
				servers = append(servers, s)
			}
			return servers, nil
		}
		t.Run(class, func(t *testing.T) {
			try[config.Config](t, func(t *testing.T, field string, v reflect.Value, _ *txcache.CacheOptions) ([]*txcache.Store, error) {
				return open(t, func(c *config.Config) { *c = set(*c, field, v) })
			})
		})
		t.Run(class+".redis", func(t *testing.T) {
			try[config.Redis](t, func(t *testing.T, field string, v reflect.Value, _ *txcache.CacheOptions) ([]*txcache.Store, error) {
				return open(t, func(c *config.Config) { c.Redis = set(c.Redis, field, v) })
			})
		})
	}
}
