package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/examples/shop/load"
)

// loadCommand loads servers that run, or servers of its own in this process.
func loadCommand(ctx context.Context, args []string, out, errs io.Writer) (err error) {
	flags := flag.NewFlagSet("shop load", flag.ContinueOnError)
	flags.SetOutput(errs)
	var o options
	serviceFlags(flags, &o)
	l := load.Options{}
	urls := flags.String("urls", "", "load the servers at these `addresses`, separated by commas, and their shops shop-a, shop-b …, in place of servers of its own")
	n := flags.Int("servers", 1, "`how many` servers of its own; more than one need a cache that they share")
	count := flags.Int("tenants", 3, "`how many` shops, 26 at most")
	flags.DurationVar(&l.For, "for", 10*time.Second, "for `how long`")
	flags.IntVar(&l.Clients, "clients", 16, "`how many` requests at the same time")
	flags.Float64Var(&l.Writes, "writes", 0.02, "the `share` of requests that are changes")
	flags.BoolVar(&l.Restarts, "restarts", false, "somebody kills servers and starts them again meanwhile: requests that get no answer are not failures")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *count < 1 || *count > 26 || *n < 1 {
		fmt.Fprintf(errs, "shop load: -tenants %d -servers %d; there must be one at least, and 26 tenants at most\n", *count, *n)
		return errUsage
	}
	kind := "load" // shops of its own: those that are served elsewhere are left alone
	if *urls != "" {
		kind = "shop"
		l.URLs = strings.Split(*urls, ",")
	}
	for i := range *count {
		name := fmt.Sprintf("%s-%c", kind, 'a'+i)
		o.tenants = append(o.tenants, name)
		l.Hosts = append(l.Hosts, name+".localhost")
	}
	var stores []*txcache.Store
	if *urls == "" {
		own, failed := startServers(ctx, o, *n)
		defer func() { err = errors.Join(err, own.stop()) }()
		if failed != nil {
			return failed
		}
		l.URLs, stores = own.urls, own.stores
	}
	fmt.Fprintf(out, "servers: %d, shops: %d, clients: %d, for %v\n\n", len(l.URLs), len(l.Hosts), l.Clients, l.For)
	report, err := load.Run(ctx, l)
	if err != nil {
		return err
	}
	printCaches(out, stores)
	report.Print(out)
	if report.Violated > 0 || report.Failed > 0 {
		return errors.New("shop load: not all was well")
	}
	return nil
}

// printCaches writes what the caches of the stores have done together.
func printCaches(w io.Writer, stores []*txcache.Store) {
	sums := map[string]txcache.Stats{}
	for _, store := range stores {
		for s := range store.Stats() {
			sum := sums[s.Name]
			sum.Hits, sum.RemoteHits, sum.Misses = sum.Hits+s.Hits, sum.RemoteHits+s.RemoteHits, sum.Misses+s.Misses
			sums[s.Name] = sum
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		s := sums[name]
		fmt.Fprintf(w, "%-14s %7d hits, %d of them from Redis, %d misses\n", name, s.Hits, s.RemoteHits, s.Misses)
	}
	fmt.Fprintln(w)
}

// servers are those that a run of the load starts itself.
type servers struct {
	urls   []string
	stores []*txcache.Store
	data   string // the folder of their SQLite files
	cancel context.CancelFunc
	ended  chan error
}

// startServers starts n servers over the same new shops, each with a store of
// its own. They are to be stopped in any case, and run on when ctx is done.
func startServers(ctx context.Context, o options, n int) (own *servers, err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	own = &servers{cancel: cancel, ended: make(chan error, n)}
	if own.data, err = os.MkdirTemp("", "txcache-shop-load"); err != nil {
		return own, err
	}
	o.data = own.data
	for range n {
		s, err := openShop(ctx, o)
		if err != nil {
			return own, err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return own, errors.Join(err, s.close())
		}
		go func() { own.ended <- errors.Join(serve(ctx, l, s.handler), s.close()) }()
		own.urls = append(own.urls, "http://"+l.Addr().String())
		own.stores = append(own.stores, s.store)
	}
	return own, nil
}

func (own *servers) stop() error {
	own.cancel()
	var errs []error
	for range own.urls {
		errs = append(errs, <-own.ended)
	}
	return errors.Join(append(errs, os.RemoveAll(own.data))...)
}
