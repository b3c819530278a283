package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache"
)

// A deleteResult is the answer of delete.
type deleteResult struct {
	Database string   `json:"database"`
	Cache    string   `json:"cache"`
	Keys     []string `json:"keys"`      // as they were given
	Deleted  []string `json:"canonical"` // the keys that these may be, in canonical form
}

// A clearTagsResult is the answer of clear-tags.
type clearTagsResult struct {
	Database string   `json:"database"`
	Tags     []string `json:"tags"`
}

func (p *program) deleteCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "delete DATABASE CACHE KEY...",
		Short: "Delete keys of a cache, as a transaction does",
		Long: `Delete deletes keys of a cache in the way that a transaction does which commits:
through a fence, announced to every server. What is kept under a key goes, in every
user context, and nothing else.

A KEY is what get takes: text, a number, a boolean or an address, or the canonical
form that keys lists and Cache.KeyText tells a service. As 42 may be a number of any
kind or a string, delete deletes all keys that it may be; i64.42 names the int64 42
alone, or the string of these letters. A form that begins with ! is the digest of a
long key together with a user context and does not tell the key: give the key itself,
or its Cache.KeyText.

A database or a cache that is not known is refused, as for clear, unless --force is
given. A key is not looked for: a service may keep values that the server does not
know of. Thousands of keys at once clear the cache.

It fails if the delete cannot be announced, also with outage = "commit".`,
		Example: `  txcache --config cache.toml delete shop users 42
  txcache --config cache.toml delete shop prices 'k#…'`,
		Args:              cobra.MinimumNArgs(3),
		ValidArgsFunction: p.completes(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := deleteResult{Database: args[0], Cache: args[1], Keys: args[2:]}
			if r.Database == "" || r.Cache == "" {
				return usage("the name of a database or cache cannot be empty")
			}
			for _, key := range r.Keys {
				if isDigestWithContext(key) {
					return usage("%s is the digest of a long key together with its user context, from which the key cannot be told; "+
						"give the key itself, or what Cache.KeyText tells a service of it, or clear the cache", quoted(key))
				}
				r.Deleted = append(r.Deleted, texts(key)...)
			}
			slices.Sort(r.Deleted)
			r.Deleted = slices.Compact(r.Deleted)
			return p.delete(cmd.Context(), r, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "delete keys of what is not known, too")
	return cmd
}

// isDigestWithContext reports whether a word is how keys lists a key that is kept as a
// digest of both key and user context.
func isDigestWithContext(word string) bool {
	digest, ok := strings.CutPrefix(word, "!")
	return ok && len(digest) == contextDigest && !strings.ContainsFunc(digest, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
	})
}

// texts returns the canonical form of each key that word may stand for.
func texts(word string) (list []string) {
	for _, c := range candidates(word) {
		if c.kind != canonical || kindOf(word) != "unknown" {
			list = append(list, c.text)
		}
	}
	return list
}

func (p *program) delete(ctx context.Context, r deleteResult, force bool) error {
	err := p.change(ctx, "deleted", "deletes", r.Database, []string{r.Cache}, force, func(s *txcache.Store, _ keeper) error {
		return s.Delete(ctx, r.Database, r.Cache, r.Deleted...)
	})
	if err != nil {
		return err
	}
	return p.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "Deleted %s of %s in %s.\n", names(r.Keys), quoted(r.Cache), quoted(r.Database))
	})
}

func (p *program) clearTagsCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "clear-tags DATABASE TAG...",
		Short: "Clear tags in a database, as a transaction does",
		Long: `Clear-tags clears tags in the way that a transaction does which commits: through a
fence, announced to every server. Every value of the database that bears one of the
tags goes, in any cache.

A service works out the tags of a value by what it gave to Cache.TagBy; the server
does not keep them. So a tag that no value bears is cleared without a word.

A database that is not known is refused, as its name may be misspelt, unless --force
is given. It fails if the clear cannot be announced, also with outage = "commit".`,
		Example:           `  txcache --config cache.toml clear-tags shop product:7 product:9`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: p.completes(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usage("the name of a database cannot be empty")
			}
			return p.clearTags(cmd.Context(), clearTagsResult{Database: args[0], Tags: args[1:]}, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "clear tags of a database that is not known, too")
	return cmd
}

func (p *program) clearTags(ctx context.Context, r clearTagsResult, force bool) error {
	err := p.change(ctx, "cleared", "clears them", r.Database, nil, force, func(s *txcache.Store, _ keeper) error {
		return s.ClearTags(ctx, r.Database, r.Tags...)
	})
	if err != nil {
		return err
	}
	return p.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "Cleared what bears %s in %s.\n", names(r.Tags), quoted(r.Database))
	})
}

// change calls do, which clears or deletes, with a store, if what it changes is known.
// done and does are words for that.
func (p *program) change(ctx context.Context, done, does, database string, caches []string, force bool, do func(*txcache.Store, keeper) error) error {
	return p.operate(ctx, func(s *txcache.Store, k keeper) error {
		if !force {
			switch err := k.checkKnown(ctx, database, caches...); {
			case err != nil && p.code(ctx, err) == exitFailed:
				return fmt.Errorf("%w\nnothing was %s; --force %s all the same", err, done, does)
			case err != nil:
				return fmt.Errorf("%w\nnothing was %s, and it is not tried again; repeat the command", err, done)
			}
		}
		return k.failure(ctx, do(s, k))
	})
}
