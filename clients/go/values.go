package dirty

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// Values that are sent: nil, booleans, strings, integers and *big.Int, floats, []byte, slices, arrays, maps with string
// keys, structs (by their json tags), and json.RawMessage, which is sent as it is. What JSON lacks travels by way of
// hints (VAL-5): []byte, NaN and the infinities, and integers beyond ±(2^53 − 1).
//
// Values that are received: nil, bool, string, int64, *big.Int for integers beyond it, float64, json.Number for numbers
// beyond it, []byte, []any, map[string]any.

const safe = 1<<53 - 1

var replaces = strings.NewReplacer("~", "~0", "/", "~1")
var restores = strings.NewReplacer("~1", "/", "~0", "~")

// token is one reference token of a JSON Pointer (RFC 6901).
func token(name string) string { return replaces.Replace(name) }

// encoder writes values and collects the hints that they need.
type encoder struct {
	hints   map[string]string
	noHints bool
}

func (e *encoder) hinted(hint, text, at string) ([]byte, error) {
	if e.noHints {
		return nil, fmt.Errorf("failed to send %s: it is not JSON, and hints are switched off", at)
	}
	e.hints[at] = hint
	return json.Marshal(text)
}

func (e *encoder) encode(value any, at string, level int) ([]byte, error) {
	if level > DepthLimit {
		return nil, fmt.Errorf("failed to send %s: nested more than %d levels deep", at, DepthLimit)
	}
	switch value := value.(type) {
	case nil:
		return []byte("null"), nil
	case []byte:
		return e.hinted("base64", base64.StdEncoding.EncodeToString(value), at)
	case *big.Int:
		if value != nil && (!value.IsInt64() || value.Int64() > safe || value.Int64() < -safe) {
			return e.hinted("int", value.String(), at)
		}
	case json.Marshaler: // json.RawMessage, json.Number, time.Time and the caller's own
		return e.plain(value, at)
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n := v.Int(); n > safe || n < -safe {
			return e.hinted("int", strconv.FormatInt(n, 10), at)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n := v.Uint(); n > safe {
			return e.hinted("int", strconv.FormatUint(n, 10), at)
		}
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) {
			return e.hinted("float", "NaN", at)
		} else if math.IsInf(f, 0) {
			return e.hinted("float", strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+")+"inity", at)
		}
	case reflect.Slice, reflect.Array:
		return e.sequence(v, at, level)
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			return e.mapping(v, at, level)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Type() != reflect.TypeOf(&big.Int{}) {
			return e.encode(v.Elem().Interface(), at, level)
		}
	}
	return e.plain(value, at)
}

// What encoding/json says. It writes text that cannot be sent raw in HTML as escapes, which are the same JSON.
func (e *encoder) plain(value any, at string) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("failed to send %s: %w", at, err)
	}
	return text, nil
}

func (e *encoder) sequence(v reflect.Value, at string, level int) ([]byte, error) {
	out := []byte{'['}
	for i := 0; i < v.Len(); i++ {
		text, err := e.encode(v.Index(i).Interface(), fmt.Sprintf("%s/%d", at, i), level+1)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, text...)
	}
	return append(out, ']'), nil
}

func (e *encoder) mapping(v reflect.Value, at string, level int) ([]byte, error) {
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	out := []byte{'{'}
	for i, key := range keys {
		text, err := e.encode(v.MapIndex(key).Interface(), at+"/"+token(key.String()), level+1)
		if err != nil {
			return nil, err
		}
		name, err := json.Marshal(key.String())
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), text...)
	}
	return append(out, '}'), nil
}

// decode gives the value of valid JSON text.
func decode(text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return json.RawMessage(text) // not reached: the text has been read before
	}
	return numbers(value)
}

func numbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		return number(value)
	case []any:
		for i := range value {
			value[i] = numbers(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = numbers(value[name])
		}
	}
	return value
}

func number(text json.Number) any {
	if !strings.ContainsAny(text.String(), ".eE") {
		return integer(text.String())
	}
	if float, err := text.Float64(); err == nil {
		return float
	}
	return text
}

func integer(text string) any {
	if small, err := strconv.ParseInt(text, 10, 64); err == nil {
		return small
	}
	if large, ok := new(big.Int).SetString(text, 10); ok {
		return large
	}
	return nil
}

// value gives the payload member with its hints applied.
func (m *message) value(root string) (any, error) {
	holder := map[string]any{root: decode(m.members[root])}
	for pointer, hint := range m.hints {
		path := strings.Split(pointer, "/")
		if path[0] != "" || !replace(holder, path[1:], hint) {
			return nil, badMessage("VAL-5", pointer, "the hint %q does not fit what is at %s", hint, pointer)
		}
	}
	return holder[root], nil
}

func replace(holder any, path []string, hint string) bool {
	if len(path) == 0 {
		return false
	}
	var old any
	var put func(any)
	switch key := restores.Replace(path[0]); holder := holder.(type) {
	case map[string]any:
		old, put = holder[key], func(value any) { holder[key] = value }
	case []any:
		index, err := strconv.Atoi(key)
		if err != nil || index < 0 || index >= len(holder) || strconv.Itoa(index) != key {
			return false
		}
		old, put = holder[index], func(value any) { holder[index] = value }
	default:
		return false
	}
	if len(path) > 1 {
		return replace(old, path[1:], hint)
	}
	text, ok := old.(string)
	value := unhinted(text, hint)
	if ok && value != nil {
		put(value)
	}
	return ok && value != nil
}

func unhinted(text, hint string) any {
	switch {
	case hint == "base64":
		if data, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && !strings.ContainsAny(text, "\r\n") {
			return data
		}
	case hint == "float" && text == "NaN":
		return math.NaN()
	case hint == "float" && text == "Infinity":
		return math.Inf(1)
	case hint == "float" && text == "-Infinity":
		return math.Inf(-1)
	case hint == "int" && text != "" && strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") == "" && isDigit(text[len(text)-1]):
		return integer(text)
	}
	return nil
}
