package load

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Counts are those of one cache.
type Counts struct {
	Name                             string
	Hits, RemoteHits, Misses, Clears uint64
}

// HitRatio returns the share of look-ups that found something, 0 without any.
func (c Counts) HitRatio() float64 { return float64(c.Hits) / float64(max(1, c.Hits+c.Misses)) }

func (c Counts) plus(o Counts) Counts {
	return Counts{c.Name, c.Hits + o.Hits, c.RemoteHits + o.RemoteHits, c.Misses + o.Misses, c.Clears + o.Clears}
}

// since returns what was counted since before, or since the server began again.
func (c Counts) since(before Counts) Counts {
	if c.Hits < before.Hits || c.Misses < before.Misses || c.Clears < before.Clears {
		return c
	}
	return Counts{c.Name, c.Hits - before.Hits, c.RemoteHits - before.RemoteHits, c.Misses - before.Misses, c.Clears - before.Clears}
}

func byName(a, b Counts) int { return cmp.Compare(a.Name, b.Name) }

// counts returns what the servers' /metrics say, by server and cache.
func (r *run) counts(ctx context.Context) (map[string]map[string]Counts, error) {
	all := map[string]map[string]Counts{}
	for _, url := range r.URLs {
		all[url] = map[string]Counts{}
		if err := r.addCounts(ctx, url, all[url]); err != nil {
			return nil, fmt.Errorf("load: metrics of %s: %w", url, err)
		}
	}
	return all, nil
}

func (r *run) addCounts(ctx context.Context, url string, sums map[string]Counts) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return err
	}
	for _, family := range []string{"txcache_hits_total", "txcache_misses_total", "txcache_clears_total"} {
		for _, metric := range families[family].GetMetric() {
			labels := map[string]string{}
			for _, pair := range metric.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			n := uint64(metric.GetCounter().GetValue())
			counts := sums[labels["cache"]]
			counts.Name = labels["cache"]
			switch {
			case family == "txcache_misses_total":
				counts.Misses += n
			case family == "txcache_clears_total":
				counts.Clears += n
			case labels["tier"] == "remote":
				counts.RemoteHits += n
				fallthrough // they are hits, too
			default:
				counts.Hits += n
			}
			sums[counts.Name] = counts
		}
	}
	return nil
}
