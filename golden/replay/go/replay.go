// Replays dirty-transcript/1 files (golden/README.md) against an arbiter or a worker. Meant to be copied.
//
//	go run replay.go ROLE SOCKET [-FEATURE...] FILE...   ROLE: arbiter or worker; -FEATURE: one that it lacks (`needs`)
//	go run replay.go --matcher FILE                      judges the matcher by golden/matcher.json
//
// TIME_SCALE=4 in the environment makes expectations wait four times as long, for busy machines.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"
)

type object = map[string]any

type step struct {
	From, On, Raw string
	Msg           any
	Pad           struct{ Byte, Count int }
	Close         bool
	Quiet         time.Duration `json:"quiet_ms"`
	Within        time.Duration `json:"within_ms"`
	After         time.Duration `json:"after_ms"`
	Unordered     []step
}

type transcript struct { // or a case of golden/matcher.json
	ID           string
	Roles, Needs []string
	Steps        []step
	Vars, Binds  object
	Want, Got    any
	Match        bool
}

func check(ok bool, format string, args ...any) { // a panic ends the transcript, see `play`
	if !ok {
		panic(fmt.Sprintf(format, args...))
	}
}

var isOperator = regexp.MustCompile(`^\$(var|any|like|opt|open|lit)$`).MatchString

func operator(t any) (string, any) {
	members, _ := t.(object)
	for name, inner := range members {
		if len(members) == 1 && isOperator(name) {
			return name, inner
		}
	}
	return "", t
}

// Whether `got` fits the template. Writes into `binds`, also when it does not fit: give it a copy.
func matches(want, got any, binds object, literal, opened bool) bool {
	name, inner := operator(want)
	switch {
	case literal || name == "":
	case name == "$any" || name == "$like":
		return name == "$any" || reflect.TypeOf(inner) == reflect.TypeOf(got)
	case name != "$var":
		return matches(inner, got, binds, name == "$lit", name == "$open")
	default:
		if _, known := binds[inner.(string)]; !known {
			binds[inner.(string)] = got
		}
		ok := true
		for key, value := range binds {
			ok = ok && (key == inner) == matches(value, got, nil, true, false)
		}
		return ok
	}
	switch want := want.(type) {
	case json.Number: // integers are equal by their digits (or 0 and -0), other pairs as doubles
		other, ok := got.(json.Number)
		a, _ := want.Float64()
		b, _ := other.Float64()
		return ok && a == b && (want == other || a == 0 || strings.ContainsAny(string(want+other), ".eE"))
	case []any:
		items, ok := got.([]any)
		ok = ok && len(items) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = matches(want[i], items[i], binds, literal, false)
		}
		return ok
	case object:
		members, ok := got.(object)
		for key := range members {
			_, named := want[key]
			ok = ok && (named || opened)
		}
		for key, value := range want {
			member, there := members[key]
			name, _ := operator(value)
			absent := !there && !literal && name == "$opt"
			ok = ok && (absent || there && matches(value, member, binds, literal, false))
		}
		return ok
	}
	return want == got
}

func fits(want, got any, binds object) bool { // binds nothing when it does not fit
	tried := object{}
	for name, value := range binds {
		tried[name] = value
	}
	ok := matches(want, got, tried, false, true)
	for name, value := range tried {
		if ok {
			binds[name] = value
		}
	}
	return ok
}

func render(t any, binds, vars object) any { // in place: a step is sent once
	name, t := operator(t)
	switch variable, _ := t.(string); name {
	case "$var":
		if _, known := binds[variable]; !known {
			binds[variable] = vars[variable]
		}
		return binds[variable]
	case "$lit", "$any", "$like":
		return t
	}
	items, _ := t.([]any)
	for i := range items {
		items[i] = render(items[i], binds, vars)
	}
	members, _ := t.(object)
	for key := range members {
		members[key] = render(members[key], binds, vars)
	}
	return t
}

func raw(it step) []byte {
	out, _ := hex.DecodeString(it.Raw)
	return append(out, bytes.Repeat([]byte{byte(it.Pad.Byte)}, it.Pad.Count)...)
}

func parse(from io.Reader, into any) {
	decoder := json.NewDecoder(from)
	decoder.UseNumber()
	err := decoder.Decode(into)
	check(err == nil, "no JSON: %v", err)
}

