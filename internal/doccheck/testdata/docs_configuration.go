package page

import "github.com/seed-dad15c92/txcache/config"

var cfg *config.Config
