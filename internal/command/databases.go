package command

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A databaseResult is one database in the answer of databases.
type databaseResult struct {
	Name    string `json:"name"`
	Epoch   string `json:"epoch"` // "" if its generations are not kept
	Version uint64 `json:"version"`
	Fences  int    `json:"fences"`
	Values  int    `json:"values"`
	Deletes int    `json:"deletes"` // of keys and tags, that are remembered
	Members int    `json:"members"` // processes that are registered, which may use a state for a term
}

func (p *program) databasesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "databases [DATABASE]",
		Short: "List the databases of which the server keeps something",
		Long: `Databases lists the databases that the server keeps generations or values of, with
the epoch, the version (it grows with each change), the number of fences, the number
of values, dead ones included, how many keys and tags have a delete or a clear
that is remembered, and how many processes are registered as members, which may use
a state for a term without asking (sync = "lease"). A database without an epoch has
lost its generations: all its values are dead.

It walks over all keys of the server, gently.

With class sql it lists the databases in the table of clears: the epoch, the rows of one transaction
each and those that are the sum of others, how many transactions have cleared or
deleted something, and how many keys and tags have a delete or a clear that is
remembered. Where each database has an SQL database of its own, {database} in the DSN
stands for its name. Then one must be named, and what its table has is listed.`,
		Example:           `  txcache --config cache.toml databases`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			cfg, err := p.load()
			if err != nil {
				return err
			}
			if err := p.checkUnnamed(cfg); err != nil {
				return err
			}
			if isSQL(cfg) {
				return p.sqlDatabases(ctx, cfg)
			}
			return p.inspect(ctx, func(b inspect.Inspector) error {
				found, err := b.Databases(ctx)
				if err != nil {
					return backendError(ctx, err)
				}
				list := make([]databaseResult, len(found))
				for i, d := range found {
					list[i] = databaseResult{Name: d.Name, Fences: len(d.Fences), Values: d.Values, Members: d.Members}
					if d.Kept {
						list[i].Epoch, list[i].Version = string(d.State.Epoch), d.State.Version
						for _, n := range remembered(&d) {
							list[i].Deletes += n
						}
					}
				}
				return p.print(list, func(w io.Writer) {
					t := table{{"DATABASE", "EPOCH", "VERSION", "FENCES", "VALUES", "DELETES", "MEMBERS"}}
					for _, d := range list {
						t.row(quoted(d.Name), quotedToken(d.Epoch), strconv.FormatUint(d.Version, 10), strconv.Itoa(d.Fences), strconv.Itoa(d.Values), strconv.Itoa(d.Deletes), strconv.Itoa(d.Members))
					}
					t.write(w)
				})
			})
		},
	}
}
