package command

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/spelling"
)

// What a service has never used is not known: a misspelt name would be cleared as
// well as a right one, and be listed from then on.

// checkKnown returns an error unless the server keeps something of the database and of
// each of caches. It walks over the keys of the server only for what neither the
// generations nor the deletes name.
func checkKnown(ctx context.Context, b inspect.Inspector, database string, caches ...string) error {
	d, err := b.Database(ctx, database)
	if err != nil {
		return backendError(ctx, err)
	}
	names := d.Named()
	for _, cache := range caches { // of one that is not named, keys may have been deleted
		if d.Kept && d.State.Deletes.Of(cache) != nil {
			names = append(names, cache)
		}
	}
	missing := func() int {
		return slices.IndexFunc(caches, func(cache string) bool { return !slices.Contains(names, cache) })
	}
	if d.Kept && missing() < 0 {
		return nil
	}
	if names, err = cachesOf(ctx, b, d); err != nil {
		return err
	}
	if !d.Kept && len(names) == 0 {
		// One whose generations cannot be read is in the list, and a drop mends it.
		if listed := databaseNames(ctx, b); !slices.Contains(listed, database) {
			return fmt.Errorf("no database called %s is known: the server keeps nothing of it%s", quoted(database), didYouMean(spelling.Nearest(database, listed)))
		}
	}
	if i := missing(); i >= 0 {
		return fmt.Errorf("no cache called %s is known in %s: it was never cleared by name, and the server keeps no value of it%s",
			quoted(caches[i]), quoted(database), didYouMean(spelling.Nearest(caches[i], names)))
	}
	return nil
}

// cachesOf returns the caches of d that were cleared by name, are fenced or have
// values, sorted. It walks over the keys of the server.
func cachesOf(ctx context.Context, b inspect.Inspector, d *inspect.Database) ([]string, error) {
	set := map[string]bool{}
	for _, name := range d.Named() {
		set[name] = true
	}
	err := b.Entries(ctx, d.Name, "", func(e *inspect.Entry) error {
		set[e.Cache] = true
		return nil
	})
	return slices.Sorted(maps.Keys(set)), backendError(ctx, err)
}

// meant returns the end of an error about a database of which nothing is known.
func meant(ctx context.Context, b inspect.Inspector, database string) string {
	return didYouMean(spelling.Nearest(database, databaseNames(ctx, b)))
}

// databaseNames returns the names of the databases of which the server keeps something.
func databaseNames(ctx context.Context, b inspect.Inspector) []string {
	databases, err := b.Databases(ctx)
	if err != nil {
		return nil // the error that there is says enough
	}
	names := make([]string, len(databases))
	for i, d := range databases {
		names[i] = d.Name
	}
	return names
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + quoted(name) + "?"
}
