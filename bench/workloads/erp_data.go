package workloads

import (
	"context"
	"strconv"
	"strings"
)

// The keys and values of an ERP server.

type accessKey struct{ Model, Mode string }

type viewKey struct {
	ID   int64
	Kind string
}

type translationKey struct{ Language, Source string }

type view struct {
	Arch   string
	Fields []string
}

// size is 0 for nil, as for a view that is not there.
func (v *view) size() int {
	if v == nil {
		return 0
	}
	return len(v.Arch)
}

var (
	users = func() (all []user) {
		for i := range int64(16) {
			all = append(all, user{100 + i, languages[i%4], 1 + i%3})
		}
		return all
	}()
	languages = []string{"en", "fr", "de", "es"}
	modes     = []string{"read", "write"}
	models    = numbered("sale.order.line.", 16)
	options   = numbered("company.option.", 16)
	sources   = numbered("Total amount without taxes ", 64)
	members   = []int64{1, 4, 9, 16, 25, 36, 49}
	columns   = numbered("column_", 20)
	arch      = "<form>" + strings.Repeat(`<field name="amount"/>`, 30) + "</form>"
)

// The numbers of views, currencies and partners that are cached, and the first
// partner that is not.
const (
	views, currencies, partners = 8, 4, 16
	newPartner                  = 1000
)

func numbered(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = prefix + strconv.Itoa(i)
	}
	return all
}

// fill sets everything that requests hit, as each user.
func (s *erp) fill(ctx context.Context) error {
	for _, u := range users {
		r, err := s.begin(ctx, u)
		if err != nil {
			return err
		}
		for _, model := range models {
			for _, mode := range modes {
				s.access.set(r, accessKey{model, mode}, true)
			}
			s.rules.set(r, model, columns[:2])
			s.fields.set(r, model, columns)
			s.actions.set(r, model, members)
			s.defaults.set(r, model, "draft")
		}
		for i := range int64(views) {
			s.views.set(r, viewKey{i, "form"}, &view{arch, columns})
		}
		s.menus.set(r, u.id, members)
		s.groups.set(r, u.id, members)
		for _, source := range sources {
			s.translations.set(r, translationKey{u.language, source}, source)
		}
		for _, option := range options {
			s.settings.set(r, option, "yes")
		}
		for i := range int64(partners) {
			s.partners.set(r, i, "a partner")
		}
		for i := range int64(currencies) {
			s.currencies.set(r, i, "EUR")
		}
		if err := s.end(r); err != nil {
			return err
		}
	}
	return nil
}

// read does the 38 reads of request number n that hit, if all is well, and
// returns something of what they found and how many did not.
func (s *erp) read(r *request, n int) (sum uint64, missed int) {
	note := func(x int, ok bool) {
		sum += uint64(x)
		if !ok {
			missed++
		}
	}
	for i := range 8 {
		may, ok := s.access.get(r, accessKey{models[(n+i)%len(models)], modes[i%2]})
		note(i, ok && may)
	}
	for i := range 4 {
		model := models[(n+i)%len(models)]
		domain, ok := s.rules.get(r, model)
		note(len(domain), ok)
		names, ok := s.fields.get(r, model)
		note(len(names), ok)
		value, ok := s.settings.get(r, options[(n+i)%len(options)])
		note(len(value), ok)
	}
	for i := range int64(2) {
		v, ok := s.views.get(r, viewKey{(int64(n) + i) % views, "form"})
		note(v.size(), ok)
		symbol, ok := s.currencies.get(r, (int64(n)+i)%currencies)
		note(len(symbol), ok)
	}
	for i := range 10 {
		text, ok := s.translations.get(r, translationKey{r.user.language, sources[(n+i)%len(sources)]})
		note(len(text), ok)
	}
	actions, ok := s.actions.get(r, models[n%len(models)])
	note(len(actions), ok)
	state, ok := s.defaults.get(r, models[n%len(models)])
	note(len(state), ok)
	menus, ok := s.menus.get(r, r.user.id)
	note(len(menus), ok)
	groups, ok := s.groups.get(r, r.user.id)
	note(len(groups), ok)
	return sum, missed
}

// readPartners does two more reads that hit, and adds to sum and missed.
func (s *erp) readPartners(r *request, n int, sum uint64, missed int) (uint64, int) {
	for i := range 2 {
		name, ok := s.partners.get(r, int64((n+i)%partners))
		sum += uint64(len(name))
		if !ok {
			missed++
		}
	}
	return sum, missed
}
