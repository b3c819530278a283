// Tutorial is the program of docs/tutorial.md: prices in a database, and a cache
// of them. It prints each statement that it sends the database.
//
//	go run . pen pen=3 pen      # reads the price of the pen, changes it, reads it
//	go run . -name A            # takes the same from the terminal, a command a line
//
// TUTORIAL_DATABASE is the database: PostgreSQL, or else SQLite.
package main

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// A shop has a database, and a cache of what it reads there.
type shop struct {
	db     *sql.DB
	store  *txcache.Store
	prices *txcache.Cache[string, int]
}

// snapshot is what a transaction asks for that reads all of one moment. It is what SQLite
// always does, and PostgreSQL if it is told.
var snapshot = &sql.TxOptions{Isolation: sql.LevelRepeatableRead}

// price reads a price in a transaction of its own.
func (s *shop) price(ctx context.Context, product string) (price int, err error) {
	err = sqltx.View(ctx, s.store, "shop", s.db, snapshot, func(tx *sqltx.Tx) error {
		price, err = s.prices.Load(ctx, tx.Cache, product, func(ctx context.Context) (price int, err error) {
			err = tx.QueryRowContext(ctx, "SELECT price FROM product WHERE name = $1", product).Scan(&price)
			return price, err
		})
		return err
	})
	return price, err
}

// setPrice changes a price, and calls before with the transaction still open.
func (s *shop) setPrice(ctx context.Context, product string, price int, before func()) error {
	return sqltx.Update(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE product SET price = $1 WHERE name = $2", price, product)
		if err != nil {
			return err
		}
		if err := s.prices.Delete(tx.Cache, product); err != nil { // the row has changed
			return err
		}
		before()
		if price < 1 {
			return fmt.Errorf("the %s is not given away", product)
		}
		return nil
	})
}

// do does what a command says: "pen" shows the price of the pen, "pen=3" changes it.
func (s *shop) do(ctx context.Context, command string) {
	product, change, isChange := strings.Cut(command, "=")
	if !isChange {
		s.show(ctx, "the "+product+" costs", product)
	} else if price, err := strconv.Atoi(change); err != nil {
		fmt.Println("error:", err)
	} else if err := s.setPrice(ctx, product, price, func() { s.show(ctx, "others read", product) }); err != nil {
		fmt.Println("error:", err)
	}
}

func (s *shop) show(ctx context.Context, text, product string) {
	if price, err := s.price(ctx, product); err != nil {
		fmt.Println("error:", err)
	} else {
		fmt.Println(text, price)
	}
}

func main() {
	configuration := flag.String("config", "sqlite.toml", "says where values and generations live, a TOML `file`")
	name := flag.String("name", "", "`what` stands before each command")
	flag.Parse()
	ctx := context.Background()

	db, isNew, err := open(ctx, cmp.Or(os.Getenv("TUTORIAL_DATABASE"), sqlite))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store := txcache.Must(txcache.Open(ctx, *configuration))
	defer store.Close()
	prices := txcache.Must(txcache.NewCache[string, int](store, "prices", nil))
	if isNew { // the cache may have values of an earlier database of that name
		if err := store.ClearAll(ctx, "shop"); err != nil {
			log.Fatal(err)
		}
	}

	s := &shop{db, store, prices}
	for _, command := range flag.Args() {
		fmt.Println(*name+">", command)
		s.do(ctx, command)
	}
	if flag.NArg() > 0 {
		return
	}
	commands := bufio.NewScanner(os.Stdin)
	for fmt.Print(*name, "> "); commands.Scan(); fmt.Print(*name, "> ") {
		s.do(ctx, commands.Text())
	}
}
