package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
)

//go:embed templates
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"money": func(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) },
	"nav":   func(v visitor, sections []section) nav { return nav{v, sections} },
}).ParseFS(files, "templates/*.html"))

// A nav is part of a tree with links for a visitor.
type nav struct {
	Visitor  visitor
	Sections []section
}

// A frontPage is the list of products with what is around it.
type frontPage struct {
	Banner   string
	Sections []section
	Items    []item
}

// front puts a page together from several transactions: each is consistent in
// itself, and one that begins later is never older.
func (s *server) front(ctx context.Context, r *request) (any, error) {
	settings, err := s.catalogue.allSettings(ctx, r.tenant, r.visitor)
	if err != nil {
		return nil, err
	}
	page := frontPage{Banner: settings["banner"]}
	if page.Sections, err = s.catalogue.sections(ctx, r.tenant, r.visitor); err != nil {
		return nil, err
	}
	if text := r.URL.Query().Get("q"); text != "" {
		page.Items, err = s.catalogue.matches(ctx, r.tenant, r.visitor, text)
		return page, err
	}
	id, err := categoryOf(r)
	if err != nil {
		return nil, err
	}
	page.Items, err = s.catalogue.within(ctx, r.tenant, r.visitor, id)
	return page, err
}

// writePage returns a writer that shows a template, or the error.
func writePage(name string) writer {
	return func(w http.ResponseWriter, r *request, v any, err error) {
		code, message := status(r, err)
		data := map[string]any{"Tenant": r.tenant, "Visitor": r.visitor, "Page": v}
		show := name
		if err != nil {
			show = "error.html"
			data["Error"] = strconv.Itoa(code) + ": " + message
		}
		var page bytes.Buffer
		if err := templates.ExecuteTemplate(&page, show, data); err != nil {
			slog.Error("page", "template", show, "error", err)
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(code)
		_, _ = page.WriteTo(w)
	}
}
