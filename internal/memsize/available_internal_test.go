package memsize

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestAvailableMemoryIsTheLeastLimit(t *testing.T) {
	const meminfo, cgroup = "proc/meminfo", "proc/self/cgroup"
	const total = "MemTotal:       16384 kB\nMemFree:        100 kB\n"
	for _, w := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing is known", nil, unknownMemory},
		{"the machine's", map[string]string{meminfo: total}, 16 << 20},
		{"a group", map[string]string{meminfo: total, cgroup: "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1048576\n"}, 1 << 20},
		{"a group around it", map[string]string{meminfo: total, cgroup: "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "2097152\n"}, 2 << 20},
		{"a container", map[string]string{cgroup: "0::/../../pod\n", "sys/fs/cgroup/memory.max": "3145728\n"}, 3 << 20},
		{"a group without a limit", map[string]string{meminfo: total, cgroup: "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 16 << 20},
		{"a group of version 1", map[string]string{meminfo: total, cgroup: "5:cpu:/x\n4:memory:/y\n", "sys/fs/cgroup/memory/y/memory.limit_in_bytes": "4194304\n", "sys/fs/cgroup/x/memory.max": "1\n"}, 4 << 20},
		{"no limit of version 1", map[string]string{meminfo: total, cgroup: "4:memory:/y\n", "sys/fs/cgroup/memory/y/memory.limit_in_bytes": "9223372036854771712\n"}, 16 << 20},
		{"what cannot be read", map[string]string{meminfo: "MemTotal: many kB\nx", cgroup: "nonsense\n\n0:\n"}, unknownMemory},
	} {
		root := t.TempDir()
		for name, text := range w.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := availableIn(root); got != w.want {
			t.Errorf("%s: %d, want %d", w.name, got, w.want)
		}
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(12345))
	if got := Available(); got != 12345 {
		t.Errorf("with GOMEMLIMIT=12345: %d", got)
	}
}
