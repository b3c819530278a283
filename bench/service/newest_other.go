//go:build !unix

package main

import "errors"

func mapNewest(string, int) (newest, error) {
	return nil, errors.New("processes cannot share memory here")
}
