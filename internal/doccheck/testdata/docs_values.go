package page

import "github.com/seed-dad15c92/txcache"

var store *txcache.Store
