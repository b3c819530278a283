package report

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// A Machine is what the figures were made on.
type Machine struct {
	CPU    string // the model; "" if it is not known
	Cores  int
	System string // operating system and architecture, with the kernel where that is known
	Go     string
	Redis  string            // the server's version; "" without one
	Peers  map[string]string // version by module path
}

// ThisMachine describes the machine and the program. It holds no name of a
// host, a user or a file.
func ThisMachine(redis string) Machine {
	m := Machine{
		CPU: cpuModel(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Redis: redis, Peers: map[string]string{},
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += ", kernel " + strings.TrimSpace(string(release))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if compared[module.Path] {
				m.Peers[module.Path] = module.Version
			}
		}
	}
	return m
}

// compared are the modules whose versions matter.
var compared = map[string]bool{
	"github.com/maypok86/otter/v2":       true,
	"github.com/Yiling-J/theine-go":      true,
	"github.com/dgraph-io/ristretto/v2":  true,
	"github.com/hashicorp/golang-lru/v2": true,
	"github.com/viccon/sturdyc":          true,
	"github.com/redis/go-redis/v9":       true,
	"github.com/go-redis/cache/v9":       true,
	"github.com/redis/rueidis":           true,
}

// cpuModel returns the model as Linux tells it, "" elsewhere.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
