package command

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/seed-dad15c92/txcache/config"
)

// hidden stands for what is not to be seen.
const hidden = "***"

// A setting is one key of the configuration in effect.
type setting struct {
	Key         string `json:"key"`
	Value       any    `json:"value"`
	Default     bool   `json:"default"`               // it is what it is without a word in the file
	Environment bool   `json:"environment,omitempty"` // the file takes it from the environment, so it is hidden
}

// settings returns every key of cfg, which text configures, in the order of the
// reference. Nothing secret is in them: no credential, and nothing that came
// from the environment.
func settings(cfg *config.Config, text string) ([]setting, error) {
	var tables [3]map[string]any
	for i, text := range []string{cfg.String(), config.Default().String(), text} {
		if _, err := toml.Decode(text, &tables[i]); err != nil {
			return nil, err
		}
	}
	inEffect, usual, written := tables[0], tables[1], tables[2]
	var list []setting
	var add func(t reflect.Type, at string, inEffect, usual, written map[string]any)
	add = func(t reflect.Type, at string, inEffect, usual, written map[string]any) {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ",")
			if name == "" {
				continue
			}
			if t.Field(i).Type.Kind() == reflect.Struct {
				if section(inEffect, name) == nil { // one that is not used
					continue
				}
				add(t.Field(i).Type, at+"."+name, section(inEffect, name), section(usual, name), section(written, name))
				continue
			}
			s := setting{Key: at + "." + name, Value: inEffect[name]}
			s.Default = reflect.DeepEqual(inEffect[name], usual[name])
			switch {
			case s.Value == nil && t.Field(i).Type.Kind() == reflect.Map:
				s.Value = map[string]any{}
			case s.Value == nil && t.Field(i).Type.Kind() == reflect.Slice:
				s.Value = []any{}
			case s.Value == nil:
				s.Value = reflect.Zero(t.Field(i).Type).Interface()
			}
			if s.Environment = fromEnvironment(written[name]); s.Environment || name == "username" && s.Value != "" {
				s.Value = hidden
			}
			list = append(list, s)
		}
	}
	add(reflect.TypeFor[config.Config](), "cache", section(inEffect, "cache"), section(usual, "cache"), section(written, "cache"))
	return list, nil
}

// section returns the table of that name, nil if there is none.
func section(of map[string]any, name string) map[string]any {
	t, _ := of[name].(map[string]any)
	return t
}

// reference matches ${NAME}, but not $${, which is a literal ${.
var reference = regexp.MustCompile(`(^|[^$])\$\{`)

// fromEnvironment reports whether what a file says refers to the environment.
func fromEnvironment(written any) bool {
	switch v := written.(type) {
	case string:
		return reference.MatchString(v)
	case []any:
		return slices.ContainsFunc(v, fromEnvironment)
	}
	return false
}

// text returns the value as a file would have it.
func (s setting) text() string {
	if v, ok := s.Value.(string); ok {
		return strconv.Quote(v)
	}
	text, err := json.Marshal(s.Value)
	if err != nil {
		return hidden
	}
	return string(text)
}

// note says where the value comes from.
func (s setting) note() string {
	switch {
	case s.Environment:
		return "from the environment"
	case s.Default:
		return "default"
	}
	return ""
}
