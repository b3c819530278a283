package command

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A document is a decoded value, which marshals as JSON whatever it is. What JSON
// does not have is a string: bytes after "base64:", times, durations, complex
// numbers, infinities, and the keys of maps as JSON texts.
type document struct{ value any }

// MarshalJSON implements json.Marshaler.
func (d document) MarshalJSON() ([]byte, error) {
	return appendJSON(nil, reflect.ValueOf(d.value)), nil
}

func appendJSON(to []byte, v reflect.Value) []byte {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		return append(to, "null"...)
	}
	switch x := v.Interface().(type) {
	case time.Time:
		return appendText(to, x.Format(time.RFC3339Nano))
	case time.Duration:
		return appendText(to, x.String())
	case []byte:
		if x == nil {
			return append(to, "null"...)
		}
		return appendText(to, "base64:"+base64.StdEncoding.EncodeToString(x))
	case extension:
		return appendText(to, "extension "+strconv.Itoa(int(x.kind))+" base64:"+base64.StdEncoding.EncodeToString(x.data))
	case dictionary:
		return appendDictionary(to, x)
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(to, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(to, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.AppendUint(to, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		text := strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return appendText(to, text)
		}
		return append(to, text...)
	case reflect.Complex64, reflect.Complex128:
		return appendText(to, strconv.FormatComplex(v.Complex(), 'g', -1, v.Type().Bits()))
	case reflect.String:
		return appendText(to, v.String())
	case reflect.Slice:
		if v.IsNil() {
			return append(to, "null"...)
		}
		to = append(to, '[')
		for i := range v.Len() {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendJSON(to, v.Index(i))
		}
		return append(to, ']')
	case reflect.Map:
		if v.IsNil() {
			return append(to, "null"...)
		}
		var d dictionary
		for i := v.MapRange(); i.Next(); {
			d = append(d, entry{i.Key().Interface(), i.Value().Interface()})
		}
		slices.SortFunc(d, func(a, b entry) int { return strings.Compare(keyText(a.key), keyText(b.key)) })
		return appendDictionary(to, d)
	}
	return append(to, "{}"...) // a struct without fields
}

func appendDictionary(to []byte, d dictionary) []byte {
	to = append(to, '{')
	for i, e := range d {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(appendText(to, keyText(e.key)), ':')
		to = appendJSON(to, reflect.ValueOf(e.value))
	}
	return append(to, '}')
}

// keyText returns the key of a map: a string as it is, else what it is as JSON.
func keyText(key any) string {
	if text, ok := key.(string); ok {
		return text
	}
	return strings.Trim(string(appendJSON(nil, reflect.ValueOf(key))), `"`)
}

// appendText appends a JSON string. One that is not UTF-8 is bytes.
func appendText(to []byte, text string) []byte {
	if !utf8.ValidString(text) {
		text = "base64:" + base64.StdEncoding.EncodeToString([]byte(text))
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return append(to, "null"...) // a string always marshals
	}
	for _, r := range string(quoted) {
		if r >= 0x7f && r < 0xa0 { // a terminal would obey
			to = fmt.Appendf(to, `\u%04x`, r)
		} else {
			to = utf8.AppendRune(to, r)
		}
	}
	return to
}
