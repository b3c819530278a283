package hitratio

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"
)

// recorded are published traces of real caches, by the names that their files have in
// the resources of Caffeine's simulator (github.com/ben-manes/caffeine, in
// simulator/src/main/resources).
var recorded = []struct {
	name, file string
	read       func(*bufio.Reader) ([]uint64, error)
}{
	{"ORM, a busy hour (cache2k)", "orm-busy.trace.xz", read32},
	{"web shop, July (cache2k)", "web07.trace.xz", read32},
	{"content network (AdaptSize)", "request.trace.xz", readSecond},
	{"Corda's vault service", "trace_vaultservice.gz", read64},
	{"file server: sprite (LIRS)", "sprite.trace.gz", readFirst},
	{"several programs: multi2 (LIRS)", "multi2.trace.gz", readFirst},
}

// Recorded returns, for each published trace of a real cache whose name contains only,
// rows for caches of 1, 5, 12 and 33 per cent of the keys, and of 1024: the means of some
// runs. The files must be in dir, unpacked or as they are published.
func Recorded(dir, only string, runs int) ([]Row, error) {
	var rows []Row
	for _, r := range recorded {
		if !strings.Contains(r.name, only) {
			continue
		}
		keys, err := readFile(filepath.Join(dir, r.file), r.read)
		if err != nil {
			return nil, err
		}
		t := trace{name: r.name, keys: keys}
		distinct := t.distinct()
		for _, percent := range []int{1, 5, 12, 33} {
			t.sizes = append(t.sizes, max(1, distinct*percent/100))
		}
		t.sizes = append(t.sizes, 1024)
		slices.Sort(t.sizes)
		for _, size := range slices.Compact(t.sizes) {
			rows = append(rows, t.row(distinct, size, runs))
		}
	}
	return rows, nil
}

// readFile reads a file, or if there is none, the file of that name without the last
// extension.
func readFile(path string, read func(*bufio.Reader) ([]uint64, error)) ([]uint64, error) {
	extension := filepath.Ext(path)
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		extension = ""
		if unpacked, err2 := os.Open(strings.TrimSuffix(path, filepath.Ext(path))); err2 == nil {
			file, err = unpacked, nil
		}
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var r io.Reader = bufio.NewReader(file)
	switch extension {
	case ".gz":
		r, err = gzip.NewReader(r)
	case ".xz":
		r, err = xz.NewReader(r)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	keys, err := read(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: no keys", path)
	}
	return keys, nil
}

// read32 reads keys of four bytes, the highest first.
func read32(r *bufio.Reader) ([]uint64, error) {
	return readBinary(r, 4, func(b []byte) uint64 { return uint64(binary.BigEndian.Uint32(b)) })
}

// read64 reads keys of eight bytes, the highest first.
func read64(r *bufio.Reader) ([]uint64, error) { return readBinary(r, 8, binary.BigEndian.Uint64) }

func readBinary(r *bufio.Reader, width int, key func([]byte) uint64) ([]uint64, error) {
	var keys []uint64
	word := make([]byte, width)
	for {
		if _, err := io.ReadFull(r, word); err == io.EOF {
			return keys, nil
		} else if err != nil {
			return nil, err
		}
		keys = append(keys, key(word))
	}
}

// readFirst reads one key a line. Traces of the LIRS paper may have lines of a star.
func readFirst(r *bufio.Reader) ([]uint64, error) { return readLines(r, 0) }

// readSecond reads lines of a time, a key and a size.
func readSecond(r *bufio.Reader) ([]uint64, error) { return readLines(r, 1) }

func readLines(r *bufio.Reader, field int) ([]uint64, error) {
	var keys []uint64
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "*" {
			continue
		}
		if len(fields) <= field {
			return nil, fmt.Errorf("line %d has no field %d", n, field+1)
		}
		key, err := strconv.ParseUint(fields[field], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		keys = append(keys, key)
	}
	return keys, lines.Err()
}
