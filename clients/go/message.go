package dirty

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"unicode/utf8"
)

// DepthLimit is the deepest nesting that is read and written; the message itself is level 1 (VAL-3).
const DepthLimit = 512

// message is a message of any type, with its payloads as text.
type message struct {
	kind    string
	id      *string                    // nil in an error about the connection
	members map[string]json.RawMessage // all top-level members
	failure *DirtyError                // of an error message
	hints   map[string]string
}

// What a member has to be. A member that is absent and required is a fault too.
type member struct {
	name        string
	required    bool
	requirement string
	fits        func(json.RawMessage) bool
}

func anything(json.RawMessage) bool       { return true }
func isArray(text json.RawMessage) bool   { return text[0] == '[' }
func isBoolean(text json.RawMessage) bool { return text[0] == 't' || text[0] == 'f' }

func isString(shortest, longest int) func(json.RawMessage) bool {
	return func(text json.RawMessage) bool {
		value, ok := unicode(text)
		length := utf8.RuneCountInString(value)
		return ok && length >= shortest && length <= longest
	}
}

func isIDOrNull(text json.RawMessage) bool { return string(text) == "null" || isString(1, 256)(text) }

// An object whose names are Unicode.
func isObject(text json.RawMessage) bool {
	_, err := topLevel(text, nil)
	return err == nil
}

func isNumber(lowest, highest float64, whole, above bool) func(json.RawMessage) bool {
	return func(text json.RawMessage) bool {
		var number float64
		if !isDigit(text[0]) && text[0] != '-' || json.Unmarshal(text, &number) != nil {
			return false
		}
		return number >= lowest && number <= highest && (!whole || number == float64(int64(number))) && (!above || number > lowest)
	}
}

func isHints(text json.RawMessage) bool {
	members, err := topLevel(text, nil)
	for _, hint := range members {
		value, ok := unicode(hint)
		if !ok || value != "base64" && value != "int" && value != "float" {
			return false
		}
	}
	return err == nil
}

const (
	anyLength = 1 << 30
	ages      = 1e9 // seconds
)

// The shapes of schemas/dirty-v1.schema.json; a test holds them against all vectors.
var (
	id     = member{"id", true, "MSG-7", isString(1, 256)}
	hints  = member{"hints", false, "VAL-5", isHints}
	shapes = map[string][]member{
		"request": {
			id,
			{"app_path", true, "MSG-8", isString(1, 1024)},
			{"action", true, "MSG-9", isString(1, 256)},
			{"args", false, "MSG-10", isArray},
			{"kwargs", false, "MSG-10", isObject},
			{"timeout", false, "TIME-2", isNumber(0, ages, false, true)},
			{"meta", false, "EXT-2", isObject},
			{"accept_hints", false, "VAL-6", isBoolean},
			hints,
		},
		"response": {id, {"result", true, "MSG-2", anything}, hints},
		"chunk":    {id, {"data", true, "MSG-2", anything}, hints},
		"end":      {id},
		"cancel":   {id},
		"error":    {{"id", true, "MSG-7", isIDOrNull}, {"error", true, "MSG-12", isObject}},
	}
	errorShape = []member{
		{"error_type", true, "MSG-12", isString(0, anyLength)},
		{"message", true, "MSG-12", isString(0, anyLength)},
		{"details", true, "MSG-12", func(text json.RawMessage) bool { return text[0] == '{' }},
	}
	detailsShape = []member{
		{"app_path", false, "ERR-9", isString(1, 1024)},
		{"action", false, "ERR-9", isString(1, 256)},
		{"traceback", false, "ERR-9", isString(0, anyLength)},
		{"timeout", false, "ERR-9", isNumber(0, ages, false, false)},
		{"phase", false, "ERR-9", isString(0, anyLength)},
		{"worker_id", false, "ERR-9", isNumber(0, 4294967295, true, false)},
		{"signal", false, "ERR-9", isNumber(0, 255, true, false)},
		{"exit_code", false, "ERR-9", isNumber(0, 255, true, false)},
		{"retry_after", false, "ERR-9", isNumber(0, ages, false, false)},
		{"raw_data", false, "ERR-9", isString(0, 200)},
		{"pointer", false, "ERR-9", isString(0, anyLength)},
		{"requirement", false, "ERR-9", isString(0, anyLength)},
		{"id", false, "ERR-9", isString(1, 256)},
	}
)

func check(members map[string]json.RawMessage, shape []member, at string) error {
	for _, it := range shape {
		text, there := members[it.name]
		if !there && it.required {
			requirement := it.requirement
			return badMessage(requirement, at+"/"+it.name, "%s/%s is missing", at, it.name)
		}
		if there && !it.fits(text) {
			return badMessage(it.requirement, at+"/"+it.name, "the value at %s/%s does not fit", at, it.name)
		}
	}
	return nil
}

