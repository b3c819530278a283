//go:build unix

package main

import (
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// mapNewest maps a file of so many numbers, which all processes that map it share.
func mapNewest(file string, rows int) (newest, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping does not need it
	const size = int(unsafe.Sizeof(atomic.Int64{}))
	if err := f.Truncate(int64(rows * size)); err != nil {
		return nil, err
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, rows*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*atomic.Int64)(unsafe.Pointer(unsafe.SliceData(data))), rows), nil
}
