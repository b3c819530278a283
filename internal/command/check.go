package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A checkResult is the answer of check.
type checkResult struct {
	Config   string        `json:"config"`
	Settings []setting     `json:"settings"`
	Server   *serverResult `json:"server"`        // the one of Redis; null without
	SQL      *sqlResult    `json:"sql,omitempty"` // of class sql
	Problems []string      `json:"problems"`
	Remarks  []string      `json:"remarks"` // of what works and could be better
}

type serverResult struct {
	Software string       `json:"software"`
	Role     string       `json:"role"`
	Policy   string       `json:"maxmemory_policy"`
	Memory   int64        `json:"maxmemory"` // bytes; 0: no limit, -1: it does not tell
	Ping     float64      `json:"round_trip_ms"`
	Steps    []stepResult `json:"steps"`
}

type stepResult struct {
	Name     string  `json:"name"`
	OK       bool    `json:"ok"`
	Optional bool    `json:"optional,omitempty"`
	Took     float64 `json:"took_ms"`
	Error    string  `json:"error,omitempty"`
}

func (p *program) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [DATABASE]",
		Short: "Show the configuration in effect and try the server out",
		Long: `Check reads the configuration file as the service does and shows every key, with
defaults marked. Passwords, user names and values that the file takes from the
environment are hidden; where the server does not answer, the error names its
address. Then it does with the server all that a service does, in a
database of its own, and says what is refused and how long it takes, and remarks on
what could be better: what the server does when its memory is full, and whether it
asks for the password at all.

With class sql it does so in transactions that are rolled back. It creates no table:
where that is missing, it says whether the user may create it, and prints the
statements. It says what the isolation level of the database means for hits. Where each
database has an SQL database of its own, and {database} in the DSN stands for its name,
one must be named. With values = "redis" it also does with Redis what is done with
values.`,
		Example: `  txcache --config cache.toml check
  txcache --config cache.toml check --json | jq .problems`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return p.check(cmd.Context()) },
	}
}

func (p *program) check(ctx context.Context) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if err := p.checkUnnamed(cfg); err != nil {
		return err
	}
	r := checkResult{Config: p.config, Problems: []string{}, Remarks: []string{}}
	if r.Settings, err = settings(cfg, p.text.String()); err != nil {
		return err
	}
	var failure error
	switch {
	case isMemory(cfg):
	case isSQL(cfg):
		r.Settings = slices.DeleteFunc(r.Settings, func(s setting) bool { return s.Default && strings.HasPrefix(s.Key, "cache.redis.") })
		failure = p.checkSQL(ctx, cfg, &r)
	default:
		b, _, err := p.open(ctx, cfg)
		if err != nil {
			return err
		}
		defer b.Close()
		failure = p.checkRedis(ctx, cfg, b, &r)
	}
	return errors.Join(p.print(r, r.write), failure)
}

// checkRedis adds to r what a server of Redis says, and returns why that is a failure.
func (p *program) checkRedis(ctx context.Context, cfg *config.Config, b inspect.ValuesInspector, r *checkResult) error {
	c, err := b.Check(ctx)
	r.Server = server(c)
	refused := c.Refused()
	for _, step := range refused {
		r.Problems = append(r.Problems, fmt.Sprintf("cannot %s: %v", step.Name, cause.Of(step.Err)))
	}
	if failure := backendError(ctx, err); failure != nil {
		r.Problems = append(r.Problems, cause.Of(err).Error())
		return failure
	}
	if len(refused) > 0 {
		return errors.New(refusal(refused))
	}
	r.Remarks = append(r.Remarks, remarks(c, isSQL(cfg))...)
	r.Remarks = append(r.Remarks, p.openness(ctx, cfg)...)
	return nil
}

// server returns the result of a checkup, nil if nothing was learnt.
func server(c *inspect.Checkup) *serverResult {
	if c.Ping == 0 {
		return nil
	}
	r := &serverResult{Software: c.Server, Role: c.Role, Policy: c.Policy, Memory: c.MaxMemory, Ping: float64(c.Ping.Microseconds()) / 1000, Steps: results(c.Steps)}
	return r
}

func results(steps []inspect.Step) []stepResult {
	list := []stepResult{}
	for _, s := range steps {
		step := stepResult{Name: s.Name, OK: s.Err == nil, Optional: s.Optional, Took: float64(s.Took.Microseconds()) / 1000}
		if s.Err != nil {
			step.Error = cause.Of(s.Err).Error()
		}
		list = append(list, step)
	}
	return list
}

func (r *checkResult) write(w io.Writer) {
	t := table{{"KEY", "VALUE", ""}}
	for _, s := range r.Settings {
		t.row(s.Key, s.text(), s.note())
	}
	t.write(w)
	if r.SQL != nil {
		r.SQL.write(w)
	}
	if r.Server != nil {
		r.Server.write(w)
	}
	if r.SQL == nil && r.Server == nil && len(r.Problems) == 0 {
		fmt.Fprintln(w, "\nClass memory needs no server.")
	}
	for i, remark := range r.Remarks {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "Remark: %s.\n", remark)
	}
}

func (r *serverResult) write(w io.Writer) {
	fmt.Fprintf(w, "\nServer %s, ", cmp.Or(r.Software, "of a version that is not told"))
	if r.Role != "" {
		fmt.Fprintf(w, "%s, ", r.Role)
	}
	if r.Policy != "" {
		fmt.Fprintf(w, "maxmemory-policy %s, ", r.Policy)
	}
	fmt.Fprintf(w, "round trip %.3f ms\n\n", r.Ping)
	writeSteps(w, r.Steps, "refused; only this command needs it: ")
}

func writeSteps(w io.Writer, steps []stepResult, optional string) {
	t := table{{"WHAT A SERVICE DOES", "TOOK", ""}}
	for _, s := range steps {
		verdict := "ok"
		switch {
		case !s.OK && s.Optional:
			verdict = optional + s.Error
		case !s.OK:
			verdict = "REFUSED: " + s.Error
		}
		t.row(s.Name, fmt.Sprintf("%.3f ms", s.Took), verdict)
	}
	t.write(w)
}
