package debugpage_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/debugpage"
)

func ExampleHandler() {
	store, err := txcache.OpenConfig(context.Background(), config.Default())
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	txcache.Must(txcache.NewCache[int64, string](store, "users", nil))

	mux := http.NewServeMux()
	mux.Handle("/debug/txcache/", debugpage.Handler(store, &debugpage.Options{Title: "shop on web-1"}))
	server := httptest.NewServer(mux) // stands for one that only those who operate the service can reach
	defer server.Close()

	answer, err := http.Get(server.URL + "/debug/txcache/")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status, strings.Contains(string(page), "shop on web-1"), strings.Contains(string(page), "users"))
	// Output: 200 OK true true
}
