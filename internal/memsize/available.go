package memsize

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
)

// Available returns how many bytes of memory the process may use: the least of what the machine
// has, of the limits of its control groups, and of GOMEMLIMIT. Where none of these is known
// it returns 4 GiB. It looks once.
func Available() int64 { return min(available(), debug.SetMemoryLimit(-1)) }

var available = sync.OnceValue(func() int64 { return availableIn("/") })

const unknownMemory = 4 << 30

// availableIn is Available for the files below root, without GOMEMLIMIT.
func availableIn(root string) int64 {
	least := int64(math.MaxInt64)
	limit := func(n int64) {
		if n > 0 {
			least = min(least, n)
		}
	}
	for line := range strings.Lines(read(root, "proc/meminfo")) {
		if total, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			limit(number(strings.TrimSuffix(strings.TrimSpace(total), " kB")) << 10)
		}
	}
	for line := range strings.Lines(read(root, "proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		if parts[0] != "0" { // version 1, a line for each controller
			if parts[1] != "memory" {
				continue
			}
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		// A limit of a group holds for those in it. In a container the group's own path may
		// not be there, and the mount be the group.
		for path := filepath.Clean(parts[2]); ; path = filepath.Dir(path) {
			limit(number(read(root, filepath.Join(mount, path, file))))
			if path == "/" || path == "." {
				break
			}
		}
	}
	if least == math.MaxInt64 {
		return unknownMemory
	}
	return least
}

func read(root, path string) string {
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return ""
	}
	return string(text)
}

// number returns the number that text is, 0 if it is none, such as "max".
func number(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
