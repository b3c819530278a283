// Authority serves the generations of all databases to the processes of a
// service. Each of them has in its configuration
//
//	[cache]
//	class = "github.com/seed-dad15c92/txcache/examples/backend"
//
//	[cache.authority]
//	url = "http://localhost:7070"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	httpbackend "github.com/seed-dad15c92/txcache/examples/backend"
)

func main() {
	listen := flag.String("listen", "localhost:7070", "the `address` to serve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *listen, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve serves until ctx is done.
func serve(ctx context.Context, address string, out io.Writer) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: httpbackend.NewAuthority(), ReadTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	stopped := context.AfterFunc(ctx, func() { server.Close() })
	defer stopped()
	fmt.Fprintf(out, "serving http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