// parse reads the payload of a frame. It does not use the tags of structs: encoding/json takes "ID" for "id", and the
// last of two members for the only one.
func parse(payload []byte) (*message, error) {
	if !utf8.Valid(payload) {
		return nil, badFrame("FRAME-10", payload, "the payload is not UTF-8")
	}
	if !json.Valid(payload) {
		if strict := literals.ReplaceAll(payload, []byte("${1}0")); json.Valid(strict) {
			return nil, badMessage("VAL-2", "", "a NaN or Infinity literal is no JSON")
		}
		if depth(payload) > DepthLimit { // deeper than encoding/json reads
			return nil, badMessage("VAL-3", "", "more than %d levels", DepthLimit)
		}
		return nil, badFrame("FRAME-10", payload, "the payload is not JSON")
	}
	if payload = bytes.TrimSpace(payload); payload[0] != '{' {
		return nil, badFrame("FRAME-10", payload, "the payload is not an object")
	}
	if depth(payload) > DepthLimit {
		return nil, badMessage("VAL-3", "", "more than %d levels", DepthLimit)
	}
	repeated := ""
	members, err := topLevel(payload, &repeated)
	if err == nil && repeated != "" {
		err = badMessage("MSG-6", "/"+token(repeated), "the member %q occurs twice", repeated)
	}
	if err != nil {
		return nil, err
	}
	kind, ok := unicode(members["type"])
	if !ok {
		return nil, badMessage("MSG-1", "/type", "there is no string `type`")
	}
	if kind == "status" || kind == "manage" || kind == "stash" {
		return nil, badMessage("EXT-1", "/type", "the type %q belongs to the control socket", kind)
	}
	shape, ok := shapes[kind]
	if !ok {
		return nil, badMessage("MSG-11", "/type", "the type %q is unknown", kind)
	}
	if err := check(members, shape, ""); err != nil {
		return nil, err
	}
	parsed := &message{kind: kind, members: members}
	if text := members["id"]; text[0] == '"' {
		value, _ := unicode(text)
		parsed.id = &value
	}
	if text, there := members["hints"]; there && json.Unmarshal(text, &parsed.hints) != nil {
		return nil, badMessage("VAL-5", "/hints", "the hints cannot be read")
	}
	if kind == "error" {
		return parsed, parsed.readError()
	}
	return parsed, nil
}

func (m *message) readError() error {
	outer, _ := topLevel(m.members["error"], nil)
	if err := check(outer, errorShape, "/error"); err != nil {
		return err
	}
	details, _ := topLevel(outer["details"], nil)
	if err := check(details, detailsShape, "/error/details"); err != nil {
		return err
	}
	m.failure = &DirtyError{Details: map[string]any{}}
	m.failure.Type, _ = unicode(outer["error_type"])
	m.failure.Message, _ = unicode(outer["message"])
	for name, text := range details {
		m.failure.Details[name] = decode(text)
	}
	return nil
}

func (m *message) asError() error {
	return newError(m.failure.Type, m.failure.Message, m.failure.Details, nil)
}

// topLevel gives the members of an object of valid JSON; the name of one that occurs twice goes to repeated.
func topLevel(text []byte, repeated *string) (map[string]json.RawMessage, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, fmt.Errorf("not an object")
	}
	members := map[string]json.RawMessage{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	for decoder.More() {
		start := decoder.InputOffset()
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		quoted := bytes.TrimLeft(text[start:decoder.InputOffset()], ", \t\r\n")
		if _, ok := unicode(quoted); !ok && repeated == nil {
			return nil, fmt.Errorf("a name with half of a surrogate pair")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if _, there := members[name.(string)]; there && repeated != nil {
			*repeated = name.(string)
		}
		members[name.(string)] = value
	}
	return members, nil
}

// unicode gives the characters of a JSON string, if it is one without half of a surrogate pair.
func unicode(text json.RawMessage) (string, bool) {
	var value string
	if len(text) == 0 || text[0] != '"' || json.Unmarshal(text, &value) != nil {
		return "", false
	}
	for _, escape := range escapes.FindAllSubmatch(text, -1) {
		if len(escape[1]) > 0 { // a surrogate without its other half
			return "", false
		}
	}
	return value, true
}

var (
	// Backslash escapes one by one; the group is a surrogate that is not part of a pair.
	escapes  = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.`)
	literals = regexp.MustCompile(`([\[:,]\s*)(?:NaN|-?Infinity)`)
)

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// depth counts the objects and arrays that are open at the same time, without recursion.
func depth(text []byte) (deepest int) {
	open, inside := 0, false
	for at := 0; at < len(text); at++ {
		switch c := text[at]; {
		case inside && c == '\\':
			at++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			if open++; open > deepest {
				deepest = open
			}
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}
