package debugpage

import (
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// documentVersion changes when a field of data.json goes or means something
// else, not when one is added.
const documentVersion = 1

// A document is data.json, and what the page is made of. docs/debugpage.md
// describes it.
type document struct {
	Version   int       `json:"version"`
	Title     string    `json:"title"`
	At        time.Time `json:"at"`
	Actions   bool      `json:"actions"`
	Status    status    `json:"status"`
	Total     cache     `json:"total"`
	Caches    caches    `json:"caches"`
	Databases databases `json:"databases"`
	Database  *detail   `json:"database,omitempty"`
	Samples   *times    `json:"samples,omitempty"`
}

type caches struct {
	Count    int     `json:"count"`
	Matching int     `json:"matching"`
	Items    []cache `json:"items"`
}

// A cache has the figures of one cache, or of all together.
type cache struct {
	Name            string   `json:"name"`
	HitRatio        *float64 `json:"hit_ratio"`
	RecentRatio     *float64 `json:"recent_hit_ratio"`
	RecentPerSecond *float64 `json:"recent_lookups_per_second"`
	counts
	LoadSeconds     float64  `json:"load_seconds"`
	MeanLoadSeconds *float64 `json:"mean_load_seconds"`
	P99LoadSeconds  *float64 `json:"p99_load_seconds"`
	History         *history `json:"history,omitempty"`
}

// counts are the fields of txcache.Stats, in the same order.
type counts struct {
	Name           string        `json:"-"` // cache has it
	Hits           uint64        `json:"hits"`
	Misses         uint64        `json:"misses"`
	AbsentHits     uint64        `json:"absent_hits"`
	Bypassed       uint64        `json:"bypassed"`
	RemoteHits     uint64        `json:"remote_hits"`
	Loads          uint64        `json:"loads"`
	LoadErrors     uint64        `json:"load_errors"`
	LoadTime       time.Duration `json:"-"` // cache has it in seconds
	Shared         uint64        `json:"shared"`
	Leased         uint64        `json:"leased"`
	Waited         uint64        `json:"waited"`
	EarlyRefreshes uint64        `json:"early_refreshes"`
	ExpiredHits    uint64        `json:"expired_hits"`
	Verified       uint64        `json:"verified"`
	Mismatches     uint64        `json:"mismatches"`
	Clears         uint64        `json:"clears"`
	Deletes        uint64        `json:"deletes"`
	Deleted        uint64        `json:"deleted"`
	Floored        uint64        `json:"floored"`
	Floors         uint64        `json:"floors"`
	Published      uint64        `json:"published"`
	Evictions      uint64        `json:"evictions"`
	Overflows      uint64        `json:"overflows"`
	Values         int           `json:"values"`
	Bytes          int64         `json:"bytes"`
	RemoteErrors   uint64        `json:"remote_errors"`
	BadPayloads    uint64        `json:"bad_payloads"`
	Unencodable    uint64        `json:"unencodable"`
	Oversized      uint64        `json:"oversized"`

	LoadDurations backend.Durations `json:"-"` // cache has what 99 of 100 loads took
}

// times are when samples were taken: From before the first interval, At at the
// end of each.
type times struct {
	From time.Time   `json:"from"`
	At   []time.Time `json:"at"`
}

// A history has the look-ups of a cache in each interval.
type history struct {
	Hits   []uint64 `json:"hits"`
	Misses []uint64 `json:"misses"`
}

type databases struct {
	Count    int        `json:"count"`
	Matching int        `json:"matching"`
	Fenced   int        `json:"fenced"`
	Items    []database `json:"items"`
}

// A detail is what is held of one database.
type detail struct {
	Name   string          `json:"name"`
	Used   bool            `json:"used"`
	Count  int             `json:"count"`
	Caches []databaseCache `json:"caches"`
}

type databaseCache struct {
	Name       string        `json:"name"`
	Generation backend.Token `json:"generation"`
	Fenced     bool          `json:"fenced"`
	Values     int           `json:"values"`
}

// document returns what r asks for. It reports false if there is another answer:
// the question is wrong, or the client has gone.
func (h *handler) document(w http.ResponseWriter, r *http.Request) (*document, *question, bool) {
	q, err := parseQuestion(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, nil, false
	}
	s := h.sampler.take()
	a, err := h.scanner.scan(r.Context(), wanted{search: q.Databases, detail: q.Database, top: q.Top})
	if err != nil {
		http.Error(w, "txcache: the databases were not counted: "+err.Error(), http.StatusServiceUnavailable)
		return nil, nil, false
	}
	thin := s.thin()
	d := &document{
		Version:   documentVersion,
		Title:     h.options.Title,
		At:        s.newest().at.UTC(),
		Actions:   h.options.Actions,
		Status:    newStatus(h.store.Status()),
		Total:     newCache(sum(s.stats), s, -1),
		Caches:    caches{Count: len(s.stats), Items: []cache{}},
		Databases: databases{a.used, a.matching, a.fenced, append([]database{}, a.top...)},
		Samples:   newTimes(thin),
	}
	d.Total.History = newHistory(thin, -1)
	index := make(map[string]int, len(s.stats))
	for i, c := range s.stats {
		if strings.Contains(strings.ToLower(c.Name), strings.ToLower(q.Caches)) {
			index[c.Name] = i
			d.Caches.Items = append(d.Caches.Items, newCache(c, s, i))
		}
	}
	d.Caches.Matching = len(d.Caches.Items)
	sortCaches(d.Caches.Items, q)
	d.Caches.Items = d.Caches.Items[:min(q.Top, d.Caches.Matching)]
	for i := range d.Caches.Items {
		c := &d.Caches.Items[i]
		c.History = newHistory(thin, index[c.Name])
	}
	if q.Database != "" {
		d.Database = newDetail(q, a.detail)
	}
	return d, q, true
}

func newDetail(q *question, s *txcache.DatabaseStatus) *detail {
	d := &detail{Name: q.Database, Used: s != nil, Caches: []databaseCache{}}
	if s == nil {
		return d
	}
	d.Count = len(s.Caches)
	for _, c := range s.Caches[:min(q.Top, len(s.Caches))] {
		d.Caches = append(d.Caches, databaseCache{c.Name, c.Generation, c.Fenced, c.Values})
	}
	return d
}

func newCache(s txcache.Stats, all samples, i int) cache {
	c := cache{Name: s.Name, HitRatio: lookups{s.Hits, s.Misses}.ratio(), counts: counts(s), LoadSeconds: s.LoadTime.Seconds()}
	recent, took := all.recent(i)
	c.RecentRatio = recent.ratio()
	if took > 0 {
		perSecond := float64(recent.sum()) / took.Seconds()
		c.RecentPerSecond = &perSecond
	}
	if s.Loads > 0 {
		mean := s.LoadTime.Seconds() / float64(s.Loads)
		c.MeanLoadSeconds = &mean
	}
	c.P99LoadSeconds = p99(s.LoadDurations)
	return c
}

// sum returns the counts of all caches together.
func sum(stats []txcache.Stats) (all txcache.Stats) {
	for _, s := range stats {
		for i, n := range s.LoadDurations {
			all.LoadDurations[i] += n
		}
		for field, v := range reflect.ValueOf(s).Fields() {
			switch to := reflect.ValueOf(&all).Elem().FieldByIndex(field.Index); {
			case v.CanUint():
				to.SetUint(to.Uint() + v.Uint())
			case v.CanInt():
				to.SetInt(to.Int() + v.Int())
			}
		}
	}
	return all
}

func newTimes(thin []sample) *times {
	t := &times{From: thin[0].at.UTC(), At: []time.Time{}}
	for _, s := range thin[1:] {
		t.At = append(t.At, s.at.UTC())
	}
	return t
}

func newHistory(thin []sample, i int) *history {
	h := &history{Hits: []uint64{}, Misses: []uint64{}}
	for n, s := range thin[1:] {
		l := s.of(i).minus(thin[n].of(i))
		h.Hits, h.Misses = append(h.Hits, l.hits), append(h.Misses, l.misses)
	}
	return h
}

// Collecting reports whether there is nothing yet to tell of what happens now: it
// takes two looks to know what was counted between them.
func (d *document) Collecting() bool { return len(d.Samples.At) == 0 }

func (d *document) dropHistory() {
	d.Samples, d.Total.History = nil, nil
	for i := range d.Caches.Items {
		d.Caches.Items[i].History = nil
	}
}
