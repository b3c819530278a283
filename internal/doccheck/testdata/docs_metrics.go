package page

import (
	"context"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
)

var (
	ctx   context.Context
	cfg   *config.Config
	store *txcache.Store

	exporter metric.Exporter
)
