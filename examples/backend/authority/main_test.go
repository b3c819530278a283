package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	httpbackend "github.com/seed-dad15c92/txcache/examples/backend"
)

func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error)
	go func() { done <- serve(ctx, "localhost:0", in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	b, err := httpbackend.New(strings.TrimSpace(strings.TrimPrefix(line, "serving ")), &http.Client{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := b.Sync(t.Context(), "shop"); err != nil || s.Epoch == "" {
		t.Errorf("the state is %v, %v", s, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := serve(t.Context(), "nowhere:-1", io.Discard); err == nil {
		t.Error("there is no error for an address that cannot be served")
	}
}
