module github.com/seed-dad15c92/txcache/bench

go 1.26.0

require (
	github.com/dgraph-io/ristretto/v2 v2.4.2
	github.com/hashicorp/golang-lru/v2 v2.0.7
	github.com/maypok86/otter/v2 v2.4.0
	github.com/seed-dad15c92/txcache v0.0.0
)

replace github.com/seed-dad15c92/txcache => ../
