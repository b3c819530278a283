package querytest

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
)

func readRules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	data, err := os.ReadFile("../alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(data, false, model.UTF8Validation, promQL, slog.New(slog.NewTextHandler(t.Output(), nil)))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil || len(groups.Groups) != 1 {
		t.Fatalf("not one group: %+v", groups)
	}
	return groups.Groups[0].Rules
}

func TestAlertsAskForWhatThereIs(t *testing.T) {
	m, end := scraped(t)
	for _, rule := range readRules(t) {
		checkNames(t, m, rule.Expr)
		if len(m.query(t, rule.Expr, end)) > 0 {
			t.Errorf("%s fires although nothing is wrong", rule.Alert)
		}
		if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%s lacks a severity, a summary or a description", rule.Alert)
		}
	}
}

// Each alert fires in the first of its cases, and not in the second.
func TestAlertsFire(t *testing.T) {
	for name, cases := range map[string][2]string{
		"TxcacheCommitsRefused":        {"txcache_refused_commits_total 0+0x1497 1 1", "txcache_refused_commits_total 7+0x1500"},
		"TxcacheBackendDown":           {"txcache_backend_breaker_open 1+0x1500", "txcache_backend_breaker_open 0+0x1500"},
		"TxcacheClearsWaiting":         {"txcache_waiting_clears 1+0x1500", "txcache_waiting_clears 0+0x1500"},
		"TxcacheStatelessTransactions": {"txcache_stateless_transactions_total 0+1x1500", "txcache_stateless_transactions_total 9+0x1500"},
		"TxcacheCommitsInDoubt":        {"txcache_in_doubt_commits_total 0+0x1490 1+0x8", "txcache_in_doubt_commits_total 1+0x1500"},
		"TxcacheStaleValues":           {`txcache_mismatches_total{cache="users"} 0+0x1450 1+0x50`, `txcache_mismatches_total{cache="users"} 1+0x1500`},
		"TxcacheBadPayloads":           {`txcache_bad_payloads_total{cache="users"} 0+0x1490 3+0x8`, `txcache_bad_payloads_total{cache="users"} 3+0x1500`},
		"TxcacheRemoteErrors":          {`txcache_remote_errors_total{cache="users"} 0+2x1500`, `txcache_remote_errors_total{cache="users"} 9+0x1500`},
		"TxcacheNotListening":          {"txcache_backend_listening 1+0x1450 0+0x50", "txcache_backend_listening 0+0x1500"},
		"TxcacheWaitedOut":             {"txcache_backend_waited_out_total 0+0x1490 1+0x8", "txcache_backend_waited_out_total 1+0x1500"},
		"TxcacheLateAcknowledgements":  {waits("0+10x1500", "0+4x1500", "0+1x1500"), waits("0+10x1500", "0+4x1500", "0+2x1500")},
		"TxcacheSyncSlow": {
			"txcache_backend_sync_duration_seconds_sum 0+5x1500\ntxcache_backend_sync_duration_seconds_count 0+100x1500",
			"txcache_backend_sync_duration_seconds_sum 0+1x1500\ntxcache_backend_sync_duration_seconds_count 0+1000x1500"},
		"TxcacheSyncStalls": {
			syncs("0+98x1500", "0+100x1500"),
			syncs("0+100x1500", "0+100x1500")},
		"TxcacheLoadErrors": {
			`txcache_load_errors_total{cache="users"} 0+1x1500` + "\n" + `txcache_load_duration_seconds_count{cache="users"} 0+10x1500`,
			`txcache_load_errors_total{cache="users"} 0+1x1500` + "\n" + `txcache_load_duration_seconds_count{cache="users"} 0+100x1500`},
		"TxcacheHitRatioFell": {
			`txcache_hits_total{job="shop",cache="users",tier="process"} 0+9000x1400 12600000+2000x100` + "\n" +
				`txcache_hits_total{job="shop",cache="users",tier="remote"} 0+0x1500` + "\n" +
				`txcache_misses_total{job="shop",cache="users"} 0+1000x1400 1400000+8000x100`,
			`txcache_hits_total{job="shop",cache="users",tier="process"} 0+9000x1500` + "\n" +
				`txcache_misses_total{job="shop",cache="users"} 0+1000x1500`},
		"TxcacheUnencodableValues": {`txcache_unencodable_values_total{cache="users"} 0+0x1450 1+0x50`, `txcache_unencodable_values_total{cache="users"} 1+0x1500`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, rule := range readRules(t) {
				if rule.Alert != name {
					continue
				}
				for i, want := range []string{"fires", "is silent"} {
					got := "is silent"
					if m := series(t, cases[i]); len(m.query(t, rule.Expr, epoch.Add(1499*interval))) > 0 {
						got = "fires"
					}
					if got != want {
						t.Errorf("it %s for %s; want that it %s", got, cases[i], want)
					}
				}
				return
			}
			t.Error("there is no such alert")
		})
	}
	if n := len(readRules(t)); n != 16 {
		t.Errorf("%d alerts, 16 of which have cases here", n)
	}
}

// waits are those for members, those that were late, and those that were waited out.
func waits(all, late, out string) string {
	return "txcache_backend_waits_duration_seconds_count " + all + "\ntxcache_backend_late_waits_total " + late + "\ntxcache_backend_waited_out_total " + out
}

// syncs are requests for a state: those that took at most a millisecond, and those that
// took at most half a second, with the former.
func syncs(short, all string) string {
	bucket := func(le, n string) string {
		return fmt.Sprintf(`txcache_backend_sync_duration_seconds_bucket{job="shop",instance="a",le=%q} %s`, le, n)
	}
	return strings.Join([]string{bucket("0.001", short), bucket("0.25", short), bucket("0.5", all), bucket("+Inf", all)}, "\n")
}

// series returns what promtool would take the lines for.
func series(t *testing.T, lines string) memory {
	t.Helper()
	m := memory{}
	for line := range strings.SplitSeq(lines, "\n") {
		l, values, err := promQL.ParseSeriesDesc(line)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			m.add(l, epoch.Add(time.Duration(i)*interval), v.Value)
		}
	}
	return m
}
