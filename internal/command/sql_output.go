package command

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A sqlDatabaseResult is one database in the answer of databases.
type sqlDatabaseResult struct {
	Name    string `json:"name"`
	Digest  bool   `json:"digest,omitempty"` // the name is too long for the table, which has this in its place
	Epoch   string `json:"epoch"`            // "" if there is none
	Recent  int    `json:"recent_rows"`
	Packed  int    `json:"packed_rows"`
	Bad     int    `json:"unreadable_rows"`
	Clears  uint64 `json:"clears"`  // transactions that cleared or deleted
	Deletes int    `json:"deletes"` // of keys and tags, that are remembered
}

func (p *program) sqlDatabases(ctx context.Context, cfg *config.Config) error {
	return p.inspectSQL(ctx, cfg, func(b inspect.SQLInspector) error {
		found, err := b.Clears(ctx)
		if err != nil {
			return sqlError(ctx, err)
		}
		list := make([]sqlDatabaseResult, len(found))
		for i, d := range found {
			list[i] = sqlDatabaseResult{d.Name, d.Digest, string(d.Epoch), d.Recent, d.Packed, d.Bad, d.Count, d.Deletes()}
		}
		return p.print(list, func(w io.Writer) {
			t := table{{"DATABASE", "EPOCH", "RECENT ROWS", "PACKED ROWS", "CLEARS", "DELETES", ""}}
			for i, d := range list {
				t.row(quoted(d.Name), quotedToken(d.Epoch), strconv.Itoa(d.Recent), strconv.Itoa(d.Packed), strconv.FormatUint(d.Clears, 10), strconv.Itoa(d.Deletes), privacy(&found[i]))
			}
			t.write(w)
		})
	})
}

// privacy says why the caches of a database are private to each transaction, "" if they are not.
func privacy(d *inspect.Clears) string {
	switch {
	case d.Bad > 0:
		return fmt.Sprintf("private: rows that cannot be read: %d", d.Bad)
	case !d.Begun:
		return "private: no epoch"
	}
	return ""
}

// A sqlCachesResult is the answer of caches.
type sqlCachesResult struct {
	Database string           `json:"database"`
	Epoch    string           `json:"epoch"`           // "" if there is none
	Bad      int              `json:"unreadable_rows"` // of the database
	Clears   uint64           `json:"clears"`          // transactions that cleared or deleted
	Tags     int              `json:"tags"`            // clears of tags that are remembered
	Caches   []sqlCacheResult `json:"caches"`
}

type sqlCacheResult struct {
	Name       string `json:"name"`
	Generation string `json:"generation"`
	Clears     uint64 `json:"clears"`  // by name
	Deletes    int    `json:"deletes"` // of keys, that are remembered
	Groups     int    `json:"groups"`  // of keys whose deletes are remembered together
}

func (p *program) sqlCaches(ctx context.Context, cfg *config.Config, database string) error {
	return p.inspectSQL(ctx, cfg, func(b inspect.SQLInspector) error {
		d, err := b.ClearsOf(ctx, database)
		if err != nil {
			return sqlError(ctx, err)
		}
		r := sqlCachesResult{Database: database, Epoch: string(d.Epoch), Bad: d.Bad, Clears: d.Count, Tags: d.Tags, Caches: []sqlCacheResult{}}
		for _, c := range d.Caches {
			r.Caches = append(r.Caches, sqlCacheResult{c.Name, string(c.Token), c.Count, c.Keys, c.Groups})
		}
		return p.print(r, func(w io.Writer) { r.write(w, d) })
	})
}

func (r *sqlCachesResult) write(w io.Writer, d *inspect.Clears) {
	switch {
	case isUnknown(d):
		fmt.Fprintf(w, "The table has no rows of %s: no service has begun a transaction there.\n", quoted(r.Database))
	case !d.Begun && r.Bad == 0:
		fmt.Fprintf(w, "Database %s has no epoch, so its caches are private to each transaction until a service begins one.\n", quoted(r.Database))
	default:
		fmt.Fprintf(w, "Database %s, epoch %s\n", quoted(r.Database), quotedToken(r.Epoch))
	}
	if r.Bad > 0 {
		fmt.Fprintf(w, "%s\n", repair(d))
	}
	if r.Tags > 0 {
		fmt.Fprintf(w, "Clears of %d tags are remembered.\n", r.Tags)
	}
	if len(r.Caches) > 0 {
		fmt.Fprintln(w)
		t := table{{"CACHE", "GENERATION", "CLEARS", "DELETES", "GROUPS"}}
		for _, c := range r.Caches {
			t.row(quoted(c.Name), quotedToken(c.Generation), strconv.FormatUint(c.Clears, 10), strconv.Itoa(c.Deletes), strconv.Itoa(c.Groups))
		}
		t.write(w)
	}
}

// repair says what to do about rows that cannot be read.
func repair(d *inspect.Clears) string {
	return fmt.Sprintf("Of the rows of %s %d cannot be read, so its caches are private to each transaction; drop it, which is always safe.", quoted(d.Name), d.Bad)
}
