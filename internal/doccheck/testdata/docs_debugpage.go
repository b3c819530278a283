package page

import (
	"net/http"

	"github.com/seed-dad15c92/txcache"
)

var (
	mux   *http.ServeMux
	store *txcache.Store
)
