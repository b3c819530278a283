package command

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// A versionResult is the answer of version.
type versionResult struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // the revision and more
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Show which version this is",
		Example:           `  txcache version --json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			r := versionResult{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				r.Version = cmp.Or(info.Main.Version, r.Version)
				for _, s := range info.Settings {
					switch s.Key {
					case "vcs.revision":
						r.Revision = s.Value
					case "vcs.modified":
						r.Modified = s.Value == "true"
					}
				}
			}
			return p.print(r, func(w io.Writer) {
				fmt.Fprintf(w, "%s %s, %s, %s\n", p.name, r.Version, r.Go, r.Platform)
			})
		},
	}
}