func expect(from net.Conn, it step, binds object) {
	scale, waiting := 1.0, it.Unordered
	fmt.Sscan(os.Getenv("TIME_SCALE"), &scale)
	switch {
	case it.Quiet > 0:
		it.Within, scale = it.Quiet, 1
	case it.Within == 0:
		it.Within = 5000
	}
	from.SetReadDeadline(time.Now().Add(time.Duration(float64(it.Within*time.Millisecond) * scale)))
	if it.Msg != nil {
		waiting = []step{it}
	} else if len(waiting) == 0 {
		want := raw(it) // empty with `quiet_ms` and `close`: no byte may come
		got := bytes.Repeat([]byte{0}, len(want))
		if len(want) == 0 {
			got = []byte{0}
		}
		n, err := io.ReadFull(from, got)
		silent := errors.Is(err, os.ErrDeadlineExceeded)
		check(silent == (it.Quiet > 0) && bytes.Equal(got[:n], want), "not %x but %x, %v", want, got[:n], err)
	}
	for len(waiting) > 0 {
		var size uint32
		err := binary.Read(from, binary.BigEndian, &size)
		check(err == nil, "no frame: %v", err)
		var got any
		payload, err := io.ReadAll(io.LimitReader(from, int64(size)))
		check(err == nil && len(payload) == int(size), "a truncated frame: %q, %v", payload, err)
		parse(bytes.NewReader(payload), &got)
		found := 0
		for found < len(waiting) && !fits(waiting[found].Msg, got, binds) {
			found++
		}
		check(found < len(waiting), "no match for %s", payload)
		waiting = append(waiting[:found], waiting[found+1:]...)
	}
}

func send(to net.Conn, it step, binds, vars object) {
	time.Sleep(it.After * time.Millisecond)
	if it.Close {
		to.Close()
		return
	}
	frame := raw(it)
	if it.Msg != nil {
		payload, _ := json.Marshal(render(it.Msg, binds, vars))
		frame = append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	}
	to.SetWriteDeadline(time.Now().Add(30 * time.Second)) // for a subject that does not read
	_, err := to.Write(frame)
	check(err == nil, "not written: %v", err)
}

func play(it transcript, role, path string) (why any) {
	at, binds, connections := 0, object{}, map[string]net.Conn{}
	defer func() {
		if why = recover(); why != nil {
			why = fmt.Sprintf("step %d: %v", at+1, why)
		}
		for _, connection := range connections {
			connection.Close()
		}
	}()
	for _, step := range it.Steps {
		if step.From == "client" {
			role = "arbiter" // a worker is read one hop on
		}
	}
	for i, step := range it.Steps {
		at = i
		if _, open := connections[step.On]; step.From != "" && !open {
			connection, err := net.Dial("unix", path)
			check(err == nil, "not connected: %v", err)
			connections[step.On] = connection
		}
		if step.From == role {
			expect(connections[step.On], step, binds)
		} else if step.From != "" {
			send(connections[step.On], step, binds, it.Vars)
		}
	}
	return nil
}

func judge(it transcript) any {
	bound := object{}
	fits := matches(it.Want, it.Got, bound, false, true)
	if fits == it.Match && (!fits || len(bound)+len(it.Binds) == 0 || reflect.DeepEqual(bound, it.Binds)) {
		return nil
	}
	return "another verdict"
}

func load(file string, into any) {
	text, err := os.Open(file)
	check(err == nil, "%v", err)
	parse(text, into)
}

func main() {
	check(len(os.Args) > 2, "replay ROLE SOCKET [-FEATURE...] FILE... | replay --matcher FILE")
	role, words, total, failed := os.Args[1], strings.Join(os.Args, " ")+" ", 0, 0
	tell := func(it transcript, why any) {
		total++
		if why != nil {
			failed++
			fmt.Println("FAILED", it.ID, why)
		}
	}
	var cases []transcript
	if role == "--matcher" {
		load(os.Args[2], &cases)
	}
	for _, it := range cases {
		tell(it, judge(it))
	}
	for _, file := range os.Args[3:] {
		var it transcript
		if file[0] != '-' {
			load(file, &it)
		}
		plays := strings.Contains(strings.Join(it.Roles, " "), role)
		for _, feature := range it.Needs {
			plays = plays && !strings.Contains(words, " -"+feature+" ")
		}
		if plays {
			tell(it, play(it, role, os.Args[2]))
		}
	}
	fmt.Printf("%d passed, %d failed\n", total-failed, failed)
	if failed > 0 || total == 0 {
		os.Exit(1)
	}
}
