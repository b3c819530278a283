package main

import "sync/atomic"

// A newest has, for each row, the newest version of those whose commit has returned, in any
// process. It lies in memory that the processes share, so to ask it costs a read no call.
// It is mapped until the process ends.
type newest []atomic.Int64

// committed notes that the commit of a version has returned.
func (n newest) committed(row, version int64) {
	for {
		known := n[row].Load()
		if known >= version || n[row].CompareAndSwap(known, version) {
			return
		}
	}
}

// note appends what there is of rows to known.
func (n newest) note(known, rows []int64) []int64 {
	for _, row := range rows {
		known = append(known, n[row].Load())
	}
	return known
}
