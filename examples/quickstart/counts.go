package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/seed-dad15c92/txcache"
)

const requests = 1000

func (s *story) oneLoader(ctx context.Context) error {
	s.chapter("One query for a thousand requests",
		"A thousand requests miss the same price at once. The query takes a while;\n"+
			"one of them makes it, the others wait for what it finds.")
	var queries atomic.Int32
	prices, errs := make([]int, requests), make([]error, requests)
	started := time.Now()
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			errs[i] = s.a.store.View(ctx, s.database, func(tx *txcache.Tx) (err error) {
				rows := s.table.begin()
				prices[i], err = s.a.price.Load(ctx, tx, "atlas", func(context.Context) (int, error) {
					queries.Add(1)
					time.Sleep(50 * time.Millisecond)
					return rows.query("atlas"), nil
				})
				return err
			})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	right := 0
	for _, price := range prices {
		if price == 80 {
			right++
		}
	}
	s.step("A answered %d requests in %d ms", requests, time.Since(started).Milliseconds())
	s.see("requests that got atlas = 80", fmt.Sprint(right), fmt.Sprint(requests))
	s.see("queries made", fmt.Sprint(queries.Load()), "1")
	return s.reads(ctx, s.b, "atlas", "80 from the cache")
}

func (s *story) statistics(context.Context) error {
	text := "What the caches of both servers have counted."
	stores := []*server{s.a, s.b}
	if s.a.store == s.b.store {
		text = "What the caches have counted; the servers share them, as all is in memory."
		stores = stores[:1]
	}
	s.chapter("Statistics", text)
	var loads uint64
	w := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tserver\tcache\thits\tmisses\tloads\tshared\tclears\tvalues\t")
	for _, server := range stores {
		name := server.name
		if len(stores) == 1 {
			name = "A, B"
		}
		for c := range server.store.Stats() {
			fmt.Fprintf(w, "\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, c.Name, c.Hits, c.Misses, c.Loads, c.Shared, c.Clears, c.Values)
			if c.Name == s.a.price.Name() {
				loads += c.Loads
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	s.say("")
	s.see("loads of prices", fmt.Sprint(loads), fmt.Sprint(s.table.queries.Load()))
	s.step("which is the number of queries that the database has counted.")
	return nil
}
