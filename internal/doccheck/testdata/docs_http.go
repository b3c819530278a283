package page

import (
	"database/sql"
	"net/http"

	"github.com/seed-dad15c92/txcache"
)

var (
	db     *sql.DB
	mux    *http.ServeMux
	prices *txcache.Cache[string, int]
)

type session struct{ Tenant, User, Language string }

func sessionOf(r *http.Request) (session, error) { return session{}, nil }
